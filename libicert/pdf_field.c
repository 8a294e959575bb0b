#include "libicert/pdf_look.h"

#include "libicert/error.h"

#include <string.h>

/* A number with at most one point, as PDF writes it. */
static double
real_of(const struct pdf_value *v)
{
	double n = 0;
	double part = 0;

	for (size_t i = 0; i < v->in.len; i++) {
		if (v->in.p[i] == '.')
			part = 1;
		else if (v->in.p[i] >= '0' && v->in.p[i] <= '9') {
			n = n * 10 + (v->in.p[i] - '0');
			part *= 10;
		}
	}
	n = part > 1 ? n / part : n;
	return v->in.p[0] == '-' ? -n : n;
}

int
pdf_look_rectangle(const struct pdf_value *array, double *width, double *height)
{
	struct pdf_span rest = array->in;
	struct pdf_value v;
	double side[4];

	for (int i = 0; i < 4; i++) {
		if (pdf_next(&rest, &v) != 0 || (v.type != PDF_INTEGER && v.type != PDF_REAL))
			return ICERT_E_MALFORMED;
		side[i] = real_of(&v);
	}
	pdf_skip(&rest);
	*width = side[2] > side[0] ? side[2] - side[0] : side[0] - side[2];
	*height = side[3] > side[1] ? side[3] - side[1] : side[1] - side[3];
	return rest.len == 0 ? 0 : ICERT_E_MALFORMED;
}

/* [0 a b c], and nothing else: from the start to /Contents, from behind it to the end of the revision. */
static int
check_range(struct pdf_look *k, const struct pdf_value *dict, struct pdf_signature *s)
{
	const struct pdf_revision *r = &k->file->revision[k->revision];
	size_t mark = (size_t)(r->mark - k->file->data.p);
	struct pdf_value array, v;
	struct pdf_span rest;
	int64_t n[4];

	if (pdf_get(dict, "ByteRange", &array) != 0 || array.type != PDF_ARRAY)
		return 0;
	rest = array.in;
	for (int i = 0; i < 4; i++) {
		if (pdf_next(&rest, &v) != 0 || v.type != PDF_INTEGER || v.number < 0)
			return 0;
		n[i] = v.number;
	}
	pdf_skip(&rest);
	if (rest.len != 0 || n[0] != 0 || (uint64_t)n[1] != s->gap || (uint64_t)n[2] != s->gap_end)
		return 0;
	s->end = (size_t)n[2] + (size_t)n[3];
	/* A line end behind the marker may have been put there by whoever signed next. */
	if (k->revision + 1 == k->file->n)
		return s->end == r->end;
	return s->end >= mark && s->end <= r->end;
}

/* What the signature forbids to those who sign after it (12.8.2): only what leaves further signatures possible. */
static int
locks(struct pdf_look *k, const struct pdf_value *dict)
{
	struct pdf_value references, item, method, parms, p;
	struct pdf_span rest;

	if (pdf_file_get(k->file, k->revision, dict, "Reference", &references) != 0)
		return 1;
	if (references.type == PDF_NONE)
		return 0;
	if (references.type != PDF_ARRAY)
		return 1;
	rest = references.in;
	while (pdf_next(&rest, &item) == 0 && item.type != PDF_NONE) {
		if (pdf_file_resolve(k->file, k->revision, &item, &item, NULL) != 0 || item.type != PDF_DICT ||
		    pdf_get(&item, "TransformMethod", &method) != 0 || !pdf_is_name(&method, "DocMDP") ||
		    pdf_file_get(k->file, k->revision, &item, "TransformParams", &parms) != 0)
			return 1;
		/* P is 2 when it is not said (table 254). */
		if (parms.type == PDF_DICT && (pdf_get(&parms, "P", &p) != 0 || (p.type != PDF_NONE && (p.type != PDF_INTEGER || p.number < 2))))
			return 1;
	}
	return 0;
}

static void
look_at_signature(struct pdf_look *k, uint32_t field, const struct pdf_value *ref, int visible)
{
	const struct pdf_object *o = ref->type == PDF_REF ? pdf_file_brought(k->file, k->revision, (uint32_t)ref->number) : NULL;
	struct pdf_signature *s = &k->out->signature[k->out->n];
	struct pdf_value contents, kind, type;

	if (o == NULL || o->container != 0 || o->stream.p != NULL || o->value.type != PDF_DICT || pdf_look_existed(k, o->number)) {
		pdf_look_fault(k, PDF_CONTENTS, field);
		return;
	}
	pdf_look_inert(k, ref, field, 0);
	memset(s, 0, sizeof(*s));
	s->revision = k->revision;
	s->field = field;
	s->object = o->number;
	s->visible = visible;
	if (pdf_get(&o->value, "Contents", &contents) != 0 || contents.type != PDF_HEX || contents.in.len == 0 || contents.in.len % 2 != 0) {
		pdf_look_fault(k, PDF_CONTENTS, o->number);
		return;
	}
	s->hex = contents.in;
	s->gap = (size_t)(contents.all.p - k->file->data.p);
	s->gap_end = s->gap + contents.all.len;
	for (size_t i = 0; i < s->hex.len; i++)
		if (strchr("0123456789abcdefABCDEF", s->hex.p[i]) == NULL || s->hex.p[i] == 0)
			pdf_look_fault(k, PDF_CONTENTS, o->number);
	if (pdf_get(&o->value, "Type", &type) != 0 || (type.type != PDF_NONE && !pdf_is_name(&type, "Sig")) ||
	    pdf_get(&o->value, "SubFilter", &kind) != 0)
		pdf_look_fault(k, PDF_KIND, o->number);
	else if (pdf_is_name(&kind, "adbe.pkcs7.detached"))
		s->kind = PDF_PKCS7_DETACHED;
	else if (pdf_is_name(&kind, "ETSI.CAdES.detached"))
		s->kind = PDF_CADES_DETACHED;
	else
		pdf_look_fault(k, PDF_KIND, o->number);
	if (!check_range(k, &o->value, s))
		pdf_look_fault(k, PDF_RANGE, o->number);
	if (locks(k, &o->value))
		pdf_look_fault(k, PDF_LOCKS, o->number);
	/* A revision has one end, so one signature that covers it. */
	if (++k->signatures > 1)
		pdf_look_fault(k, PDF_RANGE, o->number);
	if (k->fault == PDF_NO_FAULT)
		k->out->n++;
}

/* The keys that a signature's field and widget may have; an action is none of them. */
static int
known_keys(const struct pdf_value *dict, struct pdf_value *key)
{
	static const char *const known[] = {
		"Type", "Subtype", "FT", "T", "TU", "TM", "Ff", "V", "DV", "F", "P", "Rect", "AP", "AS", "MK", "DA", "DR", "Q", "BS",
		"Border", "M", "NM", "Kids", "Parent", "Lock", "SV", "Contents", "C", "StructParent", NULL
	};
	struct pdf_span rest = dict->in;
	struct pdf_value v;

	while (pdf_pair(&rest, key, &v) == 0 && key->type != PDF_NONE) {
		size_t i = 0;

		while (known[i] != NULL && !pdf_is_name(key, known[i]))
			i++;
		if (known[i] == NULL)
			return 0;
	}
	return 1;
}

/* The picture and the look of a widget; how large it may be is known when its page is. */
static int
look_at_widget(struct pdf_look *k, const struct pdf_value *dict, uint32_t number)
{
	static const char *const inert[] = { "AP", "MK", "DR", "BS", "SV" };
	struct pdf_value v;
	size_t n = k->widgets;

	if (n == WIDGETS_MAX || pdf_get(dict, "Subtype", &v) != 0 || !pdf_is_name(&v, "Widget") ||
	    pdf_get(dict, "Rect", &v) != 0 || v.type != PDF_ARRAY ||
	    pdf_look_rectangle(&v, &k->widget[n].width, &k->widget[n].height) != 0) {
		pdf_look_fault(k, PDF_FORM_CHANGED, number);
		return 0;
	}
	k->widget[n].number = number;
	k->widget[n].listed = 0;
	k->widgets++;
	for (size_t i = 0; i < sizeof(inert) / sizeof(inert[0]); i++)
		if (pdf_get(dict, inert[i], &v) == 0 && v.type != PDF_NONE)
			pdf_look_inert(k, &v, number, 0);
	return k->widget[n].width > 0 && k->widget[n].height > 0;
}

/* A field with its widget apart: one kid, as new as the field. */
static int
look_at_kid(struct pdf_look *k, const struct pdf_value *kids, uint32_t field)
{
	struct pdf_span rest = kids->in;
	struct pdf_value kid, key;
	const struct pdf_object *o;

	if (kids->type != PDF_ARRAY || pdf_next(&rest, &kid) != 0 || kid.type != PDF_REF) {
		pdf_look_fault(k, PDF_FORM_CHANGED, field);
		return 0;
	}
	pdf_skip(&rest);
	o = pdf_file_brought(k->file, k->revision, (uint32_t)kid.number);
	if (rest.len != 0 || o == NULL || pdf_look_existed(k, o->number) || o->value.type != PDF_DICT || !known_keys(&o->value, &key)) {
		pdf_look_fault(k, PDF_FORM_CHANGED, field);
		return 0;
	}
	pdf_look_account(k, o->number);
	return look_at_widget(k, &o->value, o->number);
}

/* An empty field that waits for its signature: it is filled in, and the rest stays. */
static int
was_waiting(struct pdf_look *k, uint32_t number, const struct pdf_value *now)
{
	static const char *const allowed[] = { "V", "AP", "M", "F", "MK", "DA", "DR", NULL };
	const struct pdf_object *before = pdf_file_find(k->file, k->revision - 1, number);
	struct pdf_value v, differs;

	return before->value.type == PDF_DICT && pdf_get(&before->value, "FT", &v) == 0 && pdf_is_name(&v, "Sig") &&
	    pdf_get(&before->value, "V", &v) == 0 && v.type == PDF_NONE && pdf_look_same_but(&before->value, now, allowed, &differs);
}

void
pdf_look_field(struct pdf_look *k, uint32_t number)
{
	const struct pdf_object *o = pdf_file_brought(k->file, k->revision, number);
	struct pdf_value v, kids, lock, key;
	int existed = pdf_look_existed(k, number);
	int visible;

	if (o->value.type != PDF_DICT || o->stream.p != NULL || pdf_get(&o->value, "FT", &v) != 0 || !pdf_is_name(&v, "Sig") ||
	    (existed && !was_waiting(k, number, &o->value))) {
		pdf_look_fault(k, PDF_FORM_CHANGED, number);
		return;
	}
	if (!known_keys(&o->value, &key)) {
		pdf_look_fault(k, pdf_is_name(&key, "A") || pdf_is_name(&key, "AA") ? PDF_SCRIPT_ADDED : PDF_FORM_CHANGED, number);
		return;
	}
	if (!pdf_look_account(k, number) || pdf_get(&o->value, "Kids", &kids) != 0 || pdf_get(&o->value, "V", &v) != 0 ||
	    pdf_get(&o->value, "Lock", &lock) != 0)
		return;
	if (lock.type != PDF_NONE)
		pdf_look_fault(k, PDF_LOCKS, number);
	visible = kids.type == PDF_NONE ? look_at_widget(k, &o->value, number) : look_at_kid(k, &kids, number);
	look_at_signature(k, number, &v, visible);
	/* A widget that was on its page before is not added to one. */
	if (existed && k->widgets > 0)
		k->widget[k->widgets - 1].listed = 1;
}
