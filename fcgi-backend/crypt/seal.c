#include "crypt/seal.h"

#include "libicert/error.h"

#include <sodium.h>
#include <string.h>

#define BY_MAGIC "ICB2"
#define BY_MAGIC_BYTES 4
#define BY_OVERHEAD (BY_MAGIC_BYTES + crypto_box_PUBLICKEYBYTES + crypto_box_NONCEBYTES + crypto_box_MACBYTES)

int
seal_field(const uint8_t key[32], const char *place, const void *plain, size_t len, struct buf *out)
{
	return sealed_make(key, place, plain, len, out);
}

int
open_field(const uint8_t key[32], const char *place, const void *sealed, size_t len, struct buf *out)
{
	return sealed_open(key, place, sealed, len, out);
}

int
seal_box_public(const uint8_t key[32], uint8_t public_key[SEAL_BOX_PUBLIC])
{
	uint8_t secret[crypto_box_SECRETKEYBYTES];
	int rc;

	if (sodium_init() < 0)
		return ICERT_E_CRYPTO;
	rc = crypto_box_seed_keypair(public_key, secret, key);
	bytes_wipe(secret, sizeof(secret));
	return rc == 0 ? 0 : ICERT_E_CRYPTO;
}

int
seal_box(const uint8_t public_key[SEAL_BOX_PUBLIC], const void *plain, size_t len, struct buf *out)
{
	uint8_t *p = buf_room(out, len + SEAL_BOX_OVERHEAD);

	if (p == NULL)
		return buf_error(out);
	if (sodium_init() < 0 || crypto_box_seal(p, plain, len, public_key) != 0)
		return ICERT_E_CRYPTO;
	buf_took(out, len + SEAL_BOX_OVERHEAD);
	return 0;
}

int
seal_sender_init(const uint8_t public_key[SEAL_BOX_PUBLIC], struct seal_sender *sender)
{
	uint8_t secret[crypto_box_SECRETKEYBYTES];
	int rc;

	if (sodium_init() < 0 || crypto_box_keypair(sender->public_key, secret) != 0)
		return ICERT_E_CRYPTO;
	rc = crypto_box_beforenm(sender->shared, public_key, secret);
	bytes_wipe(secret, sizeof(secret));
	return rc == 0 ? 0 : ICERT_E_CRYPTO;
}

int
seal_box_by(const struct seal_sender *sender, const void *plain, size_t len, struct buf *out)
{
	uint8_t *p = buf_room(out, len + BY_OVERHEAD), *nonce;

	if (p == NULL)
		return buf_error(out);
	memcpy(p, BY_MAGIC, BY_MAGIC_BYTES);
	memcpy(p + BY_MAGIC_BYTES, sender->public_key, crypto_box_PUBLICKEYBYTES);
	nonce = p + BY_MAGIC_BYTES + crypto_box_PUBLICKEYBYTES;
	randombytes_buf(nonce, crypto_box_NONCEBYTES);
	if (crypto_box_easy_afternm(nonce + crypto_box_NONCEBYTES, plain, len, nonce, sender->shared) != 0)
		return ICERT_E_CRYPTO;
	buf_took(out, len + BY_OVERHEAD);
	return 0;
}

/* 0, or ICERT_E_FORGED, also for a box of the other kind: its first octets are random. */
static int
open_by(const uint8_t secret[crypto_box_SECRETKEYBYTES], const uint8_t *sealed, size_t len, struct buf *out)
{
	const uint8_t *sender = sealed + BY_MAGIC_BYTES, *nonce = sender + crypto_box_PUBLICKEYBYTES;
	uint8_t *p;

	if (len < BY_OVERHEAD || memcmp(sealed, BY_MAGIC, BY_MAGIC_BYTES) != 0)
		return ICERT_E_FORGED;
	if ((p = buf_room(out, len - BY_OVERHEAD)) == NULL)
		return buf_error(out);
	if (crypto_box_open_easy(p, nonce + crypto_box_NONCEBYTES, len - BY_OVERHEAD + crypto_box_MACBYTES, nonce, sender, secret) != 0)
		return ICERT_E_FORGED;
	buf_took(out, len - BY_OVERHEAD);
	return 0;
}

int
open_box(const uint8_t key[32], const void *sealed, size_t len, struct buf *out)
{
	uint8_t public_key[crypto_box_PUBLICKEYBYTES];
	uint8_t secret[crypto_box_SECRETKEYBYTES];
	uint8_t *p;
	int rc;

	if (len < SEAL_BOX_OVERHEAD)
		return ICERT_E_MALFORMED;
	if (sodium_init() < 0 || crypto_box_seed_keypair(public_key, secret, key) != 0)
		return ICERT_E_CRYPTO;
	if ((rc = open_by(secret, sealed, len, out)) != ICERT_E_FORGED) {
		bytes_wipe(secret, sizeof(secret));
		return rc;
	}
	p = buf_room(out, len - SEAL_BOX_OVERHEAD);
	rc = p == NULL ? 0 : crypto_box_seal_open(p, sealed, len, public_key, secret);
	bytes_wipe(secret, sizeof(secret));
	if (p == NULL)
		return buf_error(out);
	if (rc != 0)
		return ICERT_E_FORGED;
	buf_took(out, len - SEAL_BOX_OVERHEAD);
	return 0;
}
