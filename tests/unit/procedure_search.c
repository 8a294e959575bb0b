/*
 * What finance types, and what it is taken for.
 */
#include "procedure/order/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct search
reads(const char *text)
{
	struct search s;

	search_read(text, &s);
	return s;
}

static void
test_numbers(void **state)
{
	static const char *const ways[] = { "P-2026-000001-7", "p-2026-000001-7", " P-2026-000001-7\t", "P20260000017", "p 2026 000001 7", "P2026-0000017" };

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct search s = reads(ways[i]);

		assert_int_equal(s.kind, SEARCH_WORD);
		assert_string_equal(s.number, "P-2026-000001-7");
		assert_string_equal(s.person[0], "");
	}
	assert_string_equal(reads("P-2026-1234567-8").number, "P-2026-1234567-8");
	/* Others begin with that letter too. */
	assert_string_equal(reads("pay_0be97aae33b49c2b1f9dfeca").number, "");
	assert_string_equal(reads("P1234567").number, "");
	assert_string_equal(reads("P1234567").person[0], "P1234567");
	assert_string_equal(reads("P12345678901234567890123456789012345678901234567890").number, "");
}

static void
test_people(void **state)
{
	struct search s = reads("171003406-5");

	(void)state;
	assert_int_equal(s.kind, SEARCH_WORD);
	assert_string_equal(s.person[0], "1710034065");
	assert_string_equal(s.person[1], "1710034065001");
	s = reads("1710034065001");
	assert_string_equal(s.person[0], "1710034065001");
	assert_string_equal(s.person[1], "1710034065");
	s = reads("ab 123456");
	assert_string_equal(s.person[0], "AB123456");
	assert_string_equal(s.person[1], "");
	assert_string_equal(reads("evt_12/3").person[0], "");
	s = reads(" Maria@Correo.example ");
	assert_int_equal(s.kind, SEARCH_MAILBOX);
	assert_string_equal(s.word, "Maria@Correo.example");
}

static void
test_money(void **state)
{
	static const struct { const char *text; int64_t cents; } amounts[] = {
		{ "31,05", 3105 }, { "31.05", 3105 }, { "$31.05", 3105 }, { "$31", 3100 }, { "1.234,50", 123450 }, { "1,234.50", 123450 }, { "0,01", 1 },
		{ "1.234.567,89", 123456789 },
	};
	static const char *const none[] = { "31", "31,5", "31,055", "31,", ",50", "$", "$,5", "12.34.56", "31,05 31,05", "31,05 x", "1,2,3", "-31,05",
		"9999999999999,99" };

	(void)state;
	for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
		struct search s = reads(amounts[i].text);

		assert_int_equal(s.kind, SEARCH_MONEY);
		assert_int_equal(s.cents, amounts[i].cents);
		assert_string_equal(s.day, "");
		assert_int_equal(s.from, 0);
		assert_true(s.to > INT64_C(4000000000));
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct search s = reads(none[i]);

		assert_int_equal(s.kind, SEARCH_WORD);
		assert_int_equal(s.cents, -1);
		assert_string_equal(s.word, none[i]);
	}
}

static void
test_days(void **state)
{
	static const char *const ways[] = { "2026-11-20", "20/11/2026", "20-11-2026" };
	static const char *const none[] = { "2026-02-30", "31/04/2026", "2026-13-01", "00/01/2026", "2026-11-2", "20/11/20", "+1/11/2026", " 1/11/2026 x", "1 /11/2026", "2026-11-20 2026-11-21" };
	struct tm midnight = { .tm_year = 126, .tm_mon = 10, .tm_mday = 20, .tm_hour = 5 };
	struct search s;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		s = reads(ways[i]);
		assert_int_equal(s.kind, SEARCH_MONEY);
		assert_int_equal(s.cents, -1);
		assert_string_equal(s.day, "2026-11-20");
		assert_int_equal(s.from, timegm(&midnight));
		assert_int_equal(s.to - s.from, 86400);
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_int_equal(reads(none[i]).kind, SEARCH_WORD);
	assert_string_equal(reads("29/02/2028").day, "2028-02-29");
	for (size_t i = 0; i < 2; i++) {
		s = reads(i == 0 ? "31,05 20/11/2026" : "20/11/2026  $31.05");
		assert_int_equal(s.kind, SEARCH_MONEY);
		assert_int_equal(s.cents, 3105);
		assert_string_equal(s.day, "2026-11-20");
	}
}

static void
test_nothing(void **state)
{
	char longer[SEARCH_TEXT + 1];

	(void)state;
	assert_int_equal(reads("").kind, SEARCH_NOTHING);
	assert_int_equal(reads(" \t ").kind, SEARCH_NOTHING);
	memset(longer, 'x', SEARCH_TEXT);
	longer[SEARCH_TEXT] = '\0';
	assert_int_equal(reads(longer).kind, SEARCH_NOTHING);
	longer[SEARCH_TEXT - 1] = '\0';
	assert_int_equal(reads(longer).kind, SEARCH_WORD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_people), cmocka_unit_test(test_money), cmocka_unit_test(test_days),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
