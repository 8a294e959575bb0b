#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/access_key.h"
#include "libicert/error.h"

/* Two that were issued, as printed on invoices. */
static const char *const issued[] = {
	"0312202201019007200200120029020004874985766297216",
	"1811202301179001691900120721260002540020711013510",
};

static void
test_issued(void **state)
{
	struct access_key k;

	(void)state;
	assert_int_equal(access_key_read(&k, issued[0]), 0);
	assert_string_equal(k.text, issued[0]);
	assert_string_equal(k.day, "2022-12-03");
	assert_string_equal(k.document, ACCESS_KEY_INVOICE);
	assert_string_equal(k.ruc, "0190072002001");
	assert_true(k.production);
	assert_string_equal(k.place, "002902");
	assert_string_equal(k.sequence, "000487498");
	assert_string_equal(k.code, "57662972");
	assert_int_equal(access_key_read(&k, issued[1]), 0);
	assert_string_equal(k.ruc, "1790016919001");
	assert_string_equal(k.day, "2023-11-18");
}

/* Any one digit turned into another is found, but where modulus 11 gives two sums one digit (10 and 0 are 1 and 0). */
static void
test_turned(void **state)
{
	struct access_key k;
	char text[ACCESS_KEY_DIGITS + 1];
	unsigned taken = 0;
	size_t v, i;
	char d;

	(void)state;
	for (v = 0; v < 2; v++)
		for (i = 0; i < ACCESS_KEY_DIGITS; i++)
			for (d = '0'; d <= '9'; d++) {
				strcpy(text, issued[v]);
				if (text[i] == d)
					continue;
				text[i] = d;
				taken += access_key_read(&k, text) == 0;
			}
	assert_int_equal(taken, 0);
	strcpy(text, issued[0]);
	text[48] = '5';
	assert_int_equal(access_key_read(&k, text), ICERT_E_MISMATCH);
}

static void
test_check_digits(void **state)
{
	char text[ACCESS_KEY_DIGITS + 1];
	unsigned seen[10] = { 0 };
	struct access_key k;
	int i;

	(void)state;
	strcpy(text, issued[0]);
	for (i = 0; i < 1000; i++) {
		text[44] = (char)('0' + i / 100);
		text[45] = (char)('0' + i / 10 % 10);
		text[46] = (char)('0' + i % 10);
		text[48] = access_key_check(text);
		seen[text[48] - '0']++;
		assert_int_equal(access_key_read(&k, text), 0);
	}
	/* 10 is written 1: that one twice as often as the others; 11 is 0. */
	for (i = 0; i < 10; i++)
		assert_in_range(seen[i], i == 1 ? 150 : 70, i == 1 ? 210 : 110);
	assert_int_equal(access_key_check("123"), '\0');
}

static void
test_refused(void **state)
{
	static const struct { size_t at; const char *with; } wrong[] = {
		{ 0, "00" }, { 0, "32" }, { 2, "00" }, { 2, "13" }, { 0, "3102" }, { 0, "29022023" }, { 4, "1999" }, { 23, "3" }, { 23, "0" }, { 47, "2" }, { 20, "a" },
	};
	struct access_key k;
	char text[ACCESS_KEY_DIGITS + 3];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		strcpy(text, issued[0]);
		memcpy(text + wrong[i].at, wrong[i].with, strlen(wrong[i].with));
		if (wrong[i].with[0] != 'a')
			text[48] = access_key_check(text);
		assert_int_equal(access_key_read(&k, text), ICERT_E_MALFORMED);
	}
	strcpy(text, issued[0]);
	memcpy(text, "29022024", 8);
	text[48] = access_key_check(text);
	assert_int_equal(access_key_read(&k, text), 0);
	strcat(text, "0");
	assert_int_equal(access_key_read(&k, text), ICERT_E_MALFORMED);
	assert_int_equal(access_key_read(&k, ""), ICERT_E_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_issued),
		cmocka_unit_test(test_turned),
		cmocka_unit_test(test_check_digits),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
