#ifndef PKI_LINT_RULE_H
#define PKI_LINT_RULE_H

#include "pki/lint.h"

#include <openssl/x509v3.h>

/* Inside of the lint: what a rule sees, and the tables of rules. */
struct lint {
	const struct lint_expect *expect;
	X509 *x;			/* the certificate under test, parsed */
	X509 *issuer;			/* the same as x for a root */
	const uint8_t *der;		/* its octets */
	size_t len;
	const uint8_t *tbs;		/* those linted before signing; NULL before */
	size_t tbs_len;
	int is_signed;
	char *detail;			/* room of a finding's detail */
};

/* 0: kept; 1: broken, with lint_note() saying what was seen. */
typedef int (*lint_check)(struct lint *);

struct lint_rule {
	const char *name;
	const char *source;
	unsigned kinds;			/* of enum lint_kind, ored */
	lint_check check;
};

#define LINT_ALL (LINT_PERSON | LINT_RESPONDER | LINT_ISSUING | LINT_ROOT)
#define LINT_CA (LINT_ISSUING | LINT_ROOT)

extern const struct lint_rule lint_rules_common[], lint_rules_extensions[], lint_rules_person[];

/* Notes what was seen and returns 1. */
int lint_note(struct lint *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Is this ASN.1 string of that type and text? */
int lint_text_is(const ASN1_STRING *, int type, const char *text);
/* The extension's index, -1 when absent; *critical is set when present. */
int lint_extension(const struct lint *, int nid, int *critical);

#endif
