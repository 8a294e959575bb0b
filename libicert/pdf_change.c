#include "libicert/pdf_change.h"

#include "libicert/error.h"
#include "libicert/pdf_look.h"

#include <stdlib.h>
#include <string.h>

const char *
pdf_fault_code(enum pdf_fault fault)
{
	static const char *const code[] = {
#define X(name, word) word,
		PDF_FAULTS(X)
#undef X
	};

	return (unsigned)fault < PDF_FAULT_COUNT ? code[fault] : "unknown";
}

void
pdf_look_fault(struct pdf_look *k, enum pdf_fault fault, uint32_t object)
{
	if (k->fault != PDF_NO_FAULT)
		return;
	k->fault = fault;
	k->object = object;
}

int
pdf_look_brought(const struct pdf_look *k, uint32_t number)
{
	return pdf_file_brought(k->file, k->revision, number) != NULL;
}

int
pdf_look_existed(const struct pdf_look *k, uint32_t number)
{
	return pdf_file_find(k->file, k->revision - 1, number) != NULL;
}

/* 1 the first time. */
int
pdf_look_account(struct pdf_look *k, uint32_t number)
{
	const struct pdf_revision *r = &k->file->revision[k->revision];
	const struct pdf_object *o = pdf_file_brought(k->file, k->revision, number);
	size_t at;

	if (o == NULL)
		return 0;
	at = (size_t)(o - r->objects);
	if (k->accounted[at])
		return 0;
	k->accounted[at] = 1;
	return 1;
}

static int
is_allowed(const struct pdf_value *key, const char *const *allowed)
{
	for (; *allowed != NULL; allowed++)
		if (pdf_is_name(key, *allowed))
			return 1;
	return 0;
}

/* Is every pair of one, but for the allowed keys, in the other as well? */
static int
pairs_in(const struct pdf_value *one, const struct pdf_value *other, const char *const *allowed, struct pdf_value *differs)
{
	struct pdf_span rest = one->in;
	struct pdf_value value, match, k;

	while (pdf_pair(&rest, differs, &value) == 0 && differs->type != PDF_NONE) {
		struct pdf_span others = other->in;
		int found = 0;

		if (is_allowed(differs, allowed))
			continue;
		while (!found && pdf_pair(&others, &k, &match) == 0 && k.type != PDF_NONE)
			found = pdf_same(&k.all, &differs->all) && pdf_same(&match.all, &value.all);
		if (!found)
			return 0;
	}
	return 1;
}

int
pdf_look_same_but(const struct pdf_value *before, const struct pdf_value *now, const char *const *allowed, struct pdf_value *differs)
{
	return before->type == PDF_DICT && now->type == PDF_DICT && pairs_in(now, before, allowed, differs) &&
	    pairs_in(before, now, allowed, differs);
}

/* Files and scripts have no place in what hangs on a signature. */
static void
forbid(struct pdf_look *k, const struct pdf_value *dict, uint32_t object)
{
	struct pdf_value v;

	if (pdf_get(dict, "Type", &v) == 0 && (pdf_is_name(&v, "EmbeddedFile") || pdf_is_name(&v, "Filespec")))
		pdf_look_fault(k, PDF_FILE_ADDED, object);
	if (pdf_get(dict, "S", &v) == 0 &&
	    (pdf_is_name(&v, "JavaScript") || pdf_is_name(&v, "Launch") || pdf_is_name(&v, "ImportData") || pdf_is_name(&v, "SubmitForm")))
		pdf_look_fault(k, PDF_SCRIPT_ADDED, object);
}

void
pdf_look_inert(struct pdf_look *k, const struct pdf_value *v, uint32_t object, int depth)
{
	struct pdf_span rest = v->in;
	struct pdf_value key, item;

	if (k->fault != PDF_NO_FAULT)
		return;
	if (depth > DEPTH_MAX || ++k->nodes > NODES_MAX) {
		pdf_look_fault(k, PDF_DAMAGED, object);
		return;
	}
	if (v->type == PDF_REF) {
		uint32_t number = (uint32_t)v->number;
		const struct pdf_object *o = pdf_file_find(k->file, k->revision, number);

		/* A reference to nothing could be filled by whoever comes later. */
		if (o == NULL || o->generation != v->generation)
			pdf_look_fault(k, PDF_DAMAGED, object);
		else if (pdf_look_brought(k, number)) {
			if (pdf_look_existed(k, number))
				pdf_look_fault(k, PDF_OBJECT_REPLACED, number);
			else if (pdf_look_account(k, number))
				pdf_look_inert(k, &o->value, number, depth + 1);
		}
	} else if (v->type == PDF_DICT) {
		forbid(k, v, object);
		while (pdf_pair(&rest, &key, &item) == 0 && key.type != PDF_NONE)
			pdf_look_inert(k, &item, object, depth + 1);
	} else if (v->type == PDF_ARRAY) {
		while (pdf_next(&rest, &item) == 0 && item.type != PDF_NONE)
			pdf_look_inert(k, &item, object, depth + 1);
	}
}

/* What an object that no signature needs does, as far as it can be told. */
static enum pdf_fault
kind_of(const struct pdf_look *k, const struct pdf_object *o)
{
	struct pdf_value v;
	int existed = pdf_look_existed(k, o->number);

	if (o->value.type != PDF_DICT)
		return existed ? PDF_OBJECT_REPLACED : PDF_OBJECT_ADDED;
	if (pdf_get(&o->value, "Type", &v) == 0) {
		if (pdf_is_name(&v, "Page") || pdf_is_name(&v, "Pages"))
			return PDF_PAGE_CHANGED;
		if (pdf_is_name(&v, "Catalog"))
			return PDF_CATALOG_CHANGED;
		if (pdf_is_name(&v, "Filespec") || pdf_is_name(&v, "EmbeddedFile"))
			return PDF_FILE_ADDED;
	}
	if (pdf_get(&o->value, "JS", &v) == 0 && v.type != PDF_NONE)
		return PDF_SCRIPT_ADDED;
	if (pdf_get(&o->value, "S", &v) == 0 && (pdf_is_name(&v, "JavaScript") || pdf_is_name(&v, "Launch")))
		return PDF_SCRIPT_ADDED;
	if (pdf_get(&o->value, "FT", &v) == 0 && v.type != PDF_NONE)
		return PDF_FORM_CHANGED;
	if (pdf_get(&o->value, "Rect", &v) == 0 && v.type != PDF_NONE)
		return PDF_ANNOTATION;
	if (existed && o->stream.p != NULL && pdf_get(&o->value, "Subtype", &v) == 0 && v.type == PDF_NONE)
		return PDF_PAGE_CHANGED;
	return existed ? PDF_OBJECT_REPLACED : PDF_OBJECT_ADDED;
}

/* The cross-reference's own stream, and the object streams: what is in them is looked at by itself. */
static void
account_containers(struct pdf_look *k)
{
	const struct pdf_revision *r = &k->file->revision[k->revision];

	for (size_t i = 0; i < r->n; i++) {
		uint32_t number = r->objects[i].container != 0 ? r->objects[i].container :
		    r->is_stream && r->objects[i].number == r->xref_number ? r->xref_number : 0;

		if (number == 0 || !pdf_look_account(k, number))
			continue;
		if (pdf_look_existed(k, number))
			pdf_look_fault(k, PDF_OBJECT_REPLACED, number);
	}
}

static void
look_at_rest(struct pdf_look *k)
{
	const struct pdf_revision *r = &k->file->revision[k->revision];

	for (size_t i = 0; i < r->n; i++)
		if (!k->accounted[i])
			pdf_look_fault(k, kind_of(k, &r->objects[i]), r->objects[i].number);
}

static enum pdf_fault
look_at_revision(const struct pdf_file *f, size_t revision, struct pdf_changes *out)
{
	struct pdf_look k = { .file = f, .revision = revision, .out = out };

	if ((k.accounted = calloc(f->revision[revision].n + 1, 1)) == NULL)
		return PDF_NO_MEMORY;
	account_containers(&k);
	pdf_look_catalog(&k);
	look_at_rest(&k);
	if (k.signatures == 0 && !k.has_dss)
		pdf_look_fault(&k, PDF_SAVED_AFTER, 0);
	out->object = k.object;
	free(k.accounted);
	return k.fault;
}

enum pdf_fault
pdf_changes_read(const uint8_t *data, size_t len, size_t first, struct pdf_changes *out)
{
	struct pdf_file file;
	int error = pdf_file_read(&file, data, len, first, &out->revision);

	memset(out, 0, offsetof(struct pdf_changes, revision));
	out->object = 0;
	if (error != 0)
		out->fault = error == ICERT_E_MEMORY ? PDF_NO_MEMORY : error == ICERT_E_DENIED ? PDF_ENCRYPTED : PDF_DAMAGED;
	else if (file.n < 2)
		out->fault = PDF_UNSIGNED;
	for (size_t i = 1; out->fault == PDF_NO_FAULT && i < file.n; i++) {
		out->revision = i;
		out->fault = look_at_revision(&file, i, out);
	}
	if (out->fault == PDF_NO_FAULT && out->n == 0)
		out->fault = PDF_UNSIGNED;
	pdf_file_free(&file);
	return out->fault;
}
