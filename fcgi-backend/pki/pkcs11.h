#ifndef PKI_PKCS11_H
#define PKI_PKCS11_H

#include "libicert/buf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A key in a PKCS#11 token (OASIS PKCS #11 2.40, "Cryptoki"), asked directly. The
 * module is loaded and C_Initialize called in the process that uses it, after
 * any fork: a handle does not survive one.
 *
 * The key never leaves: private objects are made sensitive and non-extractable. Only
 * digests go in: as DigestInfo under CKM_RSA_PKCS (RFC 8017, 9.2), or as they are under CKM_ECDSA.
 */
struct pkcs11;

/*
 * Loads the module.  softhsm_conf: the configuration file for SoftHSM2 (put into the
 * environment before the module is initialised), NULL for another module.
 * 0, ICERT_E_UNAVAILABLE (no such module, or it does not initialise), ICERT_E_MEMORY.
 */
int pkcs11_load(struct pkcs11 **, const char *module, const char *softhsm_conf);
/* Logs out, finalises, unloads.  NULL is allowed. */
void pkcs11_free(struct pkcs11 *);

/* What the last call answered, for the log: "C_Login: 0x000000a0". */
const char *pkcs11_detail(const struct pkcs11 *);

/*
 * A fresh token in the first free slot, with this label and PIN (also the security
 * officer's).  ICERT_E_CRYPTO; ICERT_E_EXISTS when a token of that label is there.
 */
int pkcs11_init_token(struct pkcs11 *, const char *label, const char *pin);
/* Opens a session with the token of that label and logs in.  ICERT_E_NOT_FOUND, ICERT_E_DENIED (PIN), ICERT_E_CRYPTO. */
int pkcs11_login(struct pkcs11 *, const char *label, const char *pin);

/* Makes an RSA key pair with exponent 65537 under a key label.  ICERT_E_EXISTS, ICERT_E_CRYPTO. */
int pkcs11_make_rsa(struct pkcs11 *, const char *key_label, unsigned bits);
/* The same on P-256. */
int pkcs11_make_p256(struct pkcs11 *, const char *key_label);
/* Destroys both halves of a key; one that is not there is no error.  No key is chosen afterwards.  ICERT_E_CRYPTO. */
int pkcs11_destroy(struct pkcs11 *, const char *key_label);
/*
 * Chooses the key that pkcs11_sign() uses; ICERT_E_DENIED when the token would give
 * it away (it is extractable or not sensitive), ICERT_E_NOT_FOUND, ICERT_E_UNSUPPORTED (neither RSA nor EC).
 */
int pkcs11_choose(struct pkcs11 *, const char *key_label);
/* Appends the chosen key's SubjectPublicKeyInfo. */
int pkcs11_spki(struct pkcs11 *, struct buf *spki);
/* Appends the signature over a SHA-256 digest: PKCS#1 v1.5 of an RSA key, DER of an EC key.  ICERT_E_STATE without a chosen key, ICERT_E_CRYPTO. */
int pkcs11_sign(struct pkcs11 *, const uint8_t digest[32], struct buf *signature);

#endif
