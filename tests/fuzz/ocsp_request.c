/* OCSP requests in DER: what is taken lies inside, and nothing that is cut or longer is taken as well. */
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

/* The same CertID, wherever in its request it stands. */
static int
same(const struct ocsp_certid *a, const struct ocsp_certid *b)
{
	size_t hash = a->algorithm == STATUS_SHA1 ? 20 : a->algorithm == STATUS_SHA256 ? 32 : 0;

	return a->algorithm == b->algorithm && a->serial_len == b->serial_len &&
	    memcmp(a->serial, b->serial, a->serial_len) == 0 && memcmp(a->name_hash, b->name_hash, hash) == 0 &&
	    memcmp(a->key_hash, b->key_hash, hash) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ocsp_request r, again;
	uint8_t *copy;

	parse(data, len);
	if (len == 0 || ocsp_request_parse(&r, data, len) != 0)
		return 0;
	/* DER has one end: neither less nor more is the same question. */
	if (ocsp_request_parse(&again, data, len - 1) == 0)
		abort();
	copy = malloc(len + 1);
	memcpy(copy, data, len);
	copy[len] = 0;
	if (ocsp_request_parse(&again, copy, len + 1) == 0)
		abort();
	/* Reading depends on the octets alone. */
	if (ocsp_request_parse(&again, copy, len) != 0 || again.count != r.count || again.nonce_len != r.nonce_len)
		abort();
	for (unsigned i = 0; i < r.count; i++)
		if (!same(&r.certid[i], &again.certid[i]))
			abort();
	free(copy);
	return 0;
}
