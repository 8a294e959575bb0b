#ifndef KEYS_STATUS_SIGNER_H
#define KEYS_STATUS_SIGNER_H

#include "keys/serve.h"
#include "keys/sign_pool.h"

#include <openssl/evp.h>

/*
 * The status signer: the OCSP responder's short-lived key.  Digests in, signatures out; it knows
 * no certificate's status and parses nothing but its own messages and its own certificate.
 *
 * Its folder: seal.key (32 octets), identity (Ed25519 seed, sealed), public.key (the
 * identity's public key, pinned by the signer), current and next (a responder's key, sealed,
 * and its certificate).
 */
struct status_signer {
	char folder[400];
	uint8_t seal[32];
	uint8_t identity[32];
	EVP_PKEY *current, *next;	/* NULL: none */
	struct buf certificate;		/* of current; empty: none */
	uint8_t certificate_sha256[32];
	struct sign_pool *pool;
	struct sign_pool_signature signature[STATUS_BATCH];
};

/* Makes what is not there yet.  0 or the error. */
int status_signer_init(const char *folder);
/* Opens the keys.  0, ICERT_E_NOT_FOUND (never initialised), ICERT_E_FORGED, ICERT_E_SYSTEM … */
int status_signer_open(struct status_signer *, const char *folder);
/* Starts the threads that sign, one a core; after rights are dropped, so that they have no more.  0 or the error. */
int status_signer_threads(struct status_signer *);
void status_signer_close(struct status_signer *);

/* The operations, for serve_run(); the context is a struct status_signer. */
extern const struct serve_op status_signer_ops[];
extern const size_t status_signer_ops_n;

#endif
