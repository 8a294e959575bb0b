#ifndef CHECKER_PDF_H
#define CHECKER_PDF_H

#include <stddef.h>
#include <stdint.h>

/*
 * Looks a PDF (ISO 32000-1) through.  flags gets CHECK_ENCRYPTED (a password is needed: nothing more is known then),
 * CHECK_RESTRICTED, CHECK_JAVASCRIPT, CHECK_LAUNCH, CHECK_EMBEDDED, CHECK_XFA, CHECK_TRUNCATED (no end-of-file
 * marker near the end), CHECK_REPAIRED, CHECK_BROKEN, CHECK_TOO_BIG (more pages, objects or nesting than the caps: then active content
 * may have been missed).  0 also for a bad file; ICERT_E_MEMORY.
 */
int pdf_look(const uint8_t *, size_t, uint32_t *flags, uint32_t *pages);

#endif
