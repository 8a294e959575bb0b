#include "libicert/pdf_look.h"

#include "libicert/error.h"

#include <string.h>

/* A key in its state before and now: value, and the number of the object it refers to (0: direct). */
struct pair {
	struct pdf_value before, now;
	uint32_t before_number, now_number;
};

static int
get_pair(struct pdf_look *k, const struct pdf_value *before, const struct pdf_value *now, const char *key, struct pair *out)
{
	struct pdf_value raw;

	memset(out, 0, sizeof(*out));
	if (before->type == PDF_DICT) {
		if (pdf_get(before, key, &raw) != 0)
			return ICERT_E_MALFORMED;
		out->before_number = raw.type == PDF_REF ? (uint32_t)raw.number : 0;
		if (pdf_file_resolve(k->file, k->revision - 1, &raw, &out->before, NULL) != 0)
			return ICERT_E_MALFORMED;
	}
	if (pdf_get(now, key, &raw) != 0)
		return ICERT_E_MALFORMED;
	out->now_number = raw.type == PDF_REF ? (uint32_t)raw.number : 0;
	return pdf_file_resolve(k->file, k->revision, &raw, &out->now, NULL);
}

/* A container that may be written anew under its own number, or move to a new one; never onto something else. */
static int
own_place(struct pdf_look *k, const struct pair *p)
{
	uint32_t n = p->now_number;

	if (n == 0 || !pdf_look_brought(k, n))
		return 1;
	if (n != p->before_number && pdf_look_existed(k, n)) {
		pdf_look_fault(k, PDF_OBJECT_REPLACED, n);
		return 0;
	}
	pdf_look_account(k, n);
	return 1;
}

/* Every field that was there is there still, in its place; those behind it are new. */
static void
look_at_fields(struct pdf_look *k, const struct pair *p)
{
	struct pdf_span before = p->before.in;
	struct pdf_span now = p->now.in;
	struct pdf_value old = { .type = PDF_NONE };
	struct pdf_value field;

	if (p->now.type != PDF_ARRAY || (p->before.type != PDF_ARRAY && p->before.type != PDF_NONE)) {
		pdf_look_fault(k, PDF_FORM_CHANGED, p->now_number);
		return;
	}
	for (;;) {
		if (pdf_next(&now, &field) != 0 || (before.p != NULL && pdf_next(&before, &old) != 0))
			pdf_look_fault(k, PDF_DAMAGED, p->now_number);
		if (k->fault != PDF_NO_FAULT || (field.type == PDF_NONE && old.type == PDF_NONE))
			return;
		if (field.type != PDF_REF || (old.type != PDF_NONE && !pdf_same(&field.all, &old.all))) {
			pdf_look_fault(k, PDF_FORM_CHANGED, p->now_number);
			return;
		}
		if (pdf_look_brought(k, (uint32_t)field.number))
			pdf_look_field(k, (uint32_t)field.number);
		else if (old.type == PDF_NONE)
			pdf_look_fault(k, PDF_FORM_CHANGED, (uint32_t)field.number);
	}
}

static void
look_at_form(struct pdf_look *k, const struct pair *form)
{
	static const char *const allowed[] = { "Fields", "SigFlags", "DR", "DA", "NeedAppearances", NULL };
	static const struct pdf_value empty = { .type = PDF_DICT, .in = { (const uint8_t *)"", 0 } };
	const struct pdf_value *before = form->before.type == PDF_DICT ? &form->before : &empty;
	struct pdf_value differs, v;
	struct pair fields;

	if (form->now.type == PDF_NONE || form->now.type == PDF_NULL)
		return;
	if (!pdf_look_same_but(before, &form->now, allowed, &differs) ||
	    (pdf_get(&form->now, "NeedAppearances", &v) == 0 && v.type == PDF_BOOL && v.number)) {
		pdf_look_fault(k, PDF_FORM_CHANGED, form->now_number);
		return;
	}
	if (!own_place(k, form) || get_pair(k, before, &form->now, "Fields", &fields) != 0)
		return;
	if (pdf_get(&form->now, "DR", &v) == 0 && v.type != PDF_NONE)
		pdf_look_inert(k, &v, form->now_number, 0);
	if (own_place(k, &fields) && (fields.now.type != PDF_NONE || fields.before.type != PDF_NONE))
		look_at_fields(k, &fields);
}

/* Validation data (ETSI EN 319 142-1, 5.4.2.2): the dictionary and its index may be written anew. */
static void
look_at_dss(struct pdf_look *k, const struct pair *dss)
{
	static const char *const parts[] = { "VRI", "Certs", "OCSPs", "CRLs" };
	struct pdf_span rest = dss->now.in;
	struct pdf_value key, v;

	if (dss->now.type == PDF_NONE || (dss->now_number != 0 && !pdf_look_brought(k, dss->now_number)))
		return;
	if (dss->now.type != PDF_DICT) {
		pdf_look_fault(k, PDF_CATALOG_CHANGED, dss->now_number);
		return;
	}
	if (!own_place(k, dss))
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct pair part;

		if (get_pair(k, &dss->before, &dss->now, parts[i], &part) != 0 || !own_place(k, &part))
			return;
		pdf_look_inert(k, &part.now, part.now_number, 1);
	}
	k->has_dss = 1;
	while (pdf_pair(&rest, &key, &v) == 0 && key.type != PDF_NONE)
		if (v.type != PDF_REF || !pdf_look_brought(k, (uint32_t)v.number))
			pdf_look_inert(k, &v, dss->now_number, 1);
}

/* The document's information: dates and the producer's name, nothing that is shown. */
static void
look_at_info(struct pdf_look *k, const struct pdf_value *before, const struct pdf_value *now)
{
	static const char *const allowed[] = { "ModDate", "Producer", NULL };
	static const struct pdf_value empty = { .type = PDF_DICT, .in = { (const uint8_t *)"", 0 } };
	struct pdf_value differs;
	struct pair info;

	if (get_pair(k, before, now, "Info", &info) != 0 || info.now_number == 0 || !pdf_look_brought(k, info.now_number))
		return;
	if (!own_place(k, &info))
		return;
	if (!pdf_look_same_but(info.before.type == PDF_DICT ? &info.before : &empty, &info.now, allowed, &differs))
		pdf_look_fault(k, PDF_CATALOG_CHANGED, info.now_number);
}

/* XMP metadata, of which no reader shows anything on a page. */
static void
look_at_metadata(struct pdf_look *k, const struct pair *p)
{
	struct pdf_value type;

	if (p->now_number == 0 || !pdf_look_brought(k, p->now_number))
		return;
	if (pdf_get(&p->now, "Type", &type) != 0 || !pdf_is_name(&type, "Metadata"))
		pdf_look_fault(k, PDF_CATALOG_CHANGED, p->now_number);
	else
		own_place(k, p);
}

static enum pdf_fault
fault_of_key(struct pdf_look *k, const struct pdf_value *catalog, const struct pdf_value *key)
{
	struct pdf_value names, files;

	if (pdf_is_name(key, "OpenAction") || pdf_is_name(key, "AA"))
		return PDF_SCRIPT_ADDED;
	if (pdf_is_name(key, "AF"))
		return PDF_FILE_ADDED;
	if (pdf_is_name(key, "Names") && pdf_file_get(k->file, k->revision, catalog, "Names", &names) == 0 &&
	    names.type == PDF_DICT && pdf_get(&names, "EmbeddedFiles", &files) == 0)
		return files.type != PDF_NONE ? PDF_FILE_ADDED : PDF_SCRIPT_ADDED;
	return pdf_is_name(key, "Pages") ? PDF_PAGE_CHANGED : PDF_CATALOG_CHANGED;
}

static void
look_at_keys(struct pdf_look *k, const struct pdf_value *before, const struct pdf_value *now)
{
	struct pair form, dss, metadata;
	struct pdf_value v;

	if (get_pair(k, before, now, "AcroForm", &form) != 0 || get_pair(k, before, now, "DSS", &dss) != 0 ||
	    get_pair(k, before, now, "Metadata", &metadata) != 0) {
		pdf_look_fault(k, PDF_DAMAGED, 0);
		return;
	}
	if (form.before.type == PDF_DICT && form.now.type != PDF_DICT)
		pdf_look_fault(k, PDF_FORM_CHANGED, 0);
	look_at_form(k, &form);
	look_at_dss(k, &dss);
	look_at_metadata(k, &metadata);
	if (pdf_get(now, "Extensions", &v) == 0 && v.type != PDF_NONE)
		pdf_look_inert(k, &v, 0, 0);
	/* Permissions name a signature, which the field has accounted for; the signature itself says what it allows. */
	if (pdf_get(now, "Perms", &v) == 0 && v.type != PDF_NONE)
		pdf_look_inert(k, &v, 0, 0);
}

void
pdf_look_catalog(struct pdf_look *k)
{
	static const char *const allowed[] = { "AcroForm", "DSS", "Perms", "Extensions", "Version", "Metadata", NULL };
	const struct pdf_value *was = &k->file->revision[k->revision - 1].trailer;
	const struct pdf_value *is = &k->file->revision[k->revision].trailer;
	struct pdf_value differs;
	struct pair root;

	if (get_pair(k, was, is, "Root", &root) != 0 || root.before.type != PDF_DICT || root.now.type != PDF_DICT) {
		pdf_look_fault(k, PDF_DAMAGED, 0);
		return;
	}
	if (root.before_number != root.now_number)
		pdf_look_fault(k, PDF_CATALOG_CHANGED, root.now_number);
	else if (!pdf_look_same_but(&root.before, &root.now, allowed, &differs))
		pdf_look_fault(k, fault_of_key(k, &root.now, &differs), root.now_number);
	pdf_look_account(k, root.now_number);
	look_at_info(k, was, is);
	look_at_keys(k, &root.before, &root.now);
	pdf_look_pages(k, &root.before);
}
