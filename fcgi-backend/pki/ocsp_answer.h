#ifndef PKI_OCSP_ANSWER_H
#define PKI_OCSP_ANSWER_H

#include "libicert/buf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * OCSP answers (RFC 6960, 4.2), composed as DER from a template: only the
 * digest of each goes to whoever holds the responder's key.  One SingleResponse an
 * answer, ResponderID by key, thisUpdate = producedAt, nextUpdate always.
 *
 * An answer is kept as its head, everything before the certs field with
 * the lengths of the whole, and the tail, the certs field that all answers of
 * one responder certificate share.
 */

enum ocsp_hash {
	OCSP_SHA1,
	OCSP_SHA256,
	OCSP_HASHES
};

enum ocsp_signature {
	OCSP_SHA256_RSA,
	OCSP_SHA256_ECDSA
};

/* What all answers for one issuer by one responder have in common. */
struct ocsp_template {
	uint8_t name_hash[OCSP_HASHES][32];	/* of the issuer's Name; SHA-1 uses 20 octets */
	uint8_t key_hash[OCSP_HASHES][32];	/* of the issuer's public key */
	uint8_t responder[20];			/* SHA-1 of the responder's public key */
	uint8_t certificate_sha256[32];		/* of the responder's certificate: by which the status signer finds its key */
	uint8_t certid[OCSP_HASHES][96];	/* DER of a CertID up to its serial: algorithm and hashes */
	size_t certid_len[OCSP_HASHES];
	enum ocsp_signature signature;
	uint8_t algorithm[16];			/* DER AlgorithmIdentifier of the signatures */
	size_t algorithm_len;
	int64_t responder_not_after;		/* no answer may outlive its responder, but the last ones of a CA */
	int64_t issuer_not_before;		/* the archive cutoff: whatever this CA issued is answered */
	struct buf tail;			/* [0] { SEQUENCE OF Certificate } */
	struct buf issuer_name;			/* DER Name, for the index of a status set */
	struct buf issuer_key;			/* octets of the subjectPublicKey */
};

/*
 * From the issuer's and the responder's certificates (DER).  0, ICERT_E_MALFORMED,
 * ICERT_E_UNSUPPORTED (neither RSA nor P-256), ICERT_E_CRYPTO, ICERT_E_MEMORY.
 */
int ocsp_template_init(struct ocsp_template *, const uint8_t *issuer, size_t issuer_len,
    const uint8_t *responder, size_t responder_len);
void ocsp_template_free(struct ocsp_template *);

struct ocsp_single {
	const uint8_t *serial;		/* big-endian */
	size_t serial_len;
	int revoked;			/* 0: good */
	int reason;			/* CRLReason; 0 (unspecified) is left out */
	int64_t revoked_at;		/* UTC seconds */
	int64_t this_update;
	int64_t next_update;		/* STATUS_NEVER: the last answer of a CA that has ended, 99991231235959Z */
	int ended;			/* the certificate is past its end: with the archive cutoff (RFC 6960, 4.4.4) */
	int not_issued;			/* never issued: "extended revoke" (RFC 6960, 2.2, 4.4.8); the rest is not looked at */
};

/*
 * Appends the ResponseData (what is signed) to data and writes its SHA-256.
 * 0, ICERT_E_INVALID (times not in order, or past the responder's certificate), ICERT_E_CRYPTO, ICERT_E_MEMORY.
 */
int ocsp_answer_data(const struct ocsp_template *, enum ocsp_hash, const struct ocsp_single *,
    struct buf *data, uint8_t digest[32]);

/* SHA-256 of what is signed.  0 or ICERT_E_CRYPTO. */
int ocsp_digest(const void *data, size_t len, uint8_t digest[32]);

/* A question that is answered live: which hash its CertID uses, and what is true of its certificate. */
struct ocsp_question {
	enum ocsp_hash hash;
	struct ocsp_single single;	/* this_update and next_update of this answer */
	const uint8_t *foreign;		/* of a CA that this responder does not answer for: inside of its CertID as it came, "unknown" */
	size_t foreign_len;
};

/*
 * The same for several questions, one SingleResponse each in their order, produced at the first one's this_update; with the nonce
 * extension's value as it came (RFC 9654), NULL: without.
 * Every question has its answer, those about another CA too (RFC 6960, 4.2.2.3 and 2.2).
 */
int ocsp_live_data(const struct ocsp_template *, const struct ocsp_question[], size_t n, const uint8_t *nonce_value,
    size_t nonce_len, struct buf *data, uint8_t digest[32]);

/* Appends the head for these data and their signature; head and template's tail are the OCSPResponse. */
int ocsp_answer_head(const struct ocsp_template *, const uint8_t *data, size_t data_len,
    const uint8_t *signature, size_t signature_len, struct buf *head);

#endif
