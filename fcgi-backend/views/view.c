#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "views/view.h"

bool
view_true(const char *s)
{
	return s != NULL && *s != '\0';
}

bool
view_equal(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

int64_t
view_parse_number(const char *s)
{
	return s != NULL ? strtoll(s, NULL, 10) : 0;
}

bool
view_parse_flag(const char *s)
{
	return s != NULL && (strcmp(s, "1") == 0 || strcmp(s, "true") == 0);
}

void
view_put(struct buf *out, const char *s, size_t n)
{
	buf_put(out, s, n);
}

void
view_put_plain(struct buf *out, const char *s)
{
	if (s != NULL)
		buf_puts(out, s);
}

static const char *
entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void
view_put_text(struct buf *out, const char *s)
{
	if (s == NULL)
		return;
	while (*s != '\0') {
		size_t n = strcspn(s, "&<>\"'");

		buf_put(out, s, n);
		s += n;
		if (*s != '\0')
			buf_puts(out, entity(*s++));
	}
}

/* A path of this site, a fragment, a query, or an address of a scheme that runs nothing. */
static bool
url_safe(const char *s)
{
	static const char *const schemes[] = { "https://", "http://", "tel:", "mailto:" };

	/* A browser drops tabs and line ends: "/", tab, "/host" would lead away from this site. */
	for (const char *c = s; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20)
			return false;
	if (s[0] == '/')
		return s[1] != '/' && s[1] != '\\';
	if (s[0] == '#' || s[0] == '?')
		return true;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(s, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

void
view_put_url(struct buf *out, const char *s)
{
	view_put_text(out, s != NULL && url_safe(s) ? s : "#");
}

void
view_put_component(struct buf *out, const char *s)
{
	static const char safe[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; s != NULL && *s != '\0'; s++) {
		if (strchr(safe, *s) != NULL)
			buf_putc(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

void
view_put_tel(struct buf *out, const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		if (strchr("+0123456789", *s) != NULL)
			buf_putc(out, *s);
}

void
view_put_number(struct buf *out, int64_t n)
{
	buf_printf(out, "%lld", (long long)n);
}

void
view_put_money(struct buf *out, int64_t cents)
{
	char digits[32];
	uint64_t units;
	int len, i;

	if (cents < 0)
		buf_putc(out, '-');
	units = cents < 0 ? -(uint64_t)cents : (uint64_t)cents;
	len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)(units / 100));
	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf_putc(out, '.');
		buf_putc(out, digits[i]);
	}
	buf_printf(out, ",%02u", (unsigned)(units % 100));
}

void
view_put_lines(struct buf *out, bool html, const char *s)
{
	if (!html) {
		view_put_plain(out, s);
		return;
	}
	for (; s != NULL && *s != '\0'; s++) {
		char one[2] = { *s, '\0' };

		if (*s == '\n')
			buf_puts(out, "<br>");
		else if (*s != '\r')
			view_put_text(out, one);
	}
}

#define BREAKING 8	/* octets between two places where it may break */

void
view_put_breaking(struct buf *out, bool html, const char *s)
{
	size_t n = 0;

	if (!html) {
		view_put_plain(out, s);
		return;
	}
	for (; s != NULL && *s != '\0'; s++, n++) {
		char one[2] = { *s, '\0' };

		/* Not within a character of several octets. */
		if (n >= BREAKING && ((unsigned char)*s & 0xc0) != 0x80) {
			buf_puts(out, "<wbr>");
			n = 0;
		}
		view_put_text(out, one);
	}
}

static int
entry_order(const void *key, const void *entry)
{
	return strcmp(key, ((const struct catalogue_entry *)entry)->code);
}

const char *
catalogue(const char *code)
{
	const struct catalogue_entry *found;

	if (code == NULL || catalogue_size == 0)
		return NULL;
	found = bsearch(code, catalogue_table, catalogue_size, sizeof(catalogue_table[0]), entry_order);
	return found != NULL ? found->text : NULL;
}

void
catalogue_put(struct buf *out, const char *code, const char *const *pairs)
{
	const char *s = catalogue(code);

	if (s == NULL) {
		buf_puts(out, code != NULL ? code : "");
		return;
	}
	while (*s != '\0') {
		const char *end = *s == '{' ? strchr(s, '}') : NULL;
		const char *const *p = pairs;

		while (end != NULL && p != NULL && *p != NULL) {
			size_t n = strlen(*p);

			if ((size_t)(end - s - 1) == n && strncmp(s + 1, *p, n) == 0)
				break;
			p += 2;
		}
		if (end != NULL && p != NULL && *p != NULL) {
			buf_puts(out, p[1] != NULL ? p[1] : "");
			s = end + 1;
		} else {
			size_t n = 1 + strcspn(s + 1, "{");

			buf_put(out, s, n);
			s += n;
		}
	}
}

/* A code without a sentence is shown as it is: visible, and never a crash. */
void
view_put_say(struct buf *out, bool html, const char *const *parts, size_t n)
{
	char code[128] = "";
	size_t used = 0;
	const char *text;

	for (size_t i = 0; i < n; i++) {
		size_t len = parts[i] != NULL ? strlen(parts[i]) : 0;

		if (len >= sizeof(code) - used)
			return;
		memcpy(code + used, parts[i] != NULL ? parts[i] : "", len + (len == 0));
		used += len;
		code[used] = '\0';
	}
	text = catalogue(code);
	if (html)
		view_put_text(out, text != NULL ? text : code);
	else
		view_put_plain(out, text != NULL ? text : code);
}

int
view_render_named(struct buf *out, const char *name, view_lookup get, void *ctx)
{
	for (const struct view_named *v = view_named_table; v->name != NULL; v++) {
		if (strcmp(v->name, name) == 0) {
			v->render(out, get, ctx);
			return 0;
		}
	}
	return ICERT_E_NOT_FOUND;
}
