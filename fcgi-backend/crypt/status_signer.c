#include "crypt/status_signer.h"

#include "crypt/call.h"
#include "libicert/error.h"

#include <string.h>

/* Making an RSA key now and then takes a few seconds. */
#define NEW_KEY_TIMEOUT 30000

int
status_signer_info(struct keyclient *client, unsigned issuer, struct buf *cert_der, struct buf *spki)
{
	struct call c;

	call_begin(&c, client, OP_STATUS_INFO);
	call_number(&c, TAG_ISSUER, issuer);
	call_do(&c, 1);
	call_get_buf(&c, TAG_CERT, cert_der);
	call_get_buf(&c, TAG_SPKI, spki);
	return call_end(&c);
}

int
status_signer_count(struct keyclient *client, unsigned issuer, uint64_t *n)
{
	struct call c;

	call_begin(&c, client, OP_STATUS_INFO);
	call_number(&c, TAG_ISSUER, issuer);
	*n = call_do(&c, 1) == 0 ? message_number(&c.reply, TAG_NUMBER, 0) : 0;
	return call_end(&c);
}

static int
sign_batch(struct keyclient *client, const uint8_t *certificate_sha256, size_t n, const uint8_t digests[][32],
    struct status_signature *signatures)
{
	struct call c;

	call_begin(&c, client, OP_STATUS_SIGN);
	if (certificate_sha256 != NULL)
		call_bytes(&c, TAG_HASH, certificate_sha256, 32);
	for (size_t i = 0; i < n; i++)
		call_bytes(&c, TAG_DIGEST, digests[i], 32);
	if (call_do(&c, 1) == 0 && c.reply.n != n)
		c.error = ICERT_E_MALFORMED;
	for (size_t i = 0; c.error == 0 && i < n; i++) {
		signatures[i].len = (uint16_t)c.reply.field[i].len;
		memcpy(signatures[i].bytes, c.reply.field[i].p, c.reply.field[i].len);
	}
	return call_end(&c);
}

int
status_signer_sign(struct keyclient *client, size_t n, const uint8_t digests[][32], struct status_signature *signatures)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < n; i += STATUS_BATCH)
		error = sign_batch(client, NULL, n - i < STATUS_BATCH ? n - i : STATUS_BATCH, digests + i, signatures + i);
	return error;
}

int
status_signer_sign_as(struct keyclient *client, const uint8_t certificate_sha256[32], size_t n, const uint8_t digests[][32],
    struct status_signature *signatures)
{
	return sign_batch(client, certificate_sha256, n, digests, signatures);
}

int
status_signer_new_key(struct keyclient *client, unsigned issuer, struct buf *spki, struct buf *proof)
{
	struct call c;

	call_begin(&c, client, OP_STATUS_NEW_KEY);
	call_number(&c, TAG_ISSUER, issuer);
	c.timeout_ms = NEW_KEY_TIMEOUT;
	call_do(&c, 0);
	call_get_buf(&c, TAG_SPKI, spki);
	call_get_buf(&c, TAG_PROOF, proof);
	return call_end(&c);
}

int
status_signer_install_certificate(struct keyclient *client, unsigned issuer, const uint8_t *cert_der, size_t len)
{
	struct call c;

	call_begin(&c, client, OP_STATUS_INSTALL);
	call_number(&c, TAG_ISSUER, issuer);
	call_bytes(&c, TAG_CERT, cert_der, len);
	call_do(&c, 1);
	return call_end(&c);
}
