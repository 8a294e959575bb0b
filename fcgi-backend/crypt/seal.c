#include "crypt/seal.h"

#include "libicert/error.h"

#include <sodium.h>

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
