#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/cookie.h"
#include "libicert/form.h"
#include "libicert/utf8.h"

/* The fields as "name=value;" text, or the error. */
static int
form_text(const char *body, unsigned max, char *out, size_t size)
{
	char			copy[256];
	struct form		f;
	struct form_field	field;
	size_t			n = 0;
	int			rc;

	strcpy(copy, body);
	out[0] = '\0';
	form_init(&f, copy, strlen(copy), max);
	while ((rc = form_next(&f, &field)) == 1) {
		assert_int_equal(strlen(field.name), field.name_len);
		assert_int_equal(strlen(field.value), field.value_len);
		n += (size_t)snprintf(out + n, size - n, "%s=%s;", field.name, field.value);
	}
	return rc;
}

static void
test_form(void **state)
{
	static const struct {
		const char	*body;
		int		 rc;
		const char	*fields;
	} cases[] = {
		{ "", 0, "" },
		{ "a=1", 0, "a=1;" },
		{ "a=1&b=2", 0, "a=1;b=2;" },
		{ "a=1&a=2", 0, "a=1;a=2;" },
		{ "a", 0, "a=;" },
		{ "a=", 0, "a=;" },
		{ "=a", 0, "=a;" },
		{ "&&a=1&&", 0, "a=1;" },
		{ "a=b=c", 0, "a=b=c;" },
		{ "nombre=Mar%C3%ADa+%C3%91a%C3%B1%C3%A9", 0, "nombre=Mar\303\255a \303\221a\303\261\303\251;" },
		{ "a%3Db=%26%2b", 0, "a=b=&+;" },
		{ "a=%", ICERT_E_MALFORMED, "" },
		{ "a=%4", ICERT_E_MALFORMED, "" },
		{ "a=%4g", ICERT_E_MALFORMED, "" },
		{ "a=%00", ICERT_E_MALFORMED, "" },
		{ "a=%C3", ICERT_E_MALFORMED, "" },
		{ "a=%ED%A0%80", ICERT_E_MALFORMED, "" },
		{ "%ff=1", ICERT_E_MALFORMED, "" },
		{ "a=1&b=2&c=3&d=4", ICERT_E_TOO_LARGE, "a=1;b=2;c=3;" },
	};
	char	out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (form_text(cases[i].body, 3, out, sizeof(out)) != cases[i].rc)
			fail_msg("%s", cases[i].body);
		assert_string_equal(out, cases[i].fields);
	}
}

static void
test_cookie_find(void **state)
{
	static const struct {
		const char	*header;
		const char	*value;	/* NULL: none */
	} cases[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "s=1", "1" },
		{ "a=2; s=1", "1" },
		{ "a=2;s=1;b=3", "1" },
		{ "xs=1", NULL },
		{ "a=s=1", NULL },
		{ "S=1", NULL },
		{ "s=", "" },
		{ "s", NULL },
		{ "s=\"1\"", "1" },
		{ "s=1 ; a=2", "1" },
		{ "s=1; s=2", "1" },
		{ "s=a b", NULL },
		{ "s=a\"b", NULL },
	};
	const char	*value;
	size_t		 len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int	found = cookie_find(cases[i].header, "s", &value, &len);

		if (found != (cases[i].value != NULL))
			fail_msg("%s", cases[i].header);
		if (found) {
			assert_int_equal(len, strlen(cases[i].value));
			assert_memory_equal(value, cases[i].value, len);
		}
	}
}

static void
test_cookie_format(void **state)
{
	char		out[128];
	struct cookie	c = { "__Host-s", "abc", "/", -1, COOKIE_STRICT };

	(void)state;
	assert_true(cookie_format(out, sizeof(out), &c) > 0);
	assert_string_equal(out, "__Host-s=abc; Path=/; Secure; HttpOnly; SameSite=Strict");
	c.max_age = 0;
	c.value = "";
	c.same_site = COOKIE_LAX;
	assert_true(cookie_format(out, sizeof(out), &c) > 0);
	assert_string_equal(out, "__Host-s=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
	assert_int_equal(cookie_format(out, 20, &c), ICERT_E_TOO_LARGE);
	c.path = "/x";
	assert_int_equal(cookie_format(out, sizeof(out), &c), ICERT_E_INVALID);
	c.path = "/";
	c.value = "a; Domain=evil.example";
	assert_int_equal(cookie_format(out, sizeof(out), &c), ICERT_E_INVALID);
	c.value = "a\r\nSet-Cookie: b=c";
	assert_int_equal(cookie_format(out, sizeof(out), &c), ICERT_E_INVALID);
	c.value = "";
	c.name = "a=b";
	assert_int_equal(cookie_format(out, sizeof(out), &c), ICERT_E_INVALID);
}

static void
test_utf8(void **state)
{
	(void)state;
	assert_true(utf8_valid("a\303\261\342\202\254\360\237\230\200", 10));
	assert_false(utf8_valid("\300\257", 2));		/* overlong */
	assert_false(utf8_valid("\340\200\257", 3));
	assert_false(utf8_valid("\355\240\200", 3));		/* surrogate */
	assert_false(utf8_valid("\364\220\200\200", 4));	/* above U+10FFFF */
	assert_false(utf8_valid("\303", 1));
	assert_false(utf8_valid("\200", 1));
	assert_true(utf8_text("a\tb\r\n", 5));
	assert_false(utf8_text("a\033b", 3));
	assert_false(utf8_printable("a\tb", 3));
	assert_false(utf8_printable("\302\205", 2));
	assert_int_equal(utf8_length("\303\221a", 3), 2);
	assert_int_equal(utf8_prefix("a\303\261", 3, 2), 1);
	assert_int_equal(utf8_prefix("a\303\261", 3, 3), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_cookie_find),
		cmocka_unit_test(test_cookie_format),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
