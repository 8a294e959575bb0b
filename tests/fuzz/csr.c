/* Certification requests as DER and as PEM. */
#include "libicert/csr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
inside(const struct der *outer, const struct der *part)
{
	if (part->p < outer->p || part->len > outer->len || (size_t)(part->p - outer->p) > outer->len - part->len)
		abort();
}

static void
parse(const uint8_t *data, size_t len)
{
	struct der	 all = { data, len };
	struct csr	 r, again;

	if (csr_parse(&r, data, len) != 0)
		return;
	inside(&all, &r.info);
	inside(&r.info, &r.spki);
	inside(&r.spki, &r.modulus);
	inside(&r.spki, &r.exponent);
	inside(&all, &r.signature);
	if (r.modulus.len == 0 || r.modulus.len > CSR_MODULUS_MAX || r.modulus.p[0] == 0 || r.exponent.len == 0 ||
	    r.exponent.p[0] == 0 || r.signature.len != r.modulus.len || r.digest < CSR_SHA256 || r.digest > CSR_SHA512)
		abort();
	/* Nothing may follow, and nothing may be missing. */
	if (csr_parse(&again, data, len - 1) == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf	der = BUF_INIT;

	parse(data, len);
	if (csr_unarmour(data, len, &der) == 0) {
		if (der.len == 0 || der.len > len)
			abort();
		parse(der.p, der.len);
	}
	buf_free(&der);
	return 0;
}
