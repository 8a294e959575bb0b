#include "checker/printed.h"

#include <stdlib.h>
#include <string.h>

#include <qpdf/qpdf-c.h>

#define PAGES 3		/* an invoice prints its key on the first; a cover may stand before */

/* The digits that follow one another in what is shown: a key may be shown in several pieces, with white space between. */
struct run {
	char digits[ACCESS_KEY_DIGITS + 1];	/* the last ones */
	size_t n;
	struct check *out;
};

static void
add(struct check *out, const char *key)
{
	for (size_t i = 0; i < out->n_printed; i++)
		if (strcmp(out->printed[i], key) == 0)
			return;
	if (out->n_printed < CHECK_PRINTED)
		strcpy(out->printed[out->n_printed++], key);
}

static void
take(struct run *r, uint8_t c)
{
	struct access_key key;

	if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xa0)
		return;
	if (c < '0' || c > '9') {
		r->n = 0;
		return;
	}
	if (r->n == ACCESS_KEY_DIGITS)
		memmove(r->digits, r->digits + 1, --r->n);
	r->digits[r->n++] = (char)c;
	r->digits[r->n] = '\0';
	if (r->n == ACCESS_KEY_DIGITS && access_key_read(&key, r->digits) == 0)
		add(r->out, r->digits);
}

/* "\" and what follows it (7.3.4.2); where it ends. */
static size_t
take_escaped(struct run *r, const uint8_t *p, size_t i, size_t len)
{
	unsigned value = 0;
	size_t n = 0;

	if (i == len || p[i] == '\n' || p[i] == '\r')	/* the line goes on */
		return i == len ? i : i + 1;
	while (n < 3 && i + n < len && p[i + n] >= '0' && p[i + n] <= '7')
		value = value * 8 + (p[i + n++] - '0');
	if (n == 0)
		take(r, strchr("nrt", p[i]) != NULL && p[i] != '\0' ? ' ' : p[i]);
	else
		take(r, (uint8_t)value);
	return i + (n != 0 ? n : 1);
}

/* After "("; where it ends. */
static size_t
take_literal(struct run *r, const uint8_t *p, size_t i, size_t len)
{
	int depth = 1;

	while (i < len) {
		uint8_t c = p[i++];

		if (c == '\\') {
			i = take_escaped(r, p, i, len);
			continue;
		}
		depth += c == '(' ? 1 : c == ')' ? -1 : 0;
		if (depth == 0)
			break;
		take(r, c);
	}
	return i;
}

static int
nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "<"; where it ends.  The last digit may be left out. */
static size_t
take_hex(struct run *r, const uint8_t *p, size_t i, size_t len)
{
	int half = -1;

	for (; i < len && p[i] != '>'; i++) {
		int v = nibble(p[i]);

		if (v >= 0 && half >= 0)
			take(r, (uint8_t)(half * 16 + v));
		if (v >= 0)
			half = half >= 0 ? -1 : v;
	}
	if (half >= 0)
		take(r, (uint8_t)(half * 16));
	return i < len ? i + 1 : i;
}

void
printed_scan(const uint8_t *p, size_t len, struct check *out)
{
	struct run r = { .n = 0, .out = out };
	size_t i = 0;

	while (i < len) {
		uint8_t c = p[i++];

		if (c == '(')
			i = take_literal(&r, p, i, len);
		else if (c == '<' && i < len && p[i] == '<')
			i++;
		else if (c == '<')
			i = take_hex(&r, p, i, len);
		else if (c == '%')
			while (i < len && p[i] != '\n' && p[i] != '\r')
				i++;
	}
}

void
printed_look(const uint8_t *data, size_t len, struct check *out)
{
	qpdf_data pdf = qpdf_init();
	unsigned char *content;
	size_t size;

	qpdf_set_suppress_warnings(pdf, QPDF_TRUE);
	qpdf_silence_errors(pdf);
	if ((qpdf_read_memory(pdf, "file", (const char *)data, len, NULL) & QPDF_ERRORS) == 0) {
		int n = qpdf_get_num_pages(pdf);

		for (int i = 0; i < n && i < PAGES; i++) {
			qpdf_oh page = qpdf_get_page_n(pdf, (size_t)i);

			content = NULL;
			size = 0;
			if ((qpdf_oh_get_page_content_data(pdf, page, &content, &size) & QPDF_ERRORS) == 0 && content != NULL)
				printed_scan(content, size, out);
			free(content);
			qpdf_oh_release(pdf, page);
		}
	}
	qpdf_cleanup(&pdf);
}
