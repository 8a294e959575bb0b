#ifndef KEYS_RESPONDER_KEY_H
#define KEYS_RESPONDER_KEY_H

#include "keys/sign_pool.h"
#include "libicert/buf.h"
#include "pki/pkcs11.h"

#include <openssl/evp.h>

/*
 * One OCSP responder's private key: in software, or in a PKCS#11 token, which makes it and never gives it away.
 * P-256 or RSA-2048.
 */
enum responder_kind { RESPONDER_P256, RESPONDER_RSA2048 };

#define RESPONDER_LABEL 32

/* Where new keys are made; those that are there stay what they are. */
struct responder_store {
	enum responder_kind kind;
	struct pkcs11 *token;		/* logged in; NULL: in software */
	char chosen[RESPONDER_LABEL];	/* the token's key in use */
};

struct responder_key {
	EVP_PKEY *key;			/* of a token's key the public half; NULL: none */
	char label[RESPONDER_LABEL];	/* in the token; "" for one in software */
};

/*
 * Makes one.  slot: the name it has in a token; what stood there is destroyed first, so two names that take turns leave none
 * behind.  0, ICERT_E_CRYPTO, ICERT_E_MEMORY.
 */
int responder_key_make(struct responder_store *, const char *slot, struct responder_key *);
/* Frees what is held in memory. */
void responder_key_free(struct responder_key *);

/* As it is kept, sealed: the key itself, or where it is in the token.  0 or the buffer's error. */
int responder_key_put(const struct responder_key *, struct buf *out);
/* Reads it back.  ICERT_E_MALFORMED; ICERT_E_UNAVAILABLE for a token's key without the token, else the token's error. */
int responder_key_get(struct responder_store *, const uint8_t *, size_t, struct responder_key *);

/* As sign_pool_sign(); a token signs them one after another.  ICERT_E_CRYPTO, the token's error. */
int responder_key_sign(struct responder_store *, struct sign_pool *, struct responder_key *, size_t n,
    const uint8_t *const digest[], struct sign_pool_signature *signature);

#endif
