#ifndef LIBICERT_PDF_LOOK_H
#define LIBICERT_PDF_LOOK_H

#include "libicert/pdf_change.h"

/* Between pdf_change.c and its parts: one revision being looked at. */
#define DEPTH_MAX 200
#define NODES_MAX 200000
#define WIDGETS_MAX 8

struct pdf_look {
	const struct pdf_file *file;
	size_t revision;
	uint8_t *accounted;	/* for each object of the revision: a signature needs it */
	uint32_t nodes;
	struct {
		uint32_t number;	/* object number of a new signature's widget */
		double width, height;	/* of its rectangle, in points */
		int listed;		/* on a page */
	} widget[WIDGETS_MAX];
	size_t widgets;
	size_t signatures;	/* that this revision adds */
	int has_dss;		/* it adds validation data */
	enum pdf_fault fault;
	uint32_t object;
	struct pdf_changes *out;
};

/* The first fault stays. */
void pdf_look_fault(struct pdf_look *, enum pdf_fault, uint32_t object);
int pdf_look_brought(const struct pdf_look *, uint32_t number);
int pdf_look_existed(const struct pdf_look *, uint32_t number);
int pdf_look_account(struct pdf_look *, uint32_t number);

/* 1 when two dictionaries differ in the allowed keys alone (NULL ends them); else *differs is a key that does. */
int pdf_look_same_but(const struct pdf_value *before, const struct pdf_value *now, const char *const *allowed,
    struct pdf_value *differs);

/* Accounts for a value and all new objects that it leads to; none of them may have existed. */
void pdf_look_inert(struct pdf_look *, const struct pdf_value *, uint32_t object, int depth);

/* The trailer, the catalog and everything below it that may change (pdf_catalog.c). */
void pdf_look_catalog(struct pdf_look *);
/* The pages: their lists of annotations may get the new widgets (pdf_page.c). */
void pdf_look_pages(struct pdf_look *, const struct pdf_value *catalog);
/* A field that the revision adds or signs (pdf_field.c). */
void pdf_look_field(struct pdf_look *, uint32_t number);
/* Four numbers of a rectangle: its sides.  0 or ICERT_E_MALFORMED. */
int pdf_look_rectangle(const struct pdf_value *array, double *width, double *height);

#endif
