/* Detached signatures in CMS, verified with a certificate that is known; DER and BER, and as hexadecimal. */
#include "pki/cms.h"

#include "cms_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint8_t document[] = "documento";

static enum cms_fault
look(const uint8_t *data, size_t len, int hex, enum cms_binding need, struct cms_signed *out)
{
	/* Cut anywhere, the document is the same. */
	const struct cms_range ranges[] = { { document, 4 }, { document + 4, sizeof(document) - 5 } };
	enum cms_fault fault = (hex ? cms_verify_hex : cms_verify)(data, len, need, ranges, 2, certificate, sizeof(certificate), out);

	if ((unsigned)fault >= CMS_FAULT_COUNT)
		abort();
	if (fault == CMS_NO_FAULT && (out->len == 0 || out->len > len ||
	    (out->digest_bits != 256 && out->digest_bits != 384 && out->digest_bits != 512)))
		abort();
	return fault;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	struct cms_signed one, other;
	enum cms_fault fault, needed;
	uint8_t *text;

	fault = look(data, len, 0, CMS_BINDING_OPTIONAL, &one);
	/* What is asked for besides can only refuse more. */
	needed = look(data, len, 0, CMS_BINDING_NEEDED, &other);
	if ((needed == CMS_NO_FAULT) != (fault == CMS_NO_FAULT && one.has_binding))
		abort();
	if (len == 0 || len > 1 << 16 || (text = malloc(2 * len)) == NULL)
		return 0;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = (uint8_t)digits[data[i] >> 4];
		text[2 * i + 1] = (uint8_t)digits[data[i] & 15];
	}
	if (look(text, 2 * len, 1, CMS_BINDING_OPTIONAL, &other) != fault)
		abort();
	free(text);
	return 0;
}
