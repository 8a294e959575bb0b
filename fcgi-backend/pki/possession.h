#ifndef PKI_POSSESSION_H
#define PKI_POSSESSION_H

#include "libicert/csr.h"

/*
 * A key that was made in a token: may it be certified, and does whoever brought
 * the request hold it?  RFC 4211, 4, calls the second proof of possession; in a
 * PKCS#10 it is the signature (RFC 2986, 3).
 */
struct possession {
	struct csr csr;			/* points into the request */
	int bits;			/* of the modulus */
	uint8_t spki_sha256[32];
	const char *why;		/* what is wrong and its source, static; NULL when nothing is */
};

/*
 * Reads a request in DER, holds its key to spki_check_holder() and verifies its
 * signature with that key.  0; ICERT_E_MALFORMED, ICERT_E_TOO_LARGE (not a
 * request); ICERT_E_UNSUPPORTED (another kind of key or digest than the
 * profile's); ICERT_E_INVALID (a key that may not be certified);
 * ICERT_E_FORGED (no proof of possession); ICERT_E_CRYPTO.
 */
int possession_check(struct possession *, const uint8_t *der, size_t len);

#endif
