#include "documents/pdf_signature.h"

#include "libicert/buf.h"

#include <string.h>

#include <openssl/evp.h>

enum pdf_fault
pdf_signature_read(const uint8_t *data, size_t len, const struct pdf_original *original, struct pdf_changes *out)
{
	uint8_t digest[32];

	memset(out, 0, sizeof(*out));
	if (len < original->len)
		return out->fault = PDF_OTHER_FILE;
	if (EVP_Digest(data, original->len, digest, NULL, EVP_sha256(), NULL) != 1)
		return out->fault = PDF_NO_MEMORY;
	if (!bytes_equal(digest, original->sha256, sizeof(digest)))
		return out->fault = PDF_OTHER_FILE;
	return pdf_changes_read(data, len, original->len, out);
}
