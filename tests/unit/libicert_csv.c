#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/csv.h"

static void
test_fields(void **state)
{
	static const struct { const char *text, *written; } cases[] = {
		{ "", "" }, { "Quito", "Quito" }, { "a,b", "\"a,b\"" }, { "\"x\"", "\"\"\"x\"\"\"" }, { "a\r\nb", "\"a\r\nb\"" },
		{ "=1+1", "'=1+1" }, { "+593", "'+593" }, { "-2", "'-2" }, { "@SUM(A1)", "'@SUM(A1)" }, { "\tx", "'\tx" },
		{ "=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"" }, { "ñ", "ñ" }, { "a=b", "a=b" },
	};
	struct buf out = BUF_INIT;
	struct csv c;
	size_t i;

	(void)state;
	csv_begin(&c, &out);
	assert_string_equal(buf_str(&out), "\xef\xbb\xbf");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		csv_text(&c, cases[i].text);
		csv_end(&c);
		assert_int_equal(out.len, strlen(cases[i].written) + 2);
		assert_memory_equal(out.p, cases[i].written, strlen(cases[i].written));
	}
	buf_free(&out);
}

static void
test_row(void **state)
{
	struct buf out = BUF_INIT;
	struct csv c;

	(void)state;
	csv_begin(&c, &out);
	buf_reset(&out);
	csv_money(&c, 3105);
	csv_money(&c, -5);
	csv_money(&c, 0);
	csv_money(&c, INT64_MIN);
	csv_number(&c, -7);
	csv_end(&c);
	csv_text(&c, "x");
	csv_end(&c);
	assert_string_equal(buf_str(&out), "31.05,-0.05,0.00,-92233720368547758.08,-7\r\nx\r\n");
	assert_int_equal(buf_error(&out), 0);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields), cmocka_unit_test(test_row) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
