#ifndef CRYPT_STATUS_SIGNER_H
#define CRYPT_STATUS_SIGNER_H

#include "crypt/keyclient.h"

/*
 * The status signer: the short-lived key of an OCSP responder, one for each issuing CA, which is named by its number
 * (pki/issuer_list.h); digests in, signatures out.  icert-publisher and icert-ocsp reach it.
 */

/* One signature: PKCS#1 v1.5 over SHA-256 for an RSA key, a DER ECDSA-Sig-Value for an EC key. */
struct status_signature {
	uint16_t len;
	uint8_t bytes[STATUS_SIGNATURE_MAX];
};

/* The responder's certificate (appended to cert; nothing when none is installed) and its public key. */
int status_signer_info(struct keyclient *, unsigned issuer, struct buf *cert_der, struct buf *spki);
/* How many signatures it has made for all issuers since it was started. */
int status_signer_count(struct keyclient *, unsigned issuer, uint64_t *n);
/* Signs n SHA-256 digests, in batches of STATUS_BATCH.  ICERT_E_STATE without a valid certificate. */
int status_signer_sign(struct keyclient *, size_t n, const uint8_t digests[][32], struct status_signature *signatures);
/*
 * The same for one message's worth, by the key of this certificate (SHA-256 of its DER) and no other:
 * ICERT_E_MISMATCH when another is in use by now.
 */
int status_signer_sign_as(struct keyclient *, const uint8_t certificate_sha256[32], size_t n, const uint8_t digests[][32],
    struct status_signature *signatures);
/* Makes the next key; it is used once its certificate is installed.  proof: for signer_responder(). */
int status_signer_new_key(struct keyclient *, unsigned issuer, struct buf *spki, struct buf *proof);
/* ICERT_E_MISMATCH when the certificate is for neither key. */
int status_signer_install_certificate(struct keyclient *, unsigned issuer, const uint8_t *cert_der, size_t len);

#endif
