#ifndef KEYS_STATUS_SIGNER_H
#define KEYS_STATUS_SIGNER_H

#include "keys/serve.h"
#include "keys/responder_key.h"
#include "pki/issuer_list.h"

/*
 * The status signer: the short-lived key of an OCSP responder, one for each issuing CA.  Digests in, signatures out; it knows
 * no certificate's status and parses nothing but its own messages and its own certificates.
 *
 * Its folder: seal.key (32 octets), identity (Ed25519 seed, sealed), public.key (the
 * identity's public key, pinned by the signer), current and next (a responder's key, or where it is in a token, sealed,
 * and its certificate); those of the CA number N are current-N and next-N.
 */
struct responder {
	struct responder_key current, next;
	struct buf certificate;		/* of current; empty: none */
	uint8_t certificate_sha256[32];
};

struct status_signer {
	char folder[400];
	uint8_t seal[32];
	uint8_t identity[32];
	struct responder_store store;
	struct responder responder[ISSUERS_MAX];	/* by number, from ISSUER_FIRST */
	struct sign_pool *pool;
	uint64_t signatures;		/* made since the start */
	struct sign_pool_signature signature[STATUS_BATCH];
};

/* Makes what is not there yet.  0 or the error. */
int status_signer_init(const char *folder);
/*
 * Opens the keys.  store: where new ones are made, with its token, which becomes the status signer's in every case; NULL: P-256
 * in software.  0, ICERT_E_NOT_FOUND (never initialised), ICERT_E_FORGED, ICERT_E_SYSTEM …
 */
int status_signer_open(struct status_signer *, const char *folder, const struct responder_store *store);
/*
 * The store that [status_signer] asks for: key (p256, rsa2048), and module, token, pin_file where a token holds it.
 * 0, or the error after telling it in the log.
 */
struct config;
int status_signer_store(struct responder_store *, const struct config *);
/* Starts the threads that sign, one a core; after rights are dropped, so that they have no more.  0 or the error. */
int status_signer_threads(struct status_signer *);
void status_signer_close(struct status_signer *);

/* The operations, for serve_run(); the context is a struct status_signer. */
extern const struct serve_op status_signer_ops[];
extern const size_t status_signer_ops_n;

#endif
