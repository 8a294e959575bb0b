#include "checker/printed.h"

#include <stdlib.h>
#include <string.h>

#include <qpdf/qpdf-c.h>

#define PAGES 3		/* an invoice prints its key on the first; a cover may stand before */
#define ABOVE 8		/* nodes of the page tree */

/* The digits that follow one another in what is shown: a key may be shown in several pieces, with white space between. */
struct run {
	char digits[ACCESS_KEY_DIGITS + 1];	/* the last ones */
	size_t n;
	struct check *out;
	const struct printed_font *font;	/* NULL: its codes are characters */
	int half;				/* first octet of a code of two; -1 none */
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

/* An octet of a string, in the font at hand. */
static void
take_octet(struct run *r, uint8_t c)
{
	if (r->font == NULL)
		take(r, c);
	else if (!r->font->wide)
		take(r, (uint8_t)printed_font_char(r->font, c));
	else if (r->half < 0)
		r->half = c;
	else {
		take(r, (uint8_t)printed_font_char(r->font, (unsigned)r->half << 8 | c));
		r->half = -1;
	}
}

/* "\" and what follows it (7.3.4.2); where it ends. */
static size_t
take_escaped(struct run *r, const uint8_t *p, size_t i, size_t len)
{
	static const char escaped[] = "nrtbf", meant[] = "\n\r\t\b\f";
	const char *known;
	unsigned value = 0;
	size_t n = 0;

	if (i == len || p[i] == '\n' || p[i] == '\r')	/* the line goes on */
		return i == len ? i : i + 1;
	while (n < 3 && i + n < len && p[i + n] >= '0' && p[i + n] <= '7')
		value = value * 8 + (p[i + n++] - '0');
	known = n == 0 && p[i] != '\0' ? strchr(escaped, p[i]) : NULL;
	take_octet(r, n != 0 ? (uint8_t)value : known != NULL ? (uint8_t)meant[known - escaped] : p[i]);
	return i + (n != 0 ? n : 1);
}

/* After "("; where it ends. */
static size_t
take_literal(struct run *r, const uint8_t *p, size_t i, size_t len)
{
	int depth = 1;

	r->half = -1;
	while (i < len) {
		uint8_t c = p[i++];

		if (c == '\\') {
			i = take_escaped(r, p, i, len);
			continue;
		}
		depth += c == '(' ? 1 : c == ')' ? -1 : 0;
		if (depth == 0)
			break;
		take_octet(r, c);
	}
	return i;
}

/* After "<"; where it ends.  The last digit may be left out. */
static size_t
take_hex(struct run *r, const uint8_t *p, size_t i, size_t len)
{
	int half = -1;

	r->half = -1;
	for (; i < len && p[i] != '>'; i++) {
		int v = printed_nibble(p[i]);

		if (v >= 0 && half >= 0)
			take_octet(r, (uint8_t)(half * 16 + v));
		if (v >= 0)
			half = half >= 0 ? -1 : v;
	}
	if (half >= 0)
		take_octet(r, (uint8_t)(half * 16));
	return i < len ? i + 1 : i;
}

static int
is_regular(uint8_t c)
{
	return c > ' ' && memchr("()<>[]{}/%", c, 10) == NULL;
}

void
printed_scan(const uint8_t *p, size_t len, const struct printed_fonts *fonts, struct check *out)
{
	struct run r = { .n = 0, .out = out, .half = -1 };
	const char *name = "";
	size_t i = 0, start, n = 0;

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
		else if (c == '/' || is_regular(c)) {
			start = i - 1;
			while (i < len && is_regular(p[i]))
				i++;
			if (c == '/') {
				name = (const char *)p + start;
				n = i - start;
			} else if (i - start == 2 && memcmp(p + start, "Tf", 2) == 0)
				r.font = printed_font_find(fonts, name, n);
		}
	}
}

/* What a page draws with: its own, or what it has from above (7.7.3.4).  To be released. */
static qpdf_oh
resources_of(qpdf_data pdf, qpdf_oh page)
{
	qpdf_oh at = qpdf_oh_new_object(pdf, page), found = qpdf_oh_get_key(pdf, at, "/Resources");

	for (int depth = 0; depth < ABOVE && !qpdf_oh_is_dictionary(pdf, found); depth++) {
		qpdf_oh above = qpdf_oh_get_key(pdf, at, "/Parent");

		qpdf_oh_release(pdf, at);
		at = above;
		if (!qpdf_oh_is_dictionary(pdf, at))
			break;
		qpdf_oh_release(pdf, found);
		found = qpdf_oh_get_key(pdf, at, "/Resources");
	}
	qpdf_oh_release(pdf, at);
	return found;
}

/* The names first: there is one iterator for the whole document. */
static void
name_fonts(qpdf_data pdf, qpdf_oh dict, struct printed_fonts *fonts)
{
	fonts->n = 0;
	qpdf_oh_begin_dict_key_iter(pdf, dict);
	while (qpdf_oh_dict_more_keys(pdf)) {
		const char *key = qpdf_oh_dict_next_key(pdf);

		if (fonts->n < PRINTED_FONTS && strlen(key) < sizeof fonts->font[0].name)
			strcpy(fonts->font[fonts->n++].name, key);
	}
}

static int
is_composite(qpdf_data pdf, qpdf_oh font)
{
	qpdf_oh kind = qpdf_oh_get_key(pdf, font, "/Subtype");
	int composite = qpdf_oh_is_name_and_equals(pdf, kind, "/Type0");

	qpdf_oh_release(pdf, kind);
	return composite;
}

static void
read_fonts(qpdf_data pdf, qpdf_oh page, struct printed_fonts *fonts)
{
	qpdf_oh resources = resources_of(pdf, page);
	qpdf_oh dict = qpdf_oh_is_dictionary(pdf, resources) ? qpdf_oh_get_key(pdf, resources, "/Font") : qpdf_oh_new_null(pdf);
	size_t told = 0;

	fonts->n = 0;
	if (qpdf_oh_is_dictionary(pdf, dict))
		name_fonts(pdf, dict, fonts);
	for (size_t i = 0; i < fonts->n; i++) {
		qpdf_oh font = qpdf_oh_get_key(pdf, dict, fonts->font[i].name);
		qpdf_oh says = qpdf_oh_is_dictionary(pdf, font) ? qpdf_oh_get_key(pdf, font, "/ToUnicode") : qpdf_oh_new_null(pdf);
		unsigned char *cmap = NULL;
		size_t size = 0;

		if (qpdf_oh_is_stream(pdf, says) &&
		    (qpdf_oh_get_stream_data(pdf, says, qpdf_dl_generalized, NULL, &cmap, &size) & QPDF_ERRORS) == 0 && cmap != NULL) {
			fonts->font[told] = fonts->font[i];
			fonts->font[told].wide = is_composite(pdf, font);
			printed_font_read(&fonts->font[told++], cmap, size);
		}
		free(cmap);
		qpdf_oh_release(pdf, says);
		qpdf_oh_release(pdf, font);
	}
	fonts->n = told;
	qpdf_oh_release(pdf, dict);
	qpdf_oh_release(pdf, resources);
}

static void
look_at_page(qpdf_data pdf, qpdf_oh page, struct check *out)
{
	struct printed_fonts fonts;
	unsigned char *content = NULL;
	size_t size = 0;

	read_fonts(pdf, page, &fonts);
	if ((qpdf_oh_get_page_content_data(pdf, page, &content, &size) & QPDF_ERRORS) == 0 && content != NULL)
		printed_scan(content, size, &fonts, out);
	free(content);
}

void
printed_look(const uint8_t *data, size_t len, struct check *out)
{
	qpdf_data pdf = qpdf_init();

	qpdf_set_suppress_warnings(pdf, QPDF_TRUE);
	qpdf_silence_errors(pdf);
	if ((qpdf_read_memory(pdf, "file", (const char *)data, len, NULL) & QPDF_ERRORS) == 0) {
		int n = qpdf_get_num_pages(pdf);

		for (int i = 0; i < n && i < PAGES; i++) {
			qpdf_oh page = qpdf_get_page_n(pdf, (size_t)i);

			look_at_page(pdf, page, out);
			qpdf_oh_release(pdf, page);
		}
	}
	qpdf_cleanup(&pdf);
}
