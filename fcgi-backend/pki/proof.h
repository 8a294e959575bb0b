#ifndef PKI_PROOF_H
#define PKI_PROOF_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/approval.h"
#include "libicert/buf.h"

/*
 * What a verifier without this house asks of certificates and their status as they were at one moment: chain, OCSP answer,
 * CRL.  OpenSSL does it; a check returns NULL or a stable code of what is wrong.  Certificates, answers and lists are DER.
 */

/* Root self-signed, issuer under the root, certificate under the issuer, all valid at `at`.  "chain-root", "chain-issuer", "chain",
 * "chain-format", "memory". */
const char *proof_chain(const struct buf *cert, const struct buf *issuer, const struct buf *root, int64_t at);

/* 1: this issuer signed the certificate. */
int	proof_issued_by(const struct buf *cert, const struct buf *issuer);

/* An OCSPRequest with one SHA-256 CertID, appended.  0, ICERT_E_MALFORMED, ICERT_E_MEMORY. */
int	proof_ocsp_request(const struct buf *cert, const struct buf *issuer, struct buf *out);

/*
 * What a status says of a certificate.  UTC seconds; revoked_at 0: good.
 */
struct proof_status {
	int64_t from, to;	/* thisUpdate, nextUpdate */
	int64_t revoked_at;
};

/*
 * The answer is the issuer's or its delegated responder's, names the certificate, calls it good or revoked, and `at` lies between its
 * times.  "ocsp-format", "ocsp-signature", "ocsp-other" (another certificate), "ocsp-unknown", "ocsp-time", "memory".
 */
const char *proof_ocsp(const struct buf *answer, const struct buf *cert, const struct buf *issuer, const struct buf *root,
    int64_t at, struct proof_status *);

/* The same for a list and a certificate that it would name.  "crl-format", "crl-signature", "crl-time". */
const char *proof_crl(const struct buf *crl, const struct buf *cert, const struct buf *issuer, int64_t at, struct proof_status *);

/*
 * The certificate follows octet by octet from the approved fields: composed anew with its own serial, time, key and addresses, under the
 * name and key of the issuer, it gives the TBSCertificate that was signed.  "fields", "fields-format", "memory".
 */
const char *proof_fields(const struct buf *cert, const struct buf *issuer, const struct cert_fields *);

/* Its SubjectPublicKeyInfo, appended, and when it begins.  0, ICERT_E_MALFORMED, ICERT_E_MEMORY. */
int	proof_key(const struct buf *cert, struct buf *spki, int64_t *not_before);

/* "CN=…, …", UTF-8, appended; for a person to read. */
int	proof_subject(const struct buf *cert, struct buf *out);

#endif
