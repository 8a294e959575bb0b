#ifndef CRYPT_KEYMAKER_H
#define CRYPT_KEYMAKER_H

#include "crypt/keyclient.h"
#include "libicert/approval.h"

/*
 * The keymaker: an applicant's key pair is made, and packed, in a child process that lives for one job.
 * Only icert-issuer reaches it.
 */

/*
 * An RSA-2048 key for the case.  sealed: the PKCS#8 private key under private_key_key, context
 * delivery_context(case, DELIVERY_PRIVATE).  spki: the public key.  word: the keymaker's statement over case and
 * SPKI hash.  The buffers are appended to.  Each call makes another key: store the answer before going on.
 */
int keymaker_make(struct keyclient *, const char *case_id, const uint8_t private_key_key[32], struct buf *sealed,
    struct buf *spki, struct statement *word);

/* What keymaker_pack() needs and gives. */
struct keymaker_pack {
	uint8_t key_private[32];	/* delivery keys, by label */
	uint8_t key_pkcs12[32];
	uint8_t key_envelope[32];
	const uint8_t *sealed_private;	/* from keymaker_make() */
	size_t sealed_private_len;
	size_t chain_n;			/* 1 … CHAIN_MAX certificates, the holder's first */
	struct {
		const uint8_t *der;
		size_t len;
	} chain[CHAIN_MAX];
	const char *friendly_name;	/* UTF-8 */
	enum pkcs12_profile profile;
};

/*
 * Makes a password (at least 100 random bits) and a revocation code, packs the PKCS#12 and seals it; seals the envelope,
 * JSON {"password","revocation_code"}; both under their delivery keys and delivery_context().
 * revocation_code_sha256 is the SHA-256 of the code's characters without hyphens.  ICERT_E_FORGED when the
 * private key does not open, ICERT_E_MISMATCH when it is not the first certificate's.
 */
int keymaker_pack(struct keyclient *, const char *case_id, const struct keymaker_pack *, struct buf *sealed_pkcs12,
    struct buf *sealed_envelope, uint8_t revocation_code_sha256[32]);

/*
 * An envelope for a key that is in a token: a revocation code alone, JSON {"revocation_code"}, under its
 * delivery key.  revocation_code_sha256 as above.
 */
int keymaker_envelope(struct keyclient *, const char *case_id, const uint8_t key_envelope[32], struct buf *sealed_envelope,
    uint8_t revocation_code_sha256[32]);

#endif
