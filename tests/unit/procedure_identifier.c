/* Cédulas, RUCs, passports, telephones, addresses of mail; check digits of our own numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "procedure/people/identifier.h"
#include "procedure/number.h"

static void
good(const char *wrong, const char *text)
{
	if (wrong != NULL)
		fail_msg("%s: %s", text, wrong);
}

static void
bad(const char *wrong, const char *expected)
{
	assert_non_null(wrong);
	assert_string_equal(wrong, expected);
}

static void
test_cedula(void **state)
{
	static const char *const valid[] = { "1710034065", "1714616123", "1713175071", "0923456784" };

	(void)state;
	for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
		good(identifier_cedula(valid[i]), valid[i]);
	bad(identifier_cedula("0912345678"), "check_digit");
	bad(identifier_cedula("1234567890"), "check_digit");
	bad(identifier_cedula("2510034065"), "province");
	bad(identifier_cedula("0010034065"), "province");
	bad(identifier_cedula("1770034065"), "third_digit");
	bad(identifier_cedula("171003406"), "length");
	bad(identifier_cedula("17100340655"), "length");
	bad(identifier_cedula("171003406A"), "digits");
	bad(identifier_cedula(""), "length");
}

/* Issued abroad: 30 in place of a province. */
static void
test_cedula_abroad(void **state)
{
	char text[11] = "3010034060";
	int found = 0;

	(void)state;
	for (char c = '0'; c <= '9'; c++) {
		text[9] = c;
		found += identifier_cedula(text) == NULL;
	}
	assert_int_equal(found, 1);
}

/* Any single wrong digit is noticed. */
static void
test_cedula_one_wrong_digit(void **state)
{
	char text[11];

	(void)state;
	for (int i = 2; i < 10; i++)
		for (char c = '0'; c <= '9'; c++) {
			strcpy(text, "1710034065");
			if (text[i] == c)
				continue;
			text[i] = c;
			assert_non_null(identifier_cedula(text));
		}
}

static void
test_ruc(void **state)
{
	static const char *const companies[] = { "1790011674001", "1792060346001", "0190072002001" };
	static const char *const public_bodies[] = { "1760001550001", "1760013210001", "1760002600001" };
	int doubtful;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		good(identifier_ruc(companies[i], &doubtful), companies[i]);
		assert_false(doubtful);
		good(identifier_ruc(public_bodies[i], &doubtful), public_bodies[i]);
	}
	/* A newer company whose check digit does not hold is taken with a warning. */
	good(identifier_ruc("1790011675001", &doubtful), "company");
	assert_true(doubtful);
	good(identifier_ruc("1710034065001", &doubtful), "person");
	bad(identifier_ruc("1780011674001", &doubtful), "third_digit");
	bad(identifier_ruc("1790011674000", &doubtful), "establishment");
	bad(identifier_ruc("1790011674", &doubtful), "length");
}

static void
test_ruc_person(void **state)
{
	(void)state;
	good(identifier_ruc_person("1710034065001"), "person");
	good(identifier_ruc_person("1710034065002"), "second establishment");
	bad(identifier_ruc_person("1710034065000"), "establishment");
	bad(identifier_ruc_person("1710034064001"), "check_digit");
	bad(identifier_ruc_person("1790011674001"), "third_digit");
	bad(identifier_ruc_person("171003406500"), "length");
	bad(identifier_ruc_person("171003406500x"), "digits");
}

static void
test_passport(void **state)
{
	(void)state;
	good(identifier_passport("AB123456"), "AB123456");
	good(identifier_passport("A12"), "A12");
	bad(identifier_passport("A1"), "length");
	bad(identifier_passport("A12345678901234567890"), "length");
	bad(identifier_passport("ab123"), "characters");
	bad(identifier_passport("AB 123"), "characters");
}

static void
test_telephone(void **state)
{
	static const struct { const char *typed, *one; } table[] = {
		{ "0991234567", "+593991234567" }, { "099 123 4567", "+593991234567" },
		{ "991234567", "+593991234567" }, { "+593 99 123 4567", "+593991234567" },
		{ "+593 (0)99 123 4567", "+593991234567" }, { "593991234567", "+593991234567" },
		{ "00593991234567", "+593991234567" }, { "(02) 2-345-678", "+59322345678" },
		{ "+5932 2345678", "+59322345678" }, { "+34 600 123 456", "+34600123456" },
	};
	char out[20];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		good(identifier_telephone(table[i].typed, out, sizeof out), table[i].typed);
		assert_string_equal(out, table[i].one);
	}
	bad(identifier_telephone("", out, sizeof out), "telephone");
	bad(identifier_telephone("099123456", out, sizeof out), "telephone");
	bad(identifier_telephone("09912345678", out, sizeof out), "telephone");
	bad(identifier_telephone("+593991234", out, sizeof out), "telephone");
	bad(identifier_telephone("099123456x", out, sizeof out), "telephone");
	bad(identifier_telephone("+1234567890123456", out, sizeof out), "telephone");
	bad(identifier_telephone("0", out, sizeof out), "telephone");
	bad(identifier_telephone("+593 00 123 4567", out, sizeof out), "telephone");
	bad(identifier_telephone("+593 1 234 5678", out, sizeof out), "telephone");
}

static void
test_email(void **state)
{
	(void)state;
	good(identifier_email("maria@dominio.ec"), "plain");
	good(identifier_email("m.perez+icert@sub.dominio.com.ec"), "tagged");
	bad(identifier_email("maria"), "email");
	bad(identifier_email("maria@"), "email");
	bad(identifier_email("@dominio.ec"), "email");
	bad(identifier_email("maria@dominio"), "email");
	bad(identifier_email("maria..p@dominio.ec"), "email");
	bad(identifier_email(".maria@dominio.ec"), "email");
	bad(identifier_email("maria@-dominio.ec"), "email");
	bad(identifier_email("maria@dominio.ec>"), "email");
	bad(identifier_email("maria perez@dominio.ec"), "email");
	bad(identifier_email("maria@dominio.ec\r\nBcc: x@y.ec"), "email");
}

static void
test_numbers(void **state)
{
	char out[NUMBER_TEXT];

	(void)state;
	/* ISO/IEC 7064, MOD 11,10: the standard's own example is 0794 with 5. */
	assert_int_equal(number_check_digit("0794", 4), '5');
	assert_true(number_valid("07945"));
	assert_false(number_valid("07946"));
	/* 1 January 2027, 03:00 UTC is still 2026 in Ecuador. */
	number_case(17, 1798772400, 123, out);
	assert_memory_equal(out, "17-2026-000123-", 15);
	assert_true(number_valid(out));
	number_envelope(9, 1234567, out);
	assert_int_equal(strlen(out), 10);
	assert_memory_equal(out, "091234567", 9);
	assert_true(number_valid(out));
	out[3] = out[3] == '9' ? '0' : (char)(out[3] + 1);
	assert_false(number_valid(out));
	number_purchase(1798772400, 7, out);
	assert_true(number_valid(out));
	assert_false(number_valid(""));
	assert_false(number_valid("7"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cedula),
		cmocka_unit_test(test_cedula_abroad),
		cmocka_unit_test(test_cedula_one_wrong_digit),
		cmocka_unit_test(test_ruc),
		cmocka_unit_test(test_ruc_person),
		cmocka_unit_test(test_passport),
		cmocka_unit_test(test_telephone),
		cmocka_unit_test(test_email),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
