/*
 * A certification request (PKCS#10, RFC 2986), as a token's software makes one,
 * read for what a certificate may take from it: the key, and the proof that
 * whoever asks holds its private half.  The subject and the attributes are
 * covered by the proof and are otherwise never looked at: names come from the
 * case (docs/certificate-profile.md).
 */
#ifndef LIBICERT_CSR_H
#define LIBICERT_CSR_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/der.h"

#define CSR_MAX		8192	/* octets of a request in DER */
#define CSR_TEXT_MAX	32768	/* octets of a file that holds one as PEM */
#define CSR_MODULUS_MAX	512	/* octets: RSA 4096 */

/* The digest of sha…WithRSAEncryption (RFC 8017, A.2.4). */
enum csr_digest { CSR_SHA256 = 1, CSR_SHA384, CSR_SHA512 };

/* Everything points into the request. */
struct csr {
	struct der	 info;		/* CertificationRequestInfo as it stands: what is signed */
	struct der	 spki;		/* SubjectPublicKeyInfo as it stands */
	struct der	 modulus;	/* big-endian, no leading zero octet */
	struct der	 exponent;
	enum csr_digest	 digest;
	struct der	 signature;	/* as long as the modulus */
};

/*
 * Reads a request in DER, whole: trailing octets are an error.  Only RSA keys
 * with PKCS #1 v1.5 signatures over SHA-2 are known; the SubjectPublicKeyInfo
 * is DER in the one form RFC 3279, 2.3.1 allows.  Checks no signature.
 * 0, ICERT_E_MALFORMED, ICERT_E_TOO_LARGE, ICERT_E_UNSUPPORTED (another kind of
 * key or signature).
 */
int	csr_parse(struct csr *, const uint8_t *p, size_t len);

/*
 * The DER of a file: as it is when it begins like DER, else what stands between
 * the first BEGIN and END line of a (NEW) CERTIFICATE REQUEST (RFC 7468).  Text
 * before and after is left alone, a second request is not.  Appended to out.
 * 0, ICERT_E_MALFORMED, ICERT_E_TOO_LARGE, ICERT_E_MEMORY.
 */
int	csr_unarmour(const uint8_t *p, size_t len, struct buf *out);

#endif
