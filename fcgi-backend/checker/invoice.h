#ifndef ICERT_CHECKER_INVOICE_H
#define ICERT_CHECKER_INVOICE_H
#include <stddef.h>

#include "libicert/invoice.h"

#define INVOICE_XML_MAX	(512 * 1024)

/*
 * Reads the XML of an invoice or a credit note: <factura>, <notaCredito>, or the tax authority's <autorizacion> with one inside as text.
 * Only UTF-8 (a byte order mark may begin it), without DOCTYPE or entities of its own; each element that is read stands exactly once.
 * Signatures are not verified.  0, ICERT_E_TOO_LARGE (INVOICE_XML_MAX), ICERT_E_MALFORMED; with both *fault says why.
 */
int	invoice_xml_read(struct invoice *, const char *xml, size_t n, struct invoice_fault *);

/* The same of a file, read from its start; also ICERT_E_INVALID (no plain file), ICERT_E_SYSTEM, ICERT_E_MEMORY. */
int	invoice_file(int fd, struct invoice *, struct invoice_fault *);

#endif
