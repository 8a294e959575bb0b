#ifndef PKI_CMS_H
#define PKI_CMS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Detached signatures in CMS (RFC 5652), as PDF files carry them.  The signer is known beforehand: nothing of what the CMS
 * says about keys or certificates is believed.  Strangers' octets are read with libicert/ber.h and der.h alone; OpenSSL gets the certificate that
 * we issued, digests and the signature's octets.
 */
#define CMS_FAULTS(X)                                                                             \
	X(CMS_NO_FAULT, "ok")                                                                     \
	X(CMS_FORMAT, "cms-format")             /* not BER, or not a SignedData of this form */   \
	X(CMS_ATTACHED, "cms-attached")         /* carries content of its own */                  \
	X(CMS_SIGNERS, "cms-signers")           /* none, or several */                            \
	X(CMS_ALGORITHM, "cms-algorithm")       /* digest below SHA-256, or unknown */            \
	X(CMS_CERTIFICATE, "cms-certificate")   /* by another certificate than the expected */    \
	X(CMS_ATTRIBUTES, "cms-attributes")     /* signed attributes absent, doubled, or wrong */ \
	X(CMS_DIGEST, "cms-digest")             /* the document is not what was signed */         \
	X(CMS_BINDING, "cms-binding")           /* signing-certificate names another, or lacks */ \
	X(CMS_SIGNATURE, "cms-signature")       /* not made with the certificate's key */         \
	X(CMS_NO_MEMORY, "memory")

enum cms_fault {
#define X(name, code) name,
	CMS_FAULTS(X)
#undef X
	CMS_FAULT_COUNT
};

const char *cms_fault_code(enum cms_fault);

/* A run of the octets that are signed. */
struct cms_range {
	const uint8_t *p;
	size_t len;
};

struct cms_signed {
	int64_t signing_time;	/* as the signer claims, UTC seconds; 0: not said */
	int digest_bits;	/* 256, 384, 512 */
	int has_binding;	/* signing-certificate, v1 or v2 (RFC 5035) */
	size_t len;		/* octets of the CMS; what follows is padding of the caller's format */
};

/* Is a signing-certificate attribute needed (CAdES), or checked only when it is there? */
enum cms_binding { CMS_BINDING_OPTIONAL, CMS_BINDING_NEEDED };

/*
 * ISO 32000-1, 12.8.3.3.1 and EN 319 142-1, 4.1 ask for DER; what is BER, as CMS libraries that write in one pass make it, is
 * brought into that form first (the signed attributes are signed in DER in any case).
 * Verifies: ContentInfo is a SignedData without content and with one signer; the signer's identifier is the certificate's and
 * the certificate lies in it octet by octet; digest SHA-256, -384 or -512; contentType is id-data, messageDigest is that of
 * the ranges one after the other; signing-certificate(-v2) and CMSAlgorithmProtection are the certificate's and the
 * signer's own when present; the signature (RSA PKCS #1 v1.5 or PSS, ECDSA) verifies with the certificate's key.  Trailing octets must be zeros.
 * cert: DER of the certificate that has to have signed.  Validity and revocation are the caller's to look at.
 */
enum cms_fault cms_verify(const uint8_t *cms, size_t len, enum cms_binding, const struct cms_range *ranges, size_t n,
    const uint8_t *cert, size_t cert_len, struct cms_signed *out);

/* The same with the CMS in hexadecimal, as /Contents has it. */
enum cms_fault cms_verify_hex(const uint8_t *hex, size_t len, enum cms_binding, const struct cms_range *ranges, size_t n,
    const uint8_t *cert, size_t cert_len, struct cms_signed *out);

#endif
