#ifndef PKI_PROFILE_H
#define PKI_PROFILE_H

#include "libicert/approval.h"
#include "libicert/buf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The certificates of the authority, composed as DER by us: what is signed is
 * exactly what stands here.  Every function appends one TBSCertificate (RFC
 * 5280, 4.1) to a buffer; profile_certificate() joins it with its signature.
 * Nothing is checked for sense here: that is the lint's office (lint.h), which
 * reads the result with another library.  docs/certificate-profile.md.
 */

#define PROFILE_SERIAL 16	/* octets of a certificate's serial number */

/*
 * A serial of exactly 16 octets from the kernel's CSPRNG: positive, no leading
 * zero octet, 126 random bits (RFC 5280, 4.1.2.2).  0 or ICERT_E_SYSTEM.
 */
int profile_serial(uint8_t out[PROFILE_SERIAL]);

/*
 * not_before plus so many calendar years, to the second; 29 February becomes
 * the 28th.  UTC seconds.
 */
int64_t profile_years(int64_t not_before, int years);

/* A distinguished name of a CA or responder; "" leaves an attribute out. */
struct profile_name {
	const char *country;		/* PrintableString; the others UTF8String */
	const char *locality;
	const char *organization;
	const char *organizational_unit;
	const char *common_name;
};

/* What an issuer puts into every certificate.  Strings and bytes are the caller's. */
struct profile_issuer {
	struct buf name;	/* its subject Name, DER as in its certificate */
	struct buf key_id;	/* its subjectKeyIdentifier, the octets */
	const char *ocsp_url;	/* first in AIA; "" for none */
	const char *issuer_url;	/* caIssuers, after OCSP; "" for none */
	const char *crl_url;
	const char *cps_url;
};

#define PROFILE_ISSUER_INIT { BUF_INIT, BUF_INIT, "", "", "", "" }

/*
 * Name and key identifier out of the issuer's certificate (DER); URLs are left
 * alone.  0, ICERT_E_MALFORMED, ICERT_E_MEMORY.
 */
int profile_issuer_read(struct profile_issuer *, const uint8_t *certificate, size_t len);
void profile_issuer_free(struct profile_issuer *);

/*
 * A natural person's certificate: fields->years from not_before, key usage,
 * policy and personal fields as docs/certificate-profile.md says, extensions
 * SAN, AIA, SKI, BC, AKI, CP, CRLDP, KU, EKU in that order.
 * 0, ICERT_E_INVALID (a field that cannot be encoded), ICERT_E_MEMORY, ICERT_E_CRYPTO.
 */
int profile_person(const struct profile_issuer *, const struct cert_fields *,
    const uint8_t serial[PROFILE_SERIAL], int64_t not_before, const uint8_t *spki, size_t spki_len,
    struct buf *tbs);

/* The self-signed root: no CRL distribution point, anyPolicy.  Errors as above. */
int profile_root(const struct profile_name *, const char *cps_url, const uint8_t serial[PROFILE_SERIAL],
    int64_t not_before, int64_t not_after, const uint8_t *spki, size_t spki_len, struct buf *tbs);

/* The issuing CA under the root (pathlen 0); its crl_url is the ARL's. */
int profile_issuing(const struct profile_issuer *root, const struct profile_name *,
    const uint8_t serial[PROFILE_SERIAL], int64_t not_before, int64_t not_after, const uint8_t *spki,
    size_t spki_len, struct buf *tbs);

/*
 * A delegated OCSP responder (RFC 6960, 4.2.2.2): id-kp-OCSPSigning,
 * id-pkix-ocsp-nocheck, neither AIA nor CRL distribution point.
 */
int profile_responder(const struct profile_issuer *, const struct profile_name *,
    const uint8_t serial[PROFILE_SERIAL], int64_t not_before, int64_t not_after, const uint8_t *spki,
    size_t spki_len, struct buf *tbs);

/* A Name, as profile_root() would write it. */
void profile_name_der(const struct profile_name *, struct buf *out);

/*
 * SEQUENCE { tbs, sha256WithRSAEncryption, signature }: a Certificate or a
 * CertificateList.  0 or the buffer's error.
 */
int profile_signed(const uint8_t *tbs, size_t tbs_len, const uint8_t *signature, size_t signature_len,
    struct buf *out);

/* AlgorithmIdentifier sha256WithRSAEncryption with its NULL (RFC 4055, 5). */
void profile_sha256_rsa(struct buf *out);

#endif
