#ifndef KEYS_SIGN_POOL_H
#define KEYS_SIGN_POOL_H

#include "libicert/keyproto.h"

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Threads that sign the digests of one message together: the status signer's, which signs millions when
 * a base is made anew.  They know nothing but the job in hand.
 */
struct sign_pool;

struct sign_pool_signature {
	size_t len;
	uint8_t bytes[STATUS_SIGNATURE_MAX];
};

/* threads: beside the one that asks; 0: it signs alone.  0, ICERT_E_MEMORY, ICERT_E_SYSTEM. */
int	sign_pool_open(struct sign_pool **, unsigned threads);
void	sign_pool_close(struct sign_pool *);

/*
 * Signs n SHA-256 digests with the key (PKCS#1 v1.5 for RSA, ECDSA for EC) into signature[0..n), in their order.
 * For one caller at a time.  0 or ICERT_E_CRYPTO.
 */
int	sign_pool_sign(struct sign_pool *, EVP_PKEY *key, size_t n, const uint8_t *const digest[],
	    struct sign_pool_signature *signature);

#endif
