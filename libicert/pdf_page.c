#include "libicert/pdf_look.h"

#include "libicert/error.h"

#include <string.h>

#define PAGES_MAX 500
#define TREE_DEPTH 32

/* How large a page is: its own /MediaBox, or one that it inherits (7.7.3.4). */
static int
page_size(const struct pdf_look *k, const struct pdf_value *page, double *width, double *height)
{
	struct pdf_value node = *page;
	struct pdf_value box, parent;

	for (int i = 0; i < TREE_DEPTH; i++) {
		if (pdf_file_get(k->file, k->revision, &node, "MediaBox", &box) != 0)
			return ICERT_E_MALFORMED;
		if (box.type == PDF_ARRAY)
			return pdf_look_rectangle(&box, width, height);
		if (pdf_file_get(k->file, k->revision, &node, "Parent", &parent) != 0 || parent.type != PDF_DICT)
			return ICERT_E_MALFORMED;
		node = parent;
	}
	return ICERT_E_MALFORMED;
}

/* An annotation more on a page: it must be the widget of a signature that this revision adds, and on one page only. */
static void
look_at_added(struct pdf_look *k, const struct pdf_value *page, const struct pdf_value *annotation)
{
	double width, height;

	for (size_t i = 0; annotation->type == PDF_REF && i < k->widgets; i++) {
		if (k->widget[i].number != (uint32_t)annotation->number)
			continue;
		if (k->widget[i].listed || page_size(k, page, &width, &height) != 0)
			break;
		k->widget[i].listed = 1;
		if (k->widget[i].width * k->widget[i].height > width * height / PDF_WIDGET_PART)
			pdf_look_fault(k, PDF_COVERS, k->widget[i].number);
		return;
	}
	pdf_look_fault(k, PDF_ANNOTATION, annotation->type == PDF_REF ? (uint32_t)annotation->number : 0);
}

static void
look_at_annotations(struct pdf_look *k, const struct pdf_value *was, const struct pdf_value *is)
{
	struct pdf_value raw, old_raw, before, now, a, b;
	struct pdf_span old, new;
	uint32_t number;

	if (pdf_get(was, "Annots", &old_raw) != 0 || pdf_get(is, "Annots", &raw) != 0 ||
	    pdf_file_resolve(k->file, k->revision - 1, &old_raw, &before, NULL) != 0 ||
	    pdf_file_resolve(k->file, k->revision, &raw, &now, NULL) != 0) {
		pdf_look_fault(k, PDF_DAMAGED, 0);
		return;
	}
	number = raw.type == PDF_REF ? (uint32_t)raw.number : 0;
	if (number != 0 && pdf_look_brought(k, number)) {
		if (pdf_look_existed(k, number) && (old_raw.type != PDF_REF || (uint32_t)old_raw.number != number))
			pdf_look_fault(k, PDF_OBJECT_REPLACED, number);
		pdf_look_account(k, number);
	}
	if ((before.type != PDF_ARRAY && before.type != PDF_NONE && before.type != PDF_NULL) ||
	    (now.type != PDF_ARRAY && (now.type != PDF_NONE || before.type == PDF_ARRAY))) {
		pdf_look_fault(k, PDF_ANNOTATION, number);
		return;
	}
	old = before.in;
	new = now.in;
	while (k->fault == PDF_NO_FAULT) {
		memset(&a, 0, sizeof(a));
		memset(&b, 0, sizeof(b));
		if ((before.type == PDF_ARRAY && pdf_next(&old, &a) != 0) || (now.type == PDF_ARRAY && pdf_next(&new, &b) != 0))
			pdf_look_fault(k, PDF_DAMAGED, number);
		else if (a.type == PDF_NONE && b.type == PDF_NONE)
			return;
		else if (a.type == PDF_NONE)
			look_at_added(k, is, &b);
		else if (b.type == PDF_NONE || !pdf_same(&a.all, &b.all))
			pdf_look_fault(k, PDF_ANNOTATION, number);
	}
}

static void
look_at_page(struct pdf_look *k, uint32_t number, const struct pdf_value *was)
{
	static const char *const allowed[] = { "Annots", "Tabs", NULL };
	const struct pdf_object *now = pdf_file_find(k->file, k->revision, number);
	struct pdf_value differs;

	if (now == NULL || now->value.type != PDF_DICT || !pdf_look_same_but(was, &now->value, allowed, &differs)) {
		pdf_look_fault(k, PDF_PAGE_CHANGED, number);
		return;
	}
	pdf_look_account(k, number);
	look_at_annotations(k, was, &now->value);
}

/* The tree as it was; its inner nodes may not change, so that every page is met. */
static void
look_at_node(struct pdf_look *k, const struct pdf_value *ref, unsigned *pages, int depth)
{
	const struct pdf_object *node;
	struct pdf_value kids, kid, type;
	struct pdf_span rest;

	if (k->fault != PDF_NO_FAULT)
		return;
	node = ref->type == PDF_REF ? pdf_file_find(k->file, k->revision - 1, (uint32_t)ref->number) : NULL;
	if (node == NULL || node->value.type != PDF_DICT || depth > TREE_DEPTH || pdf_get(&node->value, "Type", &type) != 0) {
		pdf_look_fault(k, PDF_DAMAGED, 0);
		return;
	}
	if (pdf_is_name(&type, "Page")) {
		if (++*pages > PAGES_MAX)
			pdf_look_fault(k, PDF_DAMAGED, 0);
		else
			look_at_page(k, node->number, &node->value);
		return;
	}
	if (pdf_look_brought(k, node->number) ||
	    pdf_file_get(k->file, k->revision - 1, &node->value, "Kids", &kids) != 0 || kids.type != PDF_ARRAY) {
		pdf_look_fault(k, PDF_PAGE_CHANGED, node->number);
		return;
	}
	rest = kids.in;
	while (pdf_next(&rest, &kid) == 0 && kid.type != PDF_NONE)
		look_at_node(k, &kid, pages, depth + 1);
}

void
pdf_look_pages(struct pdf_look *k, const struct pdf_value *catalog)
{
	struct pdf_value pages;
	unsigned n = 0;

	if (pdf_get(catalog, "Pages", &pages) != 0)
		pdf_look_fault(k, PDF_DAMAGED, 0);
	look_at_node(k, &pages, &n, 0);
}
