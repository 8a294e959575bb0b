#include "checker/printed_font.h"

#include <string.h>

/* The parts of a ToUnicode that are read. */
enum part { NOWHERE, CHARS, RANGES };

struct reading {
	struct printed_font *font;
	enum part part;
	int listed;		/* within "[ … ]": what each code of the range is, one by one */
	unsigned operand[3];
	int n;
};

int
printed_nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Codes from…to are the characters from `first` on: what of them are digits, or the blank. */
static void
add(struct printed_font *f, unsigned from, unsigned to, unsigned first)
{
	static const struct { unsigned from, to; } wanted[] = { { '0', '9' }, { ' ', ' ' } };

	for (size_t i = 0; i < 2; i++) {
		unsigned low = first, high = first + (to - from);

		if (low < wanted[i].from)
			low = wanted[i].from;
		if (high > wanted[i].to)
			high = wanted[i].to;
		if (from > to || to > UINT16_MAX || first > UINT16_MAX || low > high || f->n == PRINTED_RUNS)
			continue;
		f->run[f->n].from = (uint16_t)(from + (low - first));
		f->run[f->n].to = (uint16_t)(from + (high - first));
		f->run[f->n++].first = (char)low;
	}
}

/* One "<…>": digits is how many it had. */
static void
operand(struct reading *r, unsigned value, size_t digits)
{
	if (r->part == NOWHERE)
		return;
	if (r->listed) {
		/* A ligature is several characters: no digit. */
		if (r->n == 2 && digits <= 4)
			add(r->font, r->operand[0], r->operand[0], value);
		r->operand[0]++;
		return;
	}
	r->operand[r->n++] = digits <= 4 ? value : UINT16_MAX + 1u;
	if (r->n == (r->part == CHARS ? 2 : 3)) {
		add(r->font, r->operand[0], r->part == CHARS ? r->operand[0] : r->operand[1], r->operand[r->n - 1]);
		r->n = 0;
	}
}

static void
word(struct reading *r, const uint8_t *p, size_t n)
{
	static const struct { const char *name; enum part part; } words[] = {
		{ "beginbfchar", CHARS }, { "beginbfrange", RANGES }, { "endbfchar", NOWHERE }, { "endbfrange", NOWHERE },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strlen(words[i].name) == n && memcmp(words[i].name, p, n) == 0) {
			r->part = words[i].part;
			r->n = r->listed = 0;
		}
}

static int
is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* After "<"; where it ends. */
static size_t
take_hex(struct reading *r, const uint8_t *p, size_t i, size_t len)
{
	unsigned value = 0;
	size_t digits = 0;
	int v;

	for (; i < len && p[i] != '>'; i++)
		if ((v = printed_nibble(p[i])) >= 0) {
			value = digits < 4 ? value * 16 + (unsigned)v : value;
			digits++;
		}
	operand(r, value, digits);
	return i < len ? i + 1 : i;
}

void
printed_font_read(struct printed_font *f, const uint8_t *p, size_t len)
{
	struct reading r = { .font = f };
	size_t i = 0, start;

	f->n = 0;
	while (i < len) {
		uint8_t c = p[i++];

		if (c == '<' && i < len && p[i] == '<')
			i++;
		else if (c == '<')
			i = take_hex(&r, p, i, len);
		else if (c == '[' || c == ']') {
			r.listed = c == '[' && r.part == RANGES;
			if (c == ']')
				r.n = 0;
		} else if (is_letter(c)) {
			start = i - 1;
			while (i < len && is_letter(p[i]))
				i++;
			word(&r, p + start, i - start);
		}
	}
}

char
printed_font_char(const struct printed_font *f, unsigned code)
{
	for (size_t i = 0; i < f->n; i++)
		if (code >= f->run[i].from && code <= f->run[i].to)
			return (char)(f->run[i].first + (int)(code - f->run[i].from));
	return '\0';
}

const struct printed_font *
printed_font_find(const struct printed_fonts *fonts, const char *name, size_t n)
{
	for (size_t i = 0; fonts != NULL && i < fonts->n; i++)
		if (strlen(fonts->font[i].name) == n && memcmp(fonts->font[i].name, name, n) == 0)
			return &fonts->font[i];
	return NULL;
}
