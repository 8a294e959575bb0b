#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/multipart.h"

/* What a body means, as text: "name|file name|data" a part, "." for the end. */
struct trace {
	char	text[8192];
	size_t	len;
};

static void
trace_put(struct trace *t, const void *p, size_t len)
{
	assert_true(t->len + len < sizeof(t->text));
	memcpy(t->text + t->len, p, len);
	t->len += len;
	t->text[t->len] = '\0';
}

static int
trace_event(void *arg, const struct multipart_event *e)
{
	struct trace	*t = arg;

	switch (e->kind) {
	case MULTIPART_PART:
		assert_int_equal(strlen(e->name), e->name_len);
		trace_put(t, e->name, e->name_len);
		trace_put(t, "|", 1);
		if (e->file_name != NULL)
			trace_put(t, e->file_name, e->file_name_len);
		else
			trace_put(t, "-", 1);
		trace_put(t, "|", 1);
		break;
	case MULTIPART_DATA:
		assert_int_not_equal(e->len, 0);
		trace_put(t, e->data, e->len);
		break;
	case MULTIPART_PART_END:
		trace_put(t, "\n", 1);
		break;
	case MULTIPART_END:
		trace_put(t, ".", 1);
		break;
	}
	return 0;
}

#define CD "Content-Disposition: form-data; "
#define FIELD(name) "--B\r\n" CD "name=\"" name "\"\r\n\r\n"
#define END "\r\n--B--\r\n"
#define REFUSED(word) NULL, word

static const struct corpus {
	const char	*title;
	const char	*body;
	const char	*expected;	/* NULL: refused */
	const char	*why;
} corpus[] = {
	{ "one field", FIELD("a") "1" END, "a|-|1\n.", NULL },
	{ "two fields", FIELD("a") "1\r\n" FIELD("b") "2" END, "a|-|1\nb|-|2\n.", NULL },
	{ "empty value", FIELD("a") END, "a|-|\n.", NULL },
	{ "a file", "--B\r\n" CD "name=\"f\"; filename=\"x.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF" END,
	    "f|x.pdf|%PDF\n.", NULL },
	{ "a file not chosen", "--B\r\n" CD "name=\"f\"; filename=\"\"\r\n\r\n" END, "f||\n.", NULL },
	{ "no parts", "--B--\r\n", ".", NULL },
	{ "closing delimiter without CRLF", FIELD("a") "1\r\n--B--", "a|-|1\n.", NULL },
	{ "CR inside data stays", FIELD("a") "1\r2\r\r\n3" END, "a|-|1\r2\r\r\n3\n.", NULL },
	{ "LF alone begins no line", FIELD("a") "1\n--B--\r\n" END, "a|-|1\n--B--\r\n\n.", NULL },
	{ "almost the delimiter", FIELD("a") "\r\n--\r\n-\r\n--A" END, "a|-|\r\n--\r\n-\r\n--A\n.", NULL },
	{ "CR directly before the delimiter", FIELD("a") "1\r" END, "a|-|1\r\n.", NULL },
	{ "boundary in mid-line", FIELD("a") "x--B--" END, "a|-|x--B--\n.", NULL },
	{ "header names in any case", "--B\r\ncONTENT-dISPOSITION:form-data;NAME=a\r\n\r\n1" END, "a|-|1\n.", NULL },
	{ "token values", "--B\r\n" CD "name=a; filename=b.pdf\r\n\r\n1" END, "a|b.pdf|1\n.", NULL },
	{ "quoted escapes", "--B\r\n" CD "name=\"a\\\"b\\\\c\"\r\n\r\n1" END, "a\"b\\c|-|1\n.", NULL },
	{ "filename= inside another value", "--B\r\n" CD "name=\"x; filename=y.exe\"\r\n\r\n1" END,
	    "x; filename=y.exe|-|1\n.", NULL },
	{ "UTF-8 names", "--B\r\n" CD "name=\"a\"; filename=\"C\303\251dula \303\221.pdf\"\r\n\r\n1" END,
	    "a|C\303\251dula \303\221.pdf|1\n.", NULL },
	{ "unknown header", "--B\r\nX-Thing: y\r\n" CD "name=\"a\"\r\n\r\n1" END, "a|-|1\n.", NULL },
	{ "unknown parameter", "--B\r\n" CD "size=3; name=\"a\"\r\n\r\n1" END, "a|-|1\n.", NULL },
	{ "encoding 8bit", "--B\r\n" CD "name=\"a\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n1" END, "a|-|1\n.", NULL },

	{ "nothing", "", REFUSED("truncated") },
	{ "preamble", "hello\r\n" FIELD("a") "1" END, REFUSED("first_delimiter") },
	{ "a line before the first delimiter", "\r\n" FIELD("a") "1" END, REFUSED("first_delimiter") },
	{ "another boundary", "--A\r\n" CD "name=\"a\"\r\n\r\n1\r\n--A--\r\n", REFUSED("first_delimiter") },
	{ "boundary only a prefix", FIELD("a") "1\r\n--BX\r\n" END, REFUSED("delimiter") },
	{ "space behind the boundary", FIELD("a") "1\r\n--B \r\n" END, REFUSED("delimiter") },
	{ "LF ends the delimiter line", "--B\n" CD "name=\"a\"\n\n1\n--B--\n", REFUSED("delimiter") },
	{ "one dash", FIELD("a") "1\r\n--B-\r\n", REFUSED("delimiter") },
	{ "junk behind the end", FIELD("a") "1" END "x", REFUSED("epilogue") },
	{ "second CRLF behind the end", FIELD("a") "1" END "\r\n", REFUSED("epilogue") },
	{ "cut in data", FIELD("a") "1", REFUSED("truncated") },
	{ "cut in a header", "--B\r\nContent-Disp", REFUSED("truncated") },
	{ "cut in the delimiter", FIELD("a") "1\r\n--B", REFUSED("truncated") },
	{ "cut behind the closing CR", FIELD("a") "1\r\n--B--\r", REFUSED("truncated") },
	{ "no headers", "--B\r\n\r\n1" END, REFUSED("no_disposition") },
	{ "no disposition", "--B\r\nContent-Type: text/plain\r\n\r\n1" END, REFUSED("no_disposition") },
	{ "two dispositions", "--B\r\n" CD "name=\"a\"\r\n" CD "name=\"b\"\r\n\r\n1" END, REFUSED("disposition_twice") },
	{ "attachment", "--B\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1" END, REFUSED("disposition") },
	{ "no name", "--B\r\n" CD "filename=\"a\"\r\n\r\n1" END, REFUSED("no_name") },
	{ "empty name", "--B\r\n" CD "name=\"\"\r\n\r\n1" END, REFUSED("name") },
	{ "two names", "--B\r\n" CD "name=\"a\"; name=\"b\"\r\n\r\n1" END, REFUSED("name_twice") },
	{ "two file names", "--B\r\n" CD "name=\"a\"; filename=\"b\"; filename=\"c\"\r\n\r\n1" END, REFUSED("file_name_twice") },
	{ "filename*", "--B\r\n" CD "name=\"a\"; filename*=UTF-8''b\r\n\r\n1" END, REFUSED("parameter_star") },
	{ "quote not closed", "--B\r\n" CD "name=\"a\r\n\r\n1" END, REFUSED("disposition") },
	{ "escape at the end", "--B\r\n" CD "name=\"a\\\r\n\r\n1" END, REFUSED("disposition") },
	{ "junk behind a quote", "--B\r\n" CD "name=\"a\"b\r\n\r\n1" END, REFUSED("disposition") },
	{ "semicolon and nothing", "--B\r\n" CD "name=\"a\";\r\n\r\n1" END, REFUSED("disposition") },
	{ "control octet in a name", "--B\r\n" CD "name=\"a\x01\"\r\n\r\n1" END, REFUSED("header_octet") },
	{ "C1 control in a name", "--B\r\n" CD "name=\"a\xc2\x85\"\r\n\r\n1" END, REFUSED("name") },
	{ "Latin-1 in a file name", "--B\r\n" CD "name=\"a\"; filename=\"\xe9.pdf\"\r\n\r\n1" END, REFUSED("file_name") },
	{ "overlong UTF-8", "--B\r\n" CD "name=\"\xc0\xaf\"\r\n\r\n1" END, REFUSED("name") },
	{ "folded header", "--B\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\n1" END, REFUSED("disposition") },
	{ "folded line alone", "--B\r\n" CD "name=\"a\"\r\n x\r\n\r\n1" END, REFUSED("header_name") },
	{ "space before the colon", "--B\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\n1" END, REFUSED("header_name") },
	{ "header without colon", "--B\r\nContent\r\n\r\n1" END, REFUSED("header_name") },
	{ "CR inside a header", "--B\r\n" CD "name=\"a\r\"\r\n\r\n1" END, REFUSED("header_octet") },
	{ "LF ends a header", "--B\r\n" CD "name=\"a\"\n\r\n1" END, REFUSED("header_octet") },
	{ "two types", "--B\r\n" CD "name=\"a\"\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n\r\n1" END, REFUSED("type_twice") },
	{ "base64", "--B\r\n" CD "name=\"a\"\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==" END, REFUSED("encoding") },
};

static int
run(const char *body, size_t len, size_t first, size_t step, struct trace *t, const char **why)
{
	struct multipart	m;
	size_t			at = 0, n = first;

	t->len = 0;
	t->text[0] = '\0';
	multipart_init(&m, "B", 1, trace_event, t);
	while (at < len) {
		if (n > len - at)
			n = len - at;
		if (multipart_feed(&m, body + at, n) != 0)
			break;
		at += n;
		n = step;
	}
	multipart_finish(&m);
	*why = m.why;
	return m.result;
}

static void
test_corpus(void **state)
{
	static struct trace	 t;
	const char		*why;

	(void)state;
	for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
		const struct corpus	*c = &corpus[i];
		int			 rc;

		rc = run(c->body, strlen(c->body), SIZE_MAX, SIZE_MAX, &t, &why);
		if (c->expected != NULL) {
			if (rc != 0)
				fail_msg("%s: refused: %s", c->title, why);
			assert_string_equal(t.text, c->expected);
		} else {
			if (rc == 0)
				fail_msg("%s: accepted as %s", c->title, t.text);
			if (strcmp(why, c->why) != 0)
				fail_msg("%s: %s, not %s", c->title, why, c->why);
		}
	}
}

/* Whatever the cut, the same events and the same word. */
static void
test_every_split(void **state)
{
	static struct trace	 whole, cut;
	const char		*why, *why_cut;

	(void)state;
	for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
		const char	*body = corpus[i].body;
		size_t		 len = strlen(body);
		int		 rc = run(body, len, SIZE_MAX, SIZE_MAX, &whole, &why);

		for (size_t first = 1; first <= len; first++)
			for (size_t step = 1; step <= 3; step++) {
				assert_int_equal(run(body, len, first, step, &cut, &why_cut), rc);
				assert_string_equal(cut.text, whole.text);
				assert_ptr_equal(why, why_cut);
			}
	}
}

static void
test_limits(void **state)
{
	static struct trace	 t;
	static char		 body[4096];
	const char		*why;
	size_t			 n;

	(void)state;
	memset(body, 0, sizeof(body));
	n = (size_t)snprintf(body, sizeof(body), "--B\r\n" CD "name=\"");
	memset(body + n, 'a', MULTIPART_NAME_MAX);
	strcpy(body + n + MULTIPART_NAME_MAX, "\"\r\n\r\n1" END);
	assert_int_equal(run(body, strlen(body), SIZE_MAX, 1, &t, &why), 0);
	body[n + MULTIPART_NAME_MAX] = 'a';
	strcpy(body + n + MULTIPART_NAME_MAX + 1, "\"\r\n\r\n1" END);
	assert_int_equal(run(body, strlen(body), SIZE_MAX, 1, &t, &why), ICERT_E_TOO_LARGE);
	assert_string_equal(why, "name");

	n = (size_t)snprintf(body, sizeof(body), "--B\r\nX: ");
	memset(body + n, 'a', MULTIPART_LINE_MAX);
	assert_int_equal(run(body, n + MULTIPART_LINE_MAX, SIZE_MAX, 1, &t, &why), ICERT_E_TOO_LARGE);
	assert_string_equal(why, "header_line");

	strcpy(body, "--B\r\n");
	for (int i = 0; i <= MULTIPART_HEADERS_MAX; i++)
		strcat(body, "X: y\r\n");
	assert_int_equal(run(body, strlen(body), SIZE_MAX, 1, &t, &why), ICERT_E_TOO_LARGE);
	assert_string_equal(why, "headers");
}

/* NUL is data in a value and an error in a header. */
static void
test_nul(void **state)
{
	static const char	 good[] = FIELD("a") "1\0" "2" END;
	static const char	 bad[] = "--B\r\n" CD "name=\"a\0b\"\r\n\r\n1" END;
	static struct trace	 t;
	const char		*why;

	(void)state;
	assert_int_equal(run(good, sizeof(good) - 1, SIZE_MAX, 1, &t, &why), 0);
	assert_int_equal(t.len, 4 + 3 + 2);
	assert_memory_equal(t.text, "a|-|1\0002\n.", t.len);
	assert_int_not_equal(run(bad, sizeof(bad) - 1, SIZE_MAX, 1, &t, &why), 0);
	assert_string_equal(why, "header_octet");
}

static int
stop_event(void *arg, const struct multipart_event *e)
{
	(void)e;
	++*(int *)arg;
	return 413;
}

static void
test_handler_stops(void **state)
{
	struct multipart	m;
	const char		body[] = FIELD("a") "1" END;
	int			calls = 0;

	(void)state;
	multipart_init(&m, "B", 1, stop_event, &calls);
	assert_int_equal(multipart_feed(&m, body, sizeof(body) - 1), 413);
	assert_int_equal(multipart_feed(&m, body, sizeof(body) - 1), 413);
	assert_int_equal(multipart_finish(&m), 413);
	assert_int_equal(calls, 1);
}

static void
test_boundary(void **state)
{
	static const struct {
		const char	*type;
		int		 rc;
		const char	*boundary;
	} cases[] = {
		{ "multipart/form-data; boundary=abc", 1, "abc" },
		{ "Multipart/Form-Data;boundary=\"a b\"", 1, "a b" },
		{ "multipart/form-data; charset=utf-8; boundary=----=_Part.1", 1, "----=_Part.1" },
		{ "multipart/form-data; BOUNDARY=X ", 1, "X" },
		{ "multipart/form-data; boundary="
		  "1234567890123456789012345678901234567890123456789012345678901234567890", 1,
		  "1234567890123456789012345678901234567890123456789012345678901234567890" },
		{ "multipart/form-data; boundary="
		  "12345678901234567890123456789012345678901234567890123456789012345678901", -1, NULL },
		{ "multipart/form-data", -1, NULL },
		{ "multipart/form-data; boundary=", -1, NULL },
		{ "multipart/form-data; boundary=\"\"", -1, NULL },
		{ "multipart/form-data; boundary=\"a \"", -1, NULL },
		{ "multipart/form-data; boundary=\"a;b\"", -1, NULL },
		{ "multipart/form-data; boundary=a; boundary=a", -1, NULL },
		{ "multipart/form-data; boundary=a b", -1, NULL },
		{ "multipart/form-data; xboundary=a", -1, NULL },
		{ "multipart/form-datax; boundary=a", 0, NULL },
		{ "multipart/mixed; boundary=a", 0, NULL },
		{ "application/x-www-form-urlencoded", 0, NULL },
		{ "", 0, NULL },
	};
	char	boundary[MULTIPART_BOUNDARY_MAX + 1];
	size_t	len;
	int	rc;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rc = multipart_boundary(cases[i].type, strlen(cases[i].type), boundary, &len);
		if ((rc > 0) - (rc < 0) != cases[i].rc)
			fail_msg("%s: %d", cases[i].type, rc);
		if (rc == 1) {
			assert_string_equal(boundary, cases[i].boundary);
			assert_int_equal(len, strlen(boundary));
		}
	}
}

static void
test_clean_name(void **state)
{
	static const char	*const cases[][2] = {
		{ "a.pdf", "a.pdf" },
		{ "C:\\Users\\x\\c\303\251dula.pdf", "c\303\251dula.pdf" },
		{ "../../etc/passwd", "passwd" },
		{ "..", "" },
		{ ".hidden. ", "hidden" },
		{ "*.pdf", "pdf" },
		{ "a<b>\"c\"|d?*.png", "abcd.png" },
		{ "", "" },
		{ "x/", "" },
	};
	char	out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(multipart_clean_name(cases[i][0], strlen(cases[i][0]), out, 63),
		    strlen(cases[i][1]));
		assert_string_equal(out, cases[i][1]);
	}
	/* Never half a code point. */
	assert_int_equal(multipart_clean_name("a\xc3\xb1", 3, out, 2), 1);
	assert_string_equal(out, "a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_handler_stops),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_clean_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
