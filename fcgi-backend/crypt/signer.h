#ifndef CRYPT_SIGNER_H
#define CRYPT_SIGNER_H

#include "crypt/keyclient.h"
#include "libicert/approval.h"

/*
 * The signer: the issuing key behind PKCS#11.  It believes neither the desk nor the database: it verifies the
 * approvals and the keymaker's word with the public keys pinned at the ceremony, and a token's request with the key in it.
 */

/* What a certificate is made of. */
struct signer_order {
	const char *case_id;
	uint8_t serial[16];		/* big-endian; the signer refuses a negative or short one */
	int64_t not_before;		/* UTC seconds; notAfter follows from fields->years */
	const struct cert_fields *fields;
	const uint8_t *spki;		/* DER */
	size_t spki_len;
	size_t statements_n;		/* accept and issue, second where policy asks */
	struct statement statements[3];
	struct statement word;		/* the keymaker's, for a key that it made; not looked at with a request */
	const uint8_t *request;		/* DER certification request, for a key made in a token; else NULL */
	size_t request_len;
};

/*
 * Signs a certificate; the same again for the same case and the same order.  ICERT_E_MISSING (an approval is absent), ICERT_E_STALE
 * (older than 24 h), ICERT_E_FORGED, ICERT_E_MISMATCH (other fields, case or key), ICERT_E_OWN_CASE, ICERT_E_EXISTS (another
 * certificate for this case), ICERT_E_CEILING, ICERT_E_LINT (keyclient.detail names the rule).  [issuer]
 */
int signer_certificate(struct keyclient *, const struct signer_order *, struct buf *cert_der);

/*
 * A CRL of the issuing CA with this number (pki/issuer_list.h), complete or of one partition (else 0).  number: the cRLNumber;
 * times UTC seconds, next_update STATUS_NEVER for the last of a CA that has ended; entries in any order.
 * [publisher]
 */
int signer_crl(struct keyclient *, unsigned issuer, unsigned partition, uint64_t number, int64_t this_update, int64_t next_update,
    const struct crl_entry *entries, size_t n, struct buf *crl_der);

/* A certificate that the signer has once signed as revoked. */
struct signed_revocation {
	uint8_t serial[16];
	int64_t revoked_at;	/* UTC seconds */
	int64_t not_after;	/* INT64_MAX: not known to it */
};

/* All of an issuing CA's, as its journal has them; *out is malloc'd, NULL when there are none.  [publisher] */
int signer_revoked(struct keyclient *, unsigned issuer, struct signed_revocation **out, size_t *n);

/*
 * A certificate by this CA for an OCSP responder's key, for at most 30 days; proof is the status signer's word
 * that the key is its own, at most an hour old, under the identity pinned at the ceremony.  [publisher]
 */
int signer_responder(struct keyclient *, unsigned issuer, const uint8_t *spki, size_t spki_len, const uint8_t *proof, size_t proof_len,
    struct buf *cert_der);

/*
 * How far the signer's journal of this CA goes: the number of its last line and that line's hash; asked: the hash that it has at the
 * number `at`, zeros when it does not go so far (or at is 0).  [publisher]
 */
int signer_journal(struct keyclient *, unsigned issuer, uint64_t at, uint64_t *sequence, uint8_t hash[32], uint8_t asked[32]);

#endif
