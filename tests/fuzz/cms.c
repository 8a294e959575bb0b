/* Detached signatures: the first octet chooses the expected signer, the rest is the CMS. */
#include "pki/cms.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cms_signer.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint8_t text[] = "the contract";

static enum cms_fault
verify(const uint8_t *cms, size_t len, int rsa, enum cms_binding binding, const uint8_t *signed_text, struct cms_signed *out)
{
	const struct cms_range ranges[2] = { { signed_text, 4 }, { signed_text + 4, sizeof(text) - 5 } };

	return cms_verify(cms, len, binding, ranges, 2, rsa ? rsa_cert : ec_cert, rsa ? sizeof(rsa_cert) : sizeof(ec_cert), out);
}

/* In hexadecimal it is the same CMS. */
static void
same_in_hex(const uint8_t *cms, size_t len, int rsa, enum cms_fault expected)
{
	const struct cms_range range = { text, sizeof(text) - 1 };
	uint8_t *hex = malloc(2 * len + 1);
	struct cms_signed out;

	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = (uint8_t)"0123456789abcdef"[cms[i] >> 4];
		hex[2 * i + 1] = (uint8_t)"0123456789ABCDEF"[cms[i] & 15];
	}
	if (cms_verify_hex(hex, 2 * len, CMS_BINDING_OPTIONAL, &range, 1, rsa ? rsa_cert : ec_cert,
	    rsa ? sizeof(rsa_cert) : sizeof(ec_cert), &out) != expected)
		abort();
	free(hex);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t other[] = "the contrast";
	struct cms_signed out, strict, changed;
	enum cms_fault fault;
	int rsa;

	if (len == 0)
		return 0;
	rsa = data[0] & 1;
	data++;
	len--;
	fault = verify(data, len, rsa, CMS_BINDING_OPTIONAL, text, &out);
	same_in_hex(data, len, rsa, fault);
	if (fault != CMS_NO_FAULT)
		return 0;
	if (out.len > len || (out.digest_bits != 256 && out.digest_bits != 384 && out.digest_bits != 512))
		abort();
	/* What is good binds to this text and this signer; asking for more only refuses more. */
	if (verify(data, len, rsa, CMS_BINDING_OPTIONAL, other, &changed) == CMS_NO_FAULT ||
	    verify(data, len, !rsa, CMS_BINDING_OPTIONAL, text, &changed) == CMS_NO_FAULT ||
	    (verify(data, len, rsa, CMS_BINDING_NEEDED, text, &strict) == CMS_NO_FAULT) != out.has_binding)
		abort();
	return 0;
}
