#ifndef ICERT_CHECKER_INVOICE_H
#define ICERT_CHECKER_INVOICE_H
#include <stddef.h>

#include "libicert/invoice.h"

#define INVOICE_XML_MAX	(512 * 1024)

/*
 * Reads an invoice's XML: <factura>, or the tax authority's <autorizacion> with one inside as text.  Only UTF-8 (a byte order mark
 * may begin it), without DOCTYPE or entities of its own; each element that is read stands exactly once.  Signatures are not verified.
 * 0, ICERT_E_TOO_LARGE (INVOICE_XML_MAX), ICERT_E_MALFORMED, ICERT_E_MISMATCH (an <autorizacion> that authorises nothing).
 */
int	invoice_xml_read(struct invoice *, const char *xml, size_t n);

#endif
