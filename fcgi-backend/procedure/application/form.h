#ifndef ICERT_PROCEDURE_FORM_H
#define ICERT_PROCEDURE_FORM_H
/*
 * What the applicant types (step 2 of the published text, "Solicitud").  Kept
 * sealed, as one JSON object, in application.form.
 */
#include <stddef.h>

#include "libicert/buf.h"

/* Sizes are bytes of UTF-8 with the NUL. */
struct application_form {
	char	id_kind[12];		/* "cedula" or "passport" */
	char	id_number[24];
	char	given_names[128];
	char	surname1[64];
	char	surname2[64];		/* "" for a single surname */
	char	province[4];		/* "1" … "24": where the person lives and is served */
	char	city[64];
	char	address[256];
	char	telephone[20];		/* E.164 once normalised: "+593991234567" */
	char	invoices[4];		/* "will you issue electronic invoices?": "yes", "no" */
	char	ruc[16];		/* when invoices is "yes" */
	char	voting_paper[16];	/* "certificate", "conadis", "passport", "other" */
	char	voting_reason[512];	/* when "other": what justifies not voting */
	char	privacy[4];		/* "yes": was told what goes into the certificate */
	char	sold_ruc[8];		/* of the product paid: "with", "without" a RUC, else either; no field */
	char	kept[96];		/* pages that came filled from an earlier case and nobody has confirmed, "a,b"; no field */
};

/* The fields by name, for pages that fill and read them. */
struct application_field {
	const char	*name;		/* as above; also the name in the page's form */
	size_t		 offset, size;
	int		 step;		/* 1 person · 2 home · 3 use · 4 papers */
	int		 in_certificate;
};

#define FORM_FIELDS 14
extern const struct application_field application_fields[FORM_FIELDS];

const struct application_field *application_field_find(const char *name);
const char	*application_form_get(const struct application_form *, const char *name);	/* "" for no such field */
/* Trims, and folds white space.  ICERT_E_NOT_FOUND, ICERT_E_TOO_LARGE, ICERT_E_MALFORMED (not UTF-8, control characters). */
int		 application_form_set(struct application_form *, const char *name, const char *value);

/* code is a key of the catalogue: "form.id_number.check_digit". */
struct form_fault {
	const char	*field;
	const char	*code;
};
#define FORM_FAULTS_MAX FORM_FIELDS

/*
 * Checks the fields of a step (0: all of them), after bringing them to their
 * one form (names to upper case, telephone to E.164, identifiers without
 * spaces).  Returns the number of faults, which are stored.
 */
size_t		 application_form_check(struct application_form *, int step, struct form_fault faults[FORM_FAULTS_MAX]);

/* As JSON, and back; unknown members are dropped.  0 or ICERT_E_MALFORMED. */
int		 application_form_write(const struct application_form *, struct buf *out);
int		 application_form_read(struct application_form *, const void *json, size_t n);

/* Of the pages in kept: is this one among them, and it is confirmed now. */
int		 application_form_kept(const struct application_form *, const char *page);
void		 application_form_confirm(struct application_form *, const char *page);

/* "NAMES SURNAME1 SURNAME2". */
void		 application_full_name(const struct application_form *, char *out, size_t size);

#endif
