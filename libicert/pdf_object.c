#include "libicert/pdf_object.h"

#include "libicert/error.h"

#include <string.h>

#define DIGITS_MAX 15		/* of an integer: no overflow */
#define KEYS_MAX 256		/* of one dictionary */

static int
is_space(uint8_t c)
{
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

static int
is_delimiter(uint8_t c)
{
	return c == '(' || c == ')' || c == '<' || c == '>' || c == '[' || c == ']' || c == '{' || c == '}' || c == '/' ||
	    c == '%';
}

static int
is_regular(uint8_t c)
{
	return !is_space(c) && !is_delimiter(c);
}

static int
is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static unsigned
hex(uint8_t c)
{
	return c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u;
}

static void
advance(struct pdf_span *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

void
pdf_skip(struct pdf_span *rest)
{
	while (rest->len > 0) {
		if (is_space(*rest->p))
			advance(rest, 1);
		else if (*rest->p == '%')
			while (rest->len > 0 && *rest->p != '\n' && *rest->p != '\r')
				advance(rest, 1);
		else
			return;
	}
}

/* Both brackets of a literal string are counted; a backslash takes the next octet with it. */
static int
take_string(struct pdf_span *rest, struct pdf_value *out)
{
	size_t depth = 0;

	for (size_t i = 0; i < rest->len; i++) {
		if (rest->p[i] == '\\')
			i++;
		else if (rest->p[i] == '(')
			depth++;
		else if (rest->p[i] == ')' && --depth == 0) {
			out->type = PDF_STRING;
			out->in = (struct pdf_span){ rest->p + 1, i - 1 };
			advance(rest, i + 1);
			return 0;
		}
	}
	return ICERT_E_MALFORMED;
}

static int
take_hex(struct pdf_span *rest, struct pdf_value *out)
{
	size_t i = 1;

	while (i < rest->len && (is_hex(rest->p[i]) || is_space(rest->p[i])))
		i++;
	if (i == rest->len || rest->p[i] != '>')
		return ICERT_E_MALFORMED;
	out->type = PDF_HEX;
	out->in = (struct pdf_span){ rest->p + 1, i - 1 };
	advance(rest, i + 1);
	return 0;
}

static int
take_name(struct pdf_span *rest, struct pdf_value *out)
{
	size_t i = 1;

	for (; i < rest->len && is_regular(rest->p[i]); i++)
		if (rest->p[i] == '#' && (rest->len - i < 3 || !is_hex(rest->p[i + 1]) || !is_hex(rest->p[i + 2])))
			return ICERT_E_MALFORMED;
	out->type = PDF_NAME;
	out->in = (struct pdf_span){ rest->p + 1, i - 1 };
	advance(rest, i);
	return 0;
}

/* Numbers (7.3.3) and words. */
static int
take_word(struct pdf_span *rest, struct pdf_value *out)
{
	size_t n = 0;
	size_t digits = 0;
	size_t points = 0;
	size_t sign;

	while (n < rest->len && is_regular(rest->p[n]))
		n++;
	if (n == 0)
		return ICERT_E_MALFORMED;
	sign = rest->p[0] == '+' || rest->p[0] == '-';
	for (size_t i = sign; i < n; i++) {
		digits += rest->p[i] >= '0' && rest->p[i] <= '9';
		points += rest->p[i] == '.';
	}
	out->in = (struct pdf_span){ rest->p, n };
	out->type = PDF_KEYWORD;
	if (digits > 0 && digits + points + sign == n && points <= 1) {
		if (digits > DIGITS_MAX)
			return ICERT_E_MALFORMED;
		out->type = points == 0 ? PDF_INTEGER : PDF_REAL;
		for (size_t i = sign; points == 0 && i < n; i++)
			out->number = out->number * 10 + (rest->p[i] - '0');
		if (rest->p[0] == '-')
			out->number = -out->number;
	} else if (n == 4 && memcmp(rest->p, "null", 4) == 0)
		out->type = PDF_NULL;
	else if ((n == 4 && memcmp(rest->p, "true", 4) == 0) || (n == 5 && memcmp(rest->p, "false", 5) == 0)) {
		out->type = PDF_BOOL;
		out->number = n == 4;
	}
	advance(rest, n);
	return 0;
}

static int
take_scalar(struct pdf_span *rest, struct pdf_value *out)
{
	switch (rest->p[0]) {
	case '(':
		return take_string(rest, out);
	case '<':
		return take_hex(rest, out);
	case '/':
		return take_name(rest, out);
	default:
		return take_word(rest, out);
	}
}

/* 2 for << and >>, 1 for [ and ], 0 for the start of anything else. */
static size_t
bracket(const struct pdf_span *s, uint8_t array, uint8_t dict)
{
	if (s->len >= 1 && s->p[0] == array)
		return 1;
	return s->len >= 2 && s->p[0] == dict && s->p[1] == dict ? 2 : 0;
}

/* An array or a dictionary, up to its own closing bracket: the open ones are kept as bits. */
static int
take_container(struct pdf_span *rest, struct pdf_value *out)
{
	const uint8_t *start = rest->p;
	struct pdf_value inner;
	uint64_t dicts = 0;
	unsigned depth = 0;
	size_t n;

	out->type = rest->p[0] == '[' ? PDF_ARRAY : PDF_DICT;
	do {
		pdf_skip(rest);
		if (rest->len == 0)
			return ICERT_E_MALFORMED;
		if ((n = bracket(rest, '[', '<')) != 0) {
			if (++depth > PDF_DEPTH)
				return ICERT_E_MALFORMED;
			dicts = dicts << 1 | (n == 2);
			advance(rest, n);
		} else if ((n = bracket(rest, ']', '>')) != 0) {
			if ((dicts & 1) != (n == 2))
				return ICERT_E_MALFORMED;
			dicts >>= 1;
			depth--;
			advance(rest, n);
		} else {
			memset(&inner, 0, sizeof(inner));
			if (take_scalar(rest, &inner) != 0)
				return ICERT_E_MALFORMED;
		}
	} while (depth > 0);
	n = out->type == PDF_DICT ? 2 : 1;
	out->in = (struct pdf_span){ start + n, (size_t)(rest->p - start) - 2 * n };
	return 0;
}

int
pdf_next_token(struct pdf_span *rest, struct pdf_value *out)
{
	const uint8_t *start;
	int error;

	memset(out, 0, sizeof(*out));
	pdf_skip(rest);
	if (rest->len == 0)
		return 0;
	start = rest->p;
	error = bracket(rest, '[', '<') != 0 ? take_container(rest, out) : take_scalar(rest, out);
	out->all = (struct pdf_span){ start, (size_t)(rest->p - start) };
	return error;
}

int
pdf_next(struct pdf_span *rest, struct pdf_value *out)
{
	struct pdf_value generation, r;
	struct pdf_span ahead;
	int error = pdf_next_token(rest, out);

	if (error != 0 || out->type != PDF_INTEGER || out->number < 0)
		return error;
	ahead = *rest;
	if (pdf_next_token(&ahead, &generation) != 0 || generation.type != PDF_INTEGER || pdf_next_token(&ahead, &r) != 0 ||
	    !pdf_is_keyword(&r, "R"))
		return 0;
	if (out->number == 0 || out->number > UINT32_MAX || generation.number < 0 || generation.number > 65535)
		return ICERT_E_MALFORMED;
	out->type = PDF_REF;
	out->generation = (uint32_t)generation.number;
	out->all.len = (size_t)(ahead.p - out->all.p);
	out->in = out->all;
	*rest = ahead;
	return 0;
}

/* The next octet of a name, decoded. */
static uint8_t
name_octet(struct pdf_span *name)
{
	uint8_t c = name->p[0];

	if (c == '#') {
		c = (uint8_t)(hex(name->p[1]) << 4 | hex(name->p[2]));
		advance(name, 2);
	}
	advance(name, 1);
	return c;
}

static int
same_name(struct pdf_span a, struct pdf_span b)
{
	while (a.len > 0 && b.len > 0)
		if (name_octet(&a) != name_octet(&b))
			return 0;
	return a.len == b.len;
}

int
pdf_is_name(const struct pdf_value *v, const char *name)
{
	struct pdf_span wanted = { (const uint8_t *)name, strlen(name) };

	return v->type == PDF_NAME && same_name(v->in, wanted);
}

int
pdf_is_keyword(const struct pdf_value *v, const char *word)
{
	return v->type == PDF_KEYWORD && v->in.len == strlen(word) && memcmp(v->in.p, word, v->in.len) == 0;
}

int
pdf_pair(struct pdf_span *rest, struct pdf_value *key, struct pdf_value *value)
{
	if (pdf_next(rest, key) != 0)
		return ICERT_E_MALFORMED;
	if (key->type == PDF_NONE)
		return 0;
	if (key->type != PDF_NAME || pdf_next(rest, value) != 0 || value->type == PDF_NONE || value->type == PDF_KEYWORD)
		return ICERT_E_MALFORMED;
	return 0;
}

/* The keys are gathered first: no value is read more than once a level. */
static int
check_dict(const struct pdf_value *dict)
{
	struct pdf_span rest = dict->in;
	struct pdf_span keys[KEYS_MAX];
	struct pdf_value key, value;
	size_t n = 0;

	for (;;) {
		if (pdf_pair(&rest, &key, &value) != 0)
			return ICERT_E_MALFORMED;
		if (key.type == PDF_NONE)
			return 0;
		if (n == KEYS_MAX || pdf_check(&value) != 0)
			return ICERT_E_MALFORMED;
		for (size_t i = 0; i < n; i++)
			if (same_name(keys[i], key.in))
				return ICERT_E_MALFORMED;
		keys[n++] = key.in;
	}
}

int
pdf_check(const struct pdf_value *v)
{
	struct pdf_span rest = v->in;
	struct pdf_value item;

	if (v->type == PDF_DICT)
		return check_dict(v);
	if (v->type != PDF_ARRAY)
		return v->type == PDF_KEYWORD || v->type == PDF_NONE ? ICERT_E_MALFORMED : 0;
	for (;;) {
		if (pdf_next(&rest, &item) != 0)
			return ICERT_E_MALFORMED;
		if (item.type == PDF_NONE)
			return 0;
		if (pdf_check(&item) != 0)
			return ICERT_E_MALFORMED;
	}
}

int
pdf_get(const struct pdf_value *dict, const char *key, struct pdf_value *out)
{
	struct pdf_span rest = dict->in;
	struct pdf_value k;

	memset(out, 0, sizeof(*out));
	if (dict->type != PDF_DICT)
		return ICERT_E_MALFORMED;
	for (;;) {
		if (pdf_pair(&rest, &k, out) != 0)
			return ICERT_E_MALFORMED;
		if (k.type == PDF_NONE) {
			memset(out, 0, sizeof(*out));
			return 0;
		}
		if (pdf_is_name(&k, key))
			return 0;
	}
}

/* Containers are opened, so that white space in them does not count. */
static int
same_token(struct pdf_span *a, struct pdf_span *b)
{
	size_t n, m;
	struct pdf_value va, vb;

	if ((n = bracket(a, '[', '<')) != 0 || (n = bracket(a, ']', '>')) != 0) {
		if ((m = bracket(b, '[', '<')) == 0)
			m = bracket(b, ']', '>');
		if (n != m || memcmp(a->p, b->p, n) != 0)
			return 0;
		advance(a, n);
		advance(b, n);
		return 1;
	}
	memset(&va, 0, sizeof(va));
	memset(&vb, 0, sizeof(vb));
	if (bracket(b, '[', '<') != 0 || bracket(b, ']', '>') != 0 || take_scalar(a, &va) != 0 || take_scalar(b, &vb) != 0)
		return 0;
	return va.type == vb.type && va.in.len == vb.in.len && memcmp(va.in.p, vb.in.p, va.in.len) == 0;
}

int
pdf_same(const struct pdf_span *one, const struct pdf_span *two)
{
	struct pdf_span a = *one;
	struct pdf_span b = *two;

	for (;;) {
		pdf_skip(&a);
		pdf_skip(&b);
		if (a.len == 0 || b.len == 0)
			return a.len == b.len;
		if (!same_token(&a, &b))
			return 0;
	}
}
