#ifndef DOCUMENTS_CONTRACT_FINISH_H
#define DOCUMENTS_CONTRACT_FINISH_H

#include "libicert/buf.h"

/*
 * What the drawing library cannot say: the document's language, that its title
 * is shown, what a figure shows (alt), row headers.  For contract_pdf.c alone;
 * the bytes in are our own.  ICERT_E_MALFORMED, ICERT_E_MEMORY.
 */
int	contract_finish(const struct buf *drawn, const char *alt, struct buf *out);

#endif
