#ifndef DOCUMENTS_PDF_SIGNATURE_H
#define DOCUMENTS_PDF_SIGNATURE_H

#include "libicert/pdf_change.h"

#include <stddef.h>
#include <stdint.h>

/* What was sent out to be signed. */
struct pdf_original {
	size_t len;
	uint8_t sha256[32];
};

/*
 * The signatures that were put on a document of ours.  data is what came back; its first original->len octets must be that
 * document, and all that follows signatures (libicert/pdf_change.h).  PDF_NO_FAULT: out lists at least one signature, in
 * the order they were made; what each covers is octets [0, gap) and [gap_end, end), its CMS is in hex, pointing into data.
 * Nothing is said yet about who signed: that is pki/cms.h with the certificate that is expected.
 */
enum pdf_fault pdf_signature_read(const uint8_t *data, size_t len, const struct pdf_original *original, struct pdf_changes *out);

#endif
