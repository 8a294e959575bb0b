#ifndef PKI_LINT_H
#define PKI_LINT_H

#include "libicert/approval.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The lint: rules that a certificate must keep, each with its source, read with
 * OpenSSL's parser and not with what composed it.  It runs on the TBSCertificate before
 * the key signs and on the certificate after; one failing rule stops issuance.
 * docs/certificate-profile.md lists the rules.
 */

enum lint_kind {
	LINT_PERSON = 1,	/* a natural person's */
	LINT_RESPONDER = 2,	/* an OCSP responder's */
	LINT_ISSUING = 4,	/* the issuing CA's */
	LINT_ROOT = 8		/* the root's own */
};

/* What the certificate is meant to be.  All of it belongs to the caller. */
struct lint_expect {
	enum lint_kind kind;
	const uint8_t *issuer;		/* the issuer's certificate, DER; NULL for a root */
	size_t issuer_len;
	const uint8_t *serial;		/* 16 octets */
	int64_t not_before;		/* UTC seconds */
	int64_t not_after;		/* a person's: left 0, it follows from the fields */
	const uint8_t *spki;
	size_t spki_len;
	const char *organization;	/* the O of the CA that verifiers look for */
	const char *ocsp_url;		/* "" where there is none */
	const char *issuer_url;
	const char *crl_url;
	const char *cps_url;
	const struct cert_fields *fields;	/* a person's; else NULL */
};

/* Which rule failed.  detail holds no personal data. */
struct lint_finding {
	const char *rule;	/* stable, lower case: "san-order"; static storage */
	const char *source;	/* "RFC 5280, 4.2.1.6"; static storage */
	char detail[96];
};

/* 0; ICERT_E_LINT with the finding; ICERT_E_MEMORY. */
int lint_tbs(const struct lint_expect *, const uint8_t *tbs, size_t len, struct lint_finding *);
/* The same for the certificate made of that TBS: also the signature, and that what was signed is what was read before. */
int lint_certificate(const struct lint_expect *, const uint8_t *tbs, size_t tbs_len, const uint8_t *der, size_t len,
    struct lint_finding *);

/* The rules, for the documentation and the tests: the i-th, NULL past the end. */
const char *lint_rule_name(size_t i, const char **source, unsigned *kinds);

#endif
