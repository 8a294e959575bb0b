/* mail/letter: every template has its subject, text and HTML, and shows what it was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/error.h"
#include "mail/letter.h"

static const struct outbox_variable all[] = {
	{ "number", "17-2026-000123-4" }, { "code", "482913" }, { "until", "1795464000" }, { "container", "file" },
	{ "kind", "new" }, { "years", "2" }, { "total", "3105" }, { "currency", "USD" }, { "reasons", "uno <b>\ndos & tres" },
	{ "start", "1795464000" }, { "end", "1795465800" }, { "mode", "video" }, { "telephone", "(02) 200-0017" },
	{ "province", "Pichincha" }, { "contract", "C-2026-000001-4" }, { "serial", "0123456789abcdef" },
};

static struct letter_variables *
variables(void)
{
	struct letter_variables *out = NULL;
	struct buf json = BUF_INIT;

	assert_int_equal(letter_variables_pack(all, sizeof(all) / sizeof(all[0]), &json), 0);
	assert_int_equal(letter_variables_open(json.p, json.len, &out), 0);
	assert_int_equal(letter_variables_set(out, "link", "https://localhost:8443/enlace/abc"), 0);
	buf_free(&json);
	return out;
}

static void
every_template(void **state)
{
	struct letter_variables *v = variables();
	struct letter letter;
	int t;

	(void)state;
	for (t = 1; t < MAIL_TEMPLATES; t++) {
		assert_int_equal(mail_template_find(mail_template_name((enum mail_template)t)), t);
		assert_int_equal(letter_compose((enum mail_template)t, letter_variables_get, v, &letter), 0);
		assert_true(strlen(letter.subject) > 8 && strpbrk(letter.subject, "\r\n{") == NULL);
		/* nothing of the case in a subject */
		assert_null(strstr(letter.subject, "17-2026"));
		assert_true(letter.text.len > 40);
		assert_non_null(strstr(buf_str(&letter.html), "<html lang=\"es-EC\">"));
		assert_null(strstr(buf_str(&letter.html), "<script"));
		if (t != MAIL_CODE && t != MAIL_STAFF_BREAKER && t != MAIL_STAFF_JOURNAL)
			assert_non_null(strstr(buf_str(&letter.text), "17-2026-000123-4"));
		letter_free(&letter);
	}
	assert_int_equal(letter_compose(MAIL_TEMPLATES, letter_variables_get, v, &letter), ICERT_E_NOT_FOUND);
	assert_int_equal(mail_template_find("no such"), 0);
	letter_variables_free(v);
}

static void
values(void **state)
{
	struct letter_variables *v = variables();
	struct letter letter;

	(void)state;
	assert_int_equal(letter_compose(MAIL_CODE, letter_variables_get, v, &letter), 0);
	assert_non_null(strstr(buf_str(&letter.text), "482913"));
	letter_free(&letter);
	assert_int_equal(letter_compose(MAIL_ORDER_CREATED, letter_variables_get, v, &letter), 0);
	assert_non_null(strstr(buf_str(&letter.text), "USD 31,05"));
	assert_non_null(strstr(buf_str(&letter.text), "https://localhost:8443/enlace/abc"));
	assert_non_null(strstr(buf_str(&letter.html), "href=\"https://localhost:8443/enlace/abc\""));
	letter_free(&letter);
	assert_int_equal(letter_compose(MAIL_TO_MEND, letter_variables_get, v, &letter), 0);
	assert_non_null(strstr(buf_str(&letter.text), "uno <b>\ndos & tres"));
	assert_null(strstr(buf_str(&letter.html), "<b>"));
	letter_free(&letter);
	assert_int_equal(letter_compose(MAIL_SLOT_CONFIRMED, letter_variables_get, v, &letter), 0);
	assert_non_null(strstr(buf_str(&letter.text), "lunes 23 de noviembre de 2026, 15:00"));
	letter_free(&letter);
	letter_variables_free(v);
}

static void
packed_badly(void **state)
{
	const struct outbox_variable bad[] = { { "name", "\xff\xfe" } };
	struct letter_variables *v;
	struct buf json = BUF_INIT;

	(void)state;
	assert_int_equal(letter_variables_pack(bad, 1, &json), ICERT_E_INVALID);
	assert_int_equal(letter_variables_open("[]", 2, &v), ICERT_E_MALFORMED);
	assert_int_equal(letter_variables_open("{", 1, &v), ICERT_E_MALFORMED);
	assert_int_equal(letter_variables_open("", 0, &v), 0);
	assert_null(letter_variables_get(v, "number"));
	letter_variables_free(v);
	buf_free(&json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_template),
		cmocka_unit_test(values),
		cmocka_unit_test(packed_badly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
