#include "libicert/pdf_read.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY 20		/* octets in a table (7.5.4) */
#define NUMBER_MAX 8388607	/* the largest object number (annex C) */

int
pdf_direct_number(const struct pdf_value *dict, const char *key, uint64_t max, uint64_t *out)
{
	struct pdf_value v;

	if (pdf_get(dict, key, &v) != 0)
		return ICERT_E_MALFORMED;
	if (v.type == PDF_NONE)
		return ICERT_E_NOT_FOUND;
	if (v.type != PDF_INTEGER || v.number < 0 || (uint64_t)v.number > max)
		return ICERT_E_MALFORMED;
	*out = (uint64_t)v.number;
	return 0;
}

static int
add_entry(struct pdf_entries *e, uint32_t number, uint32_t type, uint64_t where, uint32_t third)
{
	if (number > NUMBER_MAX)
		return ICERT_E_MALFORMED;
	if (e->n == e->room) {
		size_t room = e->room == 0 ? 64 : 2 * e->room;
		struct pdf_entry *more = realloc(e->entry, room * sizeof(*more));

		if (more == NULL)
			return ICERT_E_MEMORY;
		e->entry = more;
		e->room = room;
	}
	e->entry[e->n++] = (struct pdf_entry){ number, type, where, third };
	return e->n > 2 * PDF_OBJECTS ? ICERT_E_TOO_LARGE : 0;
}

static int
digits(const uint8_t *p, size_t n, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return ICERT_E_MALFORMED;
		*out = *out * 10 + (p[i] - (unsigned)'0');
	}
	return 0;
}

/* "oooooooooo ggggg n" and two octets of line end: some readers count octets, so each must be where it belongs. */
static int
table_entry(struct pdf_span *rest, uint32_t number, struct pdf_entries *e)
{
	const uint8_t *p = rest->p;
	uint64_t offset, generation;

	if (rest->len < ENTRY || digits(p, 10, &offset) != 0 || p[10] != ' ' || digits(p + 11, 5, &generation) != 0 ||
	    p[16] != ' ' || (p[17] != 'n' && p[17] != 'f') || generation > 65535)
		return ICERT_E_MALFORMED;
	if (!((p[18] == ' ' && (p[19] == '\r' || p[19] == '\n')) || (p[18] == '\r' && p[19] == '\n')))
		return ICERT_E_MALFORMED;
	rest->p += ENTRY;
	rest->len -= ENTRY;
	return add_entry(e, number, p[17] == 'n', offset, (uint32_t)generation);
}

int
pdf_xref_table(struct pdf_span *rest, struct pdf_entries *e, struct pdf_value *trailer)
{
	struct pdf_value first, count;
	int error = 0;

	for (;;) {
		if (pdf_next_token(rest, &first) != 0)
			return ICERT_E_MALFORMED;
		if (pdf_is_keyword(&first, "trailer"))
			break;
		if (first.type != PDF_INTEGER || pdf_next_token(rest, &count) != 0 || count.type != PDF_INTEGER ||
		    first.number < 0 || count.number < 0 || first.number > NUMBER_MAX || count.number > 2 * PDF_OBJECTS)
			return ICERT_E_MALFORMED;
		if (count.number > 0)
			pdf_skip(rest);
		for (int64_t i = 0; i < count.number; i++)
			if ((error = table_entry(rest, (uint32_t)(first.number + i), e)) != 0)
				return error;
	}
	if (pdf_next(rest, trailer) != 0 || trailer->type != PDF_DICT)
		return ICERT_E_MALFORMED;
	return pdf_check(trailer);
}

/* The three widths of an entry's fields (7.5.8.2). */
static int
widths(const struct pdf_value *dict, unsigned w[3])
{
	struct pdf_value array, v;
	struct pdf_span rest;

	if (pdf_get(dict, "W", &array) != 0 || array.type != PDF_ARRAY)
		return ICERT_E_MALFORMED;
	rest = array.in;
	for (int i = 0; i < 3; i++) {
		if (pdf_next(&rest, &v) != 0 || v.type != PDF_INTEGER || v.number < 0 || v.number > 8)
			return ICERT_E_MALFORMED;
		w[i] = (unsigned)v.number;
	}
	pdf_skip(&rest);
	return rest.len == 0 && w[1] > 0 ? 0 : ICERT_E_MALFORMED;
}

static uint64_t
field(const uint8_t **p, unsigned width, uint64_t absent)
{
	uint64_t v = 0;

	if (width == 0)
		return absent;
	for (unsigned i = 0; i < width; i++)
		v = v << 8 | *(*p)++;
	return v;
}

static int
stream_section(struct pdf_span *rows, const unsigned w[3], uint64_t first, uint64_t count, struct pdf_entries *e)
{
	size_t size = w[0] + w[1] + w[2];
	int error = 0;

	if (count > 2 * PDF_OBJECTS || rows->len / size < count)
		return ICERT_E_MALFORMED;
	for (uint64_t i = 0; i < count && error == 0; i++) {
		const uint8_t *p = rows->p;
		uint64_t type = field(&p, w[0], 1);
		uint64_t where = field(&p, w[1], 0);
		uint64_t third = field(&p, w[2], 0);

		if (type > 2 || third > UINT32_MAX)
			return ICERT_E_MALFORMED;
		error = add_entry(e, (uint32_t)(first + i), (uint32_t)type, where, (uint32_t)third);
		rows->p += size;
		rows->len -= size;
	}
	return error;
}

int
pdf_xref_stream(struct pdf_file *f, const struct pdf_object *o, struct pdf_entries *e)
{
	const struct pdf_value *dict = &o->value;
	struct pdf_value index, first, count;
	struct pdf_span rows, rest;
	unsigned w[3];
	uint64_t size;
	int error;

	if (widths(dict, w) != 0 || pdf_direct_number(dict, "Size", NUMBER_MAX, &size) != 0 || pdf_get(dict, "Index", &index) != 0)
		return ICERT_E_MALFORMED;
	if ((error = pdf_stream_decode(f, o, &rows)) != 0)
		return error;
	if (index.type == PDF_NONE)
		error = stream_section(&rows, w, 0, size, e);
	else if (index.type != PDF_ARRAY)
		return ICERT_E_MALFORMED;
	rest = index.in;
	while (index.type == PDF_ARRAY && error == 0) {
		if (pdf_next(&rest, &first) != 0)
			return ICERT_E_MALFORMED;
		if (first.type == PDF_NONE)
			break;
		if (first.type != PDF_INTEGER || first.number < 0 || first.number > NUMBER_MAX || pdf_next(&rest, &count) != 0 ||
		    count.type != PDF_INTEGER || count.number < 0)
			return ICERT_E_MALFORMED;
		error = stream_section(&rows, w, (uint64_t)first.number, (uint64_t)count.number, e);
	}
	if (error == 0 && rows.len != 0)
		error = ICERT_E_MALFORMED;
	return error;
}

/* "stream" has been taken: one line end, the octets, a line end, "endstream" (7.3.8). */
static int
take_stream(struct pdf_span *rest, struct pdf_object *o)
{
	struct pdf_value length, word;
	const uint8_t *end;
	size_t n;

	if (o->value.type != PDF_DICT || pdf_get(&o->value, "Length", &length) != 0)
		return ICERT_E_MALFORMED;
	if (rest->len >= 2 && rest->p[0] == '\r' && rest->p[1] == '\n')
		n = 2;
	else if (rest->len >= 1 && rest->p[0] == '\n')
		n = 1;
	else
		return ICERT_E_MALFORMED;
	o->stream.p = rest->p + n;
	if (length.type == PDF_INTEGER && length.number >= 0 && (uint64_t)length.number <= rest->len - n)
		o->stream.len = (size_t)length.number;
	else if (length.type == PDF_REF && (end = memmem(o->stream.p, rest->len - n, "endstream", 9)) != NULL)
		o->stream.len = (size_t)(end - o->stream.p);
	else
		return ICERT_E_MALFORMED;
	n += o->stream.len;
	rest->p += n;
	rest->len -= n;
	n = rest->len;
	while (rest->len > 0 && (*rest->p == '\r' || *rest->p == '\n') && n - rest->len < 2) {
		rest->p++;
		rest->len--;
	}
	if (rest->len == 0 || *rest->p != 'e' || pdf_next_token(rest, &word) != 0 || !pdf_is_keyword(&word, "endstream"))
		return ICERT_E_MALFORMED;
	return 0;
}

int
pdf_object_read(const struct pdf_file *f, struct pdf_span *rest, struct pdf_object *o)
{
	struct pdf_value number, generation, word;

	memset(o, 0, sizeof(*o));
	if (pdf_next_token(rest, &number) != 0 || number.type != PDF_INTEGER || number.number <= 0 ||
	    number.number > NUMBER_MAX || pdf_next_token(rest, &generation) != 0 || generation.type != PDF_INTEGER ||
	    generation.number < 0 || generation.number > 65535 || pdf_next_token(rest, &word) != 0 || !pdf_is_keyword(&word, "obj"))
		return ICERT_E_MALFORMED;
	o->number = (uint32_t)number.number;
	o->generation = (uint32_t)generation.number;
	o->at = (size_t)(number.all.p - f->data.p);
	if (pdf_next(rest, &o->value) != 0 || pdf_check(&o->value) != 0 || pdf_next_token(rest, &word) != 0)
		return ICERT_E_MALFORMED;
	if (pdf_is_keyword(&word, "stream") && (take_stream(rest, o) != 0 || pdf_next_token(rest, &word) != 0))
		return ICERT_E_MALFORMED;
	return pdf_is_keyword(&word, "endobj") ? 0 : ICERT_E_MALFORMED;
}

int
pdf_members_read(struct pdf_file *f, const struct pdf_object *container, struct pdf_object *objects, size_t *n)
{
	uint64_t count, first;
	struct pdf_span data, head;
	struct pdf_value number, offset;
	int error;

	if (container->stream.p == NULL || pdf_direct_number(&container->value, "N", PDF_OBJECTS, &count) != 0 ||
	    pdf_direct_number(&container->value, "First", PDF_INFLATED, &first) != 0)
		return ICERT_E_MALFORMED;
	if ((error = pdf_stream_decode(f, container, &data)) != 0)
		return error;
	if (first > data.len)
		return ICERT_E_MALFORMED;
	head = (struct pdf_span){ data.p, (size_t)first };
	for (uint64_t i = 0; i < count; i++) {
		struct pdf_object *o = &objects[*n];
		struct pdf_span body;

		if (*n == PDF_OBJECTS)
			return ICERT_E_TOO_LARGE;
		if (pdf_next_token(&head, &number) != 0 || pdf_next_token(&head, &offset) != 0 || number.type != PDF_INTEGER ||
		    offset.type != PDF_INTEGER || number.number <= 0 || number.number > NUMBER_MAX || offset.number < 0 ||
		    (uint64_t)offset.number > data.len - first)
			return ICERT_E_MALFORMED;
		memset(o, 0, sizeof(*o));
		o->number = (uint32_t)number.number;
		o->container = container->number;
		o->index = (uint32_t)i;
		body = (struct pdf_span){ data.p + first + offset.number, data.len - first - (size_t)offset.number };
		if (pdf_next(&body, &o->value) != 0 || pdf_check(&o->value) != 0)
			return ICERT_E_MALFORMED;
		(*n)++;
	}
	pdf_skip(&head);
	return head.len == 0 ? 0 : ICERT_E_MALFORMED;
}
