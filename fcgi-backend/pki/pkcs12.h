#ifndef PKI_PKCS12_H
#define PKI_PKCS12_H

#include "libicert/buf.h"
#include "libicert/keyproto.h"

/*
 * The holder's file (RFC 7292): one key, the holder's certificate, then issuing CA and root; friendlyName and
 * localKeyID on key and first certificate.
 *
 *	PKCS12_MODERN	key and certificates AES-256-CBC with PBKDF2-HMAC-SHA-256 (RFC 8018), MAC HMAC-SHA-256,
 *			salts of 16 octets
 *	PKCS12_LEGACY	key and certificates 3DES with the PKCS#12 derivation, MAC HMAC-SHA-1: what Java before 12
 *			and old Windows read.  Never RC2-40, which OpenSSL 3 refuses.
 */
#define PKCS12_KEY_MAX 4096

struct pkcs12 {
	const uint8_t *key;	/* PKCS#8 PrivateKeyInfo, DER */
	size_t key_len;
	size_t n;		/* certificates, the holder's first: 1 … CHAIN_MAX */
	struct {
		const uint8_t *der;
		size_t len;
	} cert[CHAIN_MAX];
	const char *friendly_name;	/* UTF-8; "" for none */
	const char *password;		/* printable ASCII */
	enum pkcs12_profile profile;
	int iterations;
};

/*
 * Appends the file's DER to out, after opening it again with the password.
 * 0, ICERT_E_MALFORMED (key or certificate), ICERT_E_MISMATCH (the key is not the first certificate's), ICERT_E_INVALID,
 * ICERT_E_CRYPTO, ICERT_E_MEMORY.
 */
int pkcs12_make(const struct pkcs12 *, struct buf *out);

#endif
