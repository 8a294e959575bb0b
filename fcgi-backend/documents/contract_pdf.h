#ifndef DOCUMENTS_CONTRACT_PDF_H
#define DOCUMENTS_CONTRACT_PDF_H

#include <stdint.h>

#include "documents/contract_template.h"
#include "libicert/buf.h"

/*
 * A contract as PDF: A4, tagged (headings, paragraphs, list, table with row
 * headers, links), title and language in the catalogue, number and page in
 * the foot of every page, and a QR code of the address that verifies it.
 * No form, no file, no program, no object streams: every signing program
 * can add its revision.  The same input gives the same bytes on one host.
 */
struct contract_pdf {
	const char *template;		/* contract_template.h */
	size_t template_len;
	const struct contract_variable *variables;
	size_t n;
	const char *number;		/* "C-2026-000123-4" */
	int64_t at;			/* its date, UTC seconds */
	const char *verify_url;		/* in the QR code and as text */
	const char *font;		/* a family; NULL: "DejaVu Sans" */
	const char *words;		/* what head, foot and QR code say: "<words>.head" … of the catalogue; NULL: "contract" */
};

/*
 * Appends the file.  Errors of contract_blocks_make() (*line, may be NULL, says where);
 * ICERT_E_TOO_LARGE: one block is longer than a page; ICERT_E_INVALID:
 * the drawing library refused.
 */
int	contract_pdf_make(const struct contract_pdf *, struct buf *out, int *line);

#endif
