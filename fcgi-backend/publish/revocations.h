#ifndef PUBLISH_REVOCATIONS_H
#define PUBLISH_REVOCATIONS_H
/*
 * The revoked certificates of one CA, in memory: what its CRLs are made of.  A certificate enters once and never leaves
 * before its own end: a database of yesterday takes nothing back.
 */
#include "crypt/signer.h"
#include "pki/crl.h"
#include "publish/answers.h"
#include "publish/segments.h"

struct revocations {
	struct cert_status *list;
	size_t n, room;
	uint32_t *slots;	/* numbers + 1, open addressing by serial */
	size_t slots_n;		/* a power of two, above twice n */
};

/* Adds one that is revoked; one that is there stays as it is.  0 or ICERT_E_MEMORY. */
int	revocations_add(struct revocations *, const struct cert_status *);
const struct cert_status *revocations_find(const struct revocations *, const uint8_t serial[16]);
/* Adds what the published set calls revoked of the CA at this place. */
int	revocations_add_published(struct revocations *, const struct segments *, size_t place);

/* Adds what the signer once signed as revoked, without reasons: it knows only that. */
int	revocations_add_signed(struct revocations *, unsigned issuer, const struct signed_revocation *, size_t n);
/* The same list in memory of its own.  0 or ICERT_E_MEMORY. */
int	revocations_copy(struct revocations *to, const struct revocations *from);

/*
 * The entries of a CRL, of one partition or (0) of all: those that end after `ended_after` (the thisUpdate of the last CRL, so that an expired
 * one stays for one more).  malloc'd; NULL with *n 0 when there are none.  0 or ICERT_E_MEMORY.
 */
int	revocations_entries(const struct revocations *, unsigned partition, int64_t ended_after, struct crl_entry **, size_t *n);
void	revocations_free(struct revocations *);

#endif
