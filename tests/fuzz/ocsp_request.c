/* OCSP requests as DER, and as the path of a GET. */
#include "libicert/ocsp_request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
inside(const uint8_t *data, size_t len, const uint8_t *p, size_t n)
{
	if (p < data || n > len || (size_t)(p - data) > len - n)
		abort();
}

static void
parse(const uint8_t *data, size_t len)
{
	struct ocsp_request r;

	if (ocsp_request_parse(&r, data, len) != 0)
		return;
	if (r.count == 0 || r.count > OCSP_CERTIDS_MAX)
		abort();
	for (unsigned i = 0; i < r.count; i++) {
		const struct ocsp_certid *c = &r.certid[i];
		size_t hash = c->algorithm == STATUS_SHA1 ? 20 : c->algorithm == STATUS_SHA256 ? 32 : 0;

		inside(data, len, c->name_hash, hash);
		inside(data, len, c->key_hash, hash);
		inside(data, len, c->serial, c->serial_len);
		if (c->serial_len == 0 || c->serial_len > STATUS_SERIAL_MAX || c->serial[0] == 0)
			abort();
	}
	if (r.nonce != NULL)
		inside(data, len, r.nonce, r.nonce_len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t out[512];
	long n;

	parse(data, len);
	n = ocsp_request_from_path((const char *)data, len, out, sizeof(out), NULL);
	if (n > (long)sizeof(out) || n == 0)
		abort();
	if (n > 0)
		parse(out, (size_t)n);
	return 0;
}
