#include "libicert/pdf_file.h"

#include "libicert/error.h"
#include "libicert/pdf_read.h"

#include <stdlib.h>
#include <string.h>

#define TAIL 1024		/* where the first revision's startxref stands */
#define EOF_MARK "%%EOF"

static int
by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct pdf_object *)a)->number;
	uint32_t y = ((const struct pdf_object *)b)->number;

	return (x > y) - (x < y);
}

static struct pdf_object *
find_in(const struct pdf_revision *r, uint32_t number)
{
	struct pdf_object key = { .number = number };

	return r->n == 0 ? NULL : bsearch(&key, r->objects, r->n, sizeof(key), by_number);
}

/* By number, each once. */
static int
sort_objects(struct pdf_revision *r)
{
	qsort(r->objects, r->n, sizeof(*r->objects), by_number);
	for (size_t i = 1; i < r->n; i++)
		if (r->objects[i].number == r->objects[i - 1].number)
			return ICERT_E_MALFORMED;
	return 0;
}

/* White space and comments between objects; a comment that looks like a start or an end of a file is neither. */
static int
skip_between(struct pdf_span *rest)
{
	for (;;) {
		struct pdf_span here = *rest;

		while (here.len > 0 && memchr("\t\n\f\r ", *here.p, 6) != NULL) {
			here.p++;
			here.len--;
		}
		*rest = here;
		if (here.len == 0 || *here.p != '%')
			return 0;
		if (here.len >= 5 && (memcmp(here.p, EOF_MARK, 5) == 0 || memcmp(here.p, "%PDF-", 5) == 0))
			return ICERT_E_MALFORMED;
		while (rest->len > 0 && *rest->p != '\n' && *rest->p != '\r') {
			rest->p++;
			rest->len--;
		}
	}
}

/* "startxref", a number, the end-of-file marker with its line end. */
static int
take_end(struct pdf_span *rest, struct pdf_revision *r)
{
	struct pdf_value word, number;

	if (skip_between(rest) != 0 || pdf_next_token(rest, &word) != 0 || !pdf_is_keyword(&word, "startxref") ||
	    pdf_next_token(rest, &number) != 0 || number.type != PDF_INTEGER || number.number < 0)
		return ICERT_E_MALFORMED;
	while (rest->len > 0 && (*rest->p == '\r' || *rest->p == '\n' || *rest->p == ' ')) {
		rest->p++;
		rest->len--;
	}
	if (rest->len < 5 || memcmp(rest->p, EOF_MARK, 5) != 0)
		return ICERT_E_MALFORMED;
	rest->p += 5;
	rest->len -= 5;
	r->mark = rest->p;
	for (const char *c = "\r\n"; *c != 0; c++)
		if (rest->len > 0 && *rest->p == (uint8_t)*c) {
			rest->p++;
			rest->len--;
		}
	r->xref = (size_t)number.number;
	return 0;
}

static int
check_trailer(const struct pdf_revision *r, const struct pdf_revision *before)
{
	struct pdf_value v;
	uint64_t prev = 0;
	uint64_t size = 0;
	int error = pdf_direct_number(&r->trailer, "Prev", SIZE_MAX >> 1, &prev);

	if (before == NULL ? error != ICERT_E_NOT_FOUND : error != 0 || prev != before->xref)
		return ICERT_E_MALFORMED;
	if (pdf_get(&r->trailer, "Encrypt", &v) != 0 || v.type != PDF_NONE)
		return ICERT_E_DENIED;
	if (pdf_get(&r->trailer, "XRefStm", &v) != 0 || v.type != PDF_NONE)
		return ICERT_E_UNSUPPORTED;
	if (pdf_get(&r->trailer, "Root", &v) != 0 || v.type != PDF_REF)
		return ICERT_E_MALFORMED;
	/* What is not below Size does not exist for some readers. */
	if (pdf_direct_number(&r->trailer, "Size", UINT32_MAX, &size) != 0 || (r->n > 0 && r->objects[r->n - 1].number >= size))
		return ICERT_E_MALFORMED;
	return 0;
}

/* --- our own first revision: the cross-reference leads to the objects --- */

static int
first_objects(struct pdf_file *f, struct pdf_revision *r, const struct pdf_entries *e)
{
	int error = 0;

	for (size_t i = 0; i < e->n && error == 0; i++) {
		struct pdf_span at;

		if (e->entry[i].type != 1)
			continue;
		if (r->n == PDF_OBJECTS)
			return ICERT_E_TOO_LARGE;
		if (e->entry[i].where >= r->end)
			return ICERT_E_MALFORMED;
		at = (struct pdf_span){ f->data.p + e->entry[i].where, r->end - (size_t)e->entry[i].where };
		error = pdf_object_read(f, &at, &r->objects[r->n]);
		if (error == 0 && r->objects[r->n].number != e->entry[i].number)
			error = ICERT_E_MALFORMED;
		r->n++;
	}
	for (size_t i = 0, top = r->n; i < top && error == 0; i++) {
		struct pdf_value type;

		if (r->objects[i].stream.p != NULL && pdf_get(&r->objects[i].value, "Type", &type) == 0 && pdf_is_name(&type, "ObjStm"))
			error = pdf_members_read(f, &r->objects[i], r->objects, &r->n);
	}
	return error != 0 ? error : sort_objects(r);
}

static int
read_first(struct pdf_file *f, struct pdf_revision *r, size_t len, struct pdf_entries *e)
{
	struct pdf_span rest = { f->data.p, len };
	struct pdf_object section;
	struct pdf_value word;
	size_t tail = len < TAIL ? len : TAIL;
	const uint8_t *found = NULL;
	const uint8_t *p = f->data.p + len - tail;
	int error;

	while ((p = memmem(p, (size_t)(f->data.p + len - p), "startxref", 9)) != NULL)
		found = p++;
	r->end = len;
	if (found == NULL)
		return ICERT_E_MALFORMED;
	rest = (struct pdf_span){ found, (size_t)(f->data.p + len - found) };
	if (take_end(&rest, r) != 0 || rest.len != 0 || r->xref >= len)
		return ICERT_E_MALFORMED;
	rest = (struct pdf_span){ f->data.p + r->xref, len - r->xref };
	if (rest.len > 4 && memcmp(rest.p, "xref", 4) == 0) {
		pdf_next_token(&rest, &word);
		error = pdf_xref_table(&rest, e, &r->trailer);
	} else if ((error = pdf_object_read(f, &rest, &section)) == 0) {
		r->is_stream = 1;
		r->xref_number = section.number;
		r->trailer = section.value;
		error = pdf_xref_stream(f, &section, e);
	}
	if (error == 0)
		error = first_objects(f, r, e);
	return error;
}

/* --- later revisions: every octet is accounted for, and the cross-reference must agree --- */

/* Objects up to the cross-reference, which is read; rest stands before startxref. */
static int
scan_objects(struct pdf_file *f, struct pdf_revision *r, struct pdf_span *rest, struct pdf_entries *e, size_t *section)
{
	for (;;) {
		struct pdf_span here;
		struct pdf_object *o = &r->objects[r->n];
		struct pdf_value v;
		int error;

		if (skip_between(rest) != 0)
			return ICERT_E_MALFORMED;
		here = *rest;
		if (pdf_next_token(&here, &v) != 0)
			return ICERT_E_MALFORMED;
		*section = (size_t)(rest->p - f->data.p);
		if (pdf_is_keyword(&v, "xref")) {
			*rest = here;
			return pdf_xref_table(rest, e, &r->trailer);
		}
		if (r->n == PDF_OBJECTS)
			return ICERT_E_TOO_LARGE;
		if ((error = pdf_object_read(f, rest, o)) != 0)
			return error;
		r->n++;
		if (o->stream.p != NULL && pdf_get(&o->value, "Type", &v) == 0 && pdf_is_name(&v, "XRef")) {
			r->is_stream = 1;
			r->xref_number = o->number;
			r->trailer = o->value;
			return pdf_xref_stream(f, o, e);
		}
	}
}

/* Every entry leads to an object of this revision, and every object has its entry. */
static int
agree(const struct pdf_revision *r, const struct pdf_entries *e)
{
	size_t listed = 0;
	int itself = 0;

	for (size_t i = 0; i < e->n; i++) {
		const struct pdf_entry *entry = &e->entry[i];
		const struct pdf_object *o = find_in(r, entry->number);

		if (entry->type == 0) {
			if (entry->number != 0)
				return ICERT_E_MALFORMED;
			continue;
		}
		if (o == NULL)
			return ICERT_E_MALFORMED;
		if (entry->type == 1 ? o->container != 0 || o->at != entry->where || o->generation != entry->third :
		    o->container == 0 || o->container != entry->where || o->index != entry->third)
			return ICERT_E_MALFORMED;
		if (r->is_stream && entry->number == r->xref_number)
			itself = 1;
		listed++;
		for (size_t j = i + 1; j < e->n && e->entry[j].number <= entry->number; j++)
			return ICERT_E_MALFORMED;
	}
	return listed + (r->is_stream && !itself) == r->n ? 0 : ICERT_E_MALFORMED;
}

static int
by_entry_number(const void *a, const void *b)
{
	uint32_t x = ((const struct pdf_entry *)a)->number;
	uint32_t y = ((const struct pdf_entry *)b)->number;

	return (x > y) - (x < y);
}

static int
read_update(struct pdf_file *f, struct pdf_revision *r, const struct pdf_revision *before, struct pdf_entries *e)
{
	struct pdf_span rest = { f->data.p + r->start, f->data.len - r->start };
	size_t section = 0;
	int error = scan_objects(f, r, &rest, e, &section);

	if (error == 0)
		error = take_end(&rest, r);
	if (error == 0 && r->xref != section)
		error = ICERT_E_MALFORMED;
	r->end = (size_t)(rest.p - f->data.p);
	for (size_t i = 0, top = r->n; i < top && error == 0; i++) {
		struct pdf_value v;

		if (r->objects[i].stream.p == NULL || pdf_get(&r->objects[i].value, "Type", &v) != 0 || !pdf_is_name(&v, "ObjStm"))
			continue;
		if (pdf_get(&r->objects[i].value, "Extends", &v) != 0 || v.type != PDF_NONE)
			return ICERT_E_UNSUPPORTED;
		error = pdf_members_read(f, &r->objects[i], r->objects, &r->n);
	}
	if (error == 0)
		error = sort_objects(r);
	if (error != 0)
		return error;
	if (e->n > 0)
		qsort(e->entry, e->n, sizeof(*e->entry), by_entry_number);
	if ((error = agree(r, e)) != 0)
		return error;
	return check_trailer(r, before);
}

/* Indirect lengths, now that every object is known: exactly the octets before "endstream", but for one line end. */
static int
check_lengths(struct pdf_file *f, size_t revision)
{
	struct pdf_revision *r = &f->revision[revision];

	for (size_t i = 0; i < r->n; i++) {
		struct pdf_object *o = &r->objects[i];
		struct pdf_value length, number;
		size_t more;

		if (o->stream.p == NULL || pdf_get(&o->value, "Length", &length) != 0 || length.type != PDF_REF)
			continue;
		if (pdf_file_resolve(f, revision, &length, &number, NULL) != 0 || number.type != PDF_INTEGER || number.number < 0 ||
		    (uint64_t)number.number > o->stream.len)
			return ICERT_E_MALFORMED;
		more = o->stream.len - (size_t)number.number;
		for (size_t at = (size_t)number.number; at < o->stream.len; at++)
			if (more > 2 || (o->stream.p[at] != '\r' && o->stream.p[at] != '\n'))
				return ICERT_E_MALFORMED;
		o->stream.len = (size_t)number.number;
	}
	return 0;
}

/* The array was made for the most that may come: what is not used goes back. */
static int
read_revision(struct pdf_file *f, size_t first)
{
	struct pdf_revision *r = &f->revision[f->n];
	struct pdf_entries e = { NULL, 0, 0 };
	struct pdf_object *fitting;
	size_t revision = f->n++;
	int error;

	if ((r->objects = malloc((PDF_OBJECTS + 1) * sizeof(*r->objects))) == NULL)
		return ICERT_E_MEMORY;
	if (revision == 0) {
		if ((error = read_first(f, r, first, &e)) == 0)
			error = check_trailer(r, NULL);
	} else {
		r->start = f->revision[revision - 1].end;
		error = read_update(f, r, &f->revision[revision - 1], &e);
	}
	free(e.entry);
	if (error == 0)
		error = check_lengths(f, revision);
	if (error == 0 && (fitting = realloc(r->objects, (r->n + 1) * sizeof(*fitting))) != NULL)
		r->objects = fitting;
	return error;
}

int
pdf_file_read(struct pdf_file *f, const uint8_t *data, size_t len, size_t first, size_t *where)
{
	int error = 0;
	size_t end = 0;

	memset(f, 0, sizeof(*f));
	f->data = (struct pdf_span){ data, len };
	if (first > len)
		return ICERT_E_MALFORMED;
	while (error == 0 && end < len) {
		if (f->n == PDF_REVISIONS)
			return ICERT_E_TOO_LARGE;
		if (where != NULL)
			*where = f->n;
		error = read_revision(f, first);
		end = f->revision[f->n - 1].end;
	}
	return error;
}

void
pdf_file_free(struct pdf_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->revision[i].objects);
	for (size_t i = 0; i < f->n_inflated; i++)
		free(f->inflated[i]);
	memset(f, 0, sizeof(*f));
}

const struct pdf_object *
pdf_file_brought(const struct pdf_file *f, size_t revision, uint32_t number)
{
	return find_in(&f->revision[revision], number);
}

const struct pdf_object *
pdf_file_find(const struct pdf_file *f, size_t revision, uint32_t number)
{
	for (size_t i = revision + 1; i-- > 0;) {
		const struct pdf_object *o = pdf_file_brought(f, i, number);

		if (o != NULL)
			return o;
	}
	return NULL;
}

int
pdf_file_resolve(const struct pdf_file *f, size_t revision, const struct pdf_value *v, struct pdf_value *out,
    const struct pdf_object **object)
{
	const struct pdf_object *o = NULL;

	*out = *v;
	if (v->type == PDF_REF) {
		o = pdf_file_find(f, revision, (uint32_t)v->number);
		if (o != NULL && o->generation != v->generation)
			return ICERT_E_MALFORMED;
		memset(out, 0, sizeof(*out));
		out->type = PDF_NULL;
		if (o != NULL)
			*out = o->value;
		if (out->type == PDF_REF)
			return ICERT_E_MALFORMED;
	}
	if (object != NULL)
		*object = o;
	return 0;
}

int
pdf_file_get(const struct pdf_file *f, size_t revision, const struct pdf_value *dict, const char *key, struct pdf_value *out)
{
	struct pdf_value v;

	if (pdf_get(dict, key, &v) != 0)
		return ICERT_E_MALFORMED;
	return pdf_file_resolve(f, revision, &v, out, NULL);
}
