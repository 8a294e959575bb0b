#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/error.h"
#include "views/view.h"

static struct buf out;

#define SHOWS(expected, call) do { buf_reset(&out); call; assert_string_equal(buf_str(&out), expected); } while (0)

static void
test_text(void **state)
{
	(void)state;
	SHOWS("&lt;a href=&quot;x&quot;&gt;&amp;&#39;Ñ", view_put_text(&out, "<a href=\"x\">&'Ñ"));
	SHOWS("", view_put_text(&out, NULL));
	SHOWS("a<br>&lt;b", view_put_lines(&out, true, "a\r\n<b"));
	SHOWS("a\n<b", view_put_lines(&out, false, "a\n<b"));
	SHOWS("https://<wbr>a&amp;b", view_put_breaking(&out, true, "https://a&b"));
	SHOWS("1234567ñ<wbr>9", view_put_breaking(&out, true, "1234567ñ9"));
	SHOWS("https://a&b", view_put_breaking(&out, false, "https://a&b"));
}

static void
test_addresses(void **state)
{
	(void)state;
	SHOWS("/a?b=1&amp;c=2", view_put_url(&out, "/a?b=1&c=2"));
	SHOWS("https://x.ec/", view_put_url(&out, "https://x.ec/"));
	SHOWS("#", view_put_url(&out, "javascript:alert(1)"));
	SHOWS("#", view_put_url(&out, "JavaScript:alert(1)"));
	SHOWS("#", view_put_url(&out, "//evil.example"));
	SHOWS("#", view_put_url(&out, "/\\evil.example"));
	SHOWS("#", view_put_url(&out, " /x"));
	SHOWS("#", view_put_url(&out, NULL));
	SHOWS("a%2Fb%20%C3%91%22%26", view_put_component(&out, "a/b Ñ\"&"));
	SHOWS("+59321234", view_put_tel(&out, "+593 (2) 1234\"><"));
}

static void
test_money(void **state)
{
	(void)state;
	SHOWS("0,00", view_put_money(&out, 0));
	SHOWS("0,05", view_put_money(&out, 5));
	SHOWS("25,30", view_put_money(&out, 2530));
	SHOWS("1.234.567,89", view_put_money(&out, 123456789));
	SHOWS("-999,01", view_put_money(&out, -99901));
}

/* 2026-11-23 20:00 UTC is 15:00 in Quito and 14:00 in Galápagos, a Monday. */
static void
test_moments(void **state)
{
	int64_t t = 1795464000;

	(void)state;
	SHOWS("lunes 23 de noviembre de 2026, 15:00 (hora de Ecuador continental)", view_put_moment(&out, t));
	SHOWS("lunes 23 de noviembre de 2026, 15:00 (hora de Ecuador continental); 14:00 (hora de Galápagos)",
	    view_put_both(&out, t));
	SHOWS("23/11/2026", view_put_date(&out, t));
	/* Four hours into the UTC day it is still the day before. */
	SHOWS("31/12/2027", view_put_date(&out, 1830297600 + 4 * 3600));
	SHOWS("23:59", view_put_hour(&out, 1830297600 + 5 * 3600 - 1));
	SHOWS("29/02/2028", view_put_date(&out, 1835449200));
	SHOWS("31/12/1969", view_put_date(&out, 0));
}

static void
test_catalogue(void **state)
{
	const char *pairs[] = { "who", "Ana", NULL };

	(void)state;
	assert_string_equal(catalogue("day.1"), "lunes");
	assert_null(catalogue("day.9"));
	assert_null(catalogue(NULL));
	SHOWS("lunes", view_put_say(&out, true, ((const char *const[]){ "day.", "1", NULL }), 2));
	SHOWS("x.&lt;1", view_put_say(&out, true, ((const char *const[]){ "x.", "<1", NULL }), 2));
	SHOWS("no.such", catalogue_put(&out, "no.such", pairs));
}

static const char *
nothing(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return NULL;
}

/* Every mail renders with no variable at all: NULL is empty, never a crash. */
static void
test_named(void **state)
{
	(void)state;
	assert_int_equal(view_render_named(&out, "mail/none", nothing, NULL), ICERT_E_NOT_FOUND);
	for (const struct view_named *v = view_named_table; v->name != NULL; v++) {
		buf_reset(&out);
		assert_int_equal(view_render_named(&out, v->name, nothing, NULL), 0);
		assert_int_equal(buf_error(&out), 0);
	}
}

static int
done(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_addresses), cmocka_unit_test(test_money),
		cmocka_unit_test(test_moments), cmocka_unit_test(test_catalogue), cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
