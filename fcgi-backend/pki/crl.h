#ifndef PKI_CRL_H
#define PKI_CRL_H

#include "libicert/buf.h"
#include "libicert/keyproto.h"
#include "pki/profile.h"

#include <openssl/x509.h>

/*
 * Certificate revocation lists (RFC 5280, 5): version 2, complete or of one partition (then with a critical
 * issuingDistributionPoint, whose name is octet by octet that of the certificates' cRLDistributionPoints), with
 * authorityKeyIdentifier and cRLNumber; entries with a reason code except
 * for "unspecified", which RFC 5280, 5.3.1 asks to leave out.
 */

#define CRL_REASON_UNSPECIFIED 0
#define CRL_REASON_KEY_COMPROMISE 1
#define CRL_REASON_AFFILIATION_CHANGED 3
#define CRL_REASON_SUPERSEDED 4
#define CRL_REASON_CESSATION 5
#define CRL_REASON_PRIVILEGE_WITHDRAWN 9

/* May a reason stand in an end entity's entry?  (7 is unused; hold, remove and the CA reasons are not for it.) */
int crl_reason_valid(int reason);

struct crl {
	const struct profile_issuer *issuer;
	uint64_t number;
	int64_t this_update;		/* UTC seconds */
	int64_t next_update;
	const char *point;		/* of a partition: its distribution point's address; NULL: a complete list */
	struct crl_entry *entries;	/* put into the order of their serials */
	size_t n;
};

/*
 * Appends the TBSCertList.  0, ICERT_E_INVALID (times not in order, a reason that
 * may not stand, the same serial twice, an entry revoked after this_update), ICERT_E_MEMORY,
 * ICERT_E_TOO_LARGE.
 */
int crl_compose(const struct crl *, struct buf *tbs);

/*
 * The partition that a certificate's cRLDistributionPoints name, where `url` is the address of its CA's complete list: 0 for
 * that one.  0, ICERT_E_NOT_FOUND (neither the list nor a partition of it), ICERT_E_MALFORMED.
 */
int crl_point_partition(const X509 *, const char *url, unsigned *partition);

/* The same of a certificate (DER) of whichever of our CAs, where `url` is the address of the first one's list. */
int crl_point_find(const uint8_t *certificate, size_t len, const char *url, unsigned *issuer, unsigned *partition);

#endif
