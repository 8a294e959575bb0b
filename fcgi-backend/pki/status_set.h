#ifndef PKI_STATUS_SET_H
#define PKI_STATUS_SET_H

#include "libicert/keyproto.h"
#include "libicert/status.h"
#include "pki/ocsp_answer.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The statuses of all certificates of one issuing CA, in memory, with their signed answers: what
 * the publisher writes as a segment of the status store.  It knows no database, no socket and no key:
 * digests are signed by whoever is asked through status_set_sign().
 */
struct status_set;

/* Signs n (at most STATUS_BATCH) SHA-256 digests; lengths and octets of each into signature. */
struct status_set_signature {
	uint16_t len;
	uint8_t bytes[STATUS_SIGNATURE_MAX];
};
typedef int (*status_set_signer)(void *ctx, size_t n, const uint8_t digest[][32], struct status_set_signature *signature);

/* NULL: no memory. */
struct status_set *status_set_new(void);
void status_set_free(struct status_set *);

/* One certificate's status. */
struct status_set_record {
	uint8_t serial[16];
	int revoked;
	int reason;		/* CRLReason */
	int64_t revoked_at;	/* UTC seconds */
	int64_t not_after;
};

/*
 * Adds a certificate or changes its status; what has not changed keeps its answers.  ICERT_E_STATE: it was
 * revoked and would be good again, which is refused for good.  ICERT_E_MEMORY.
 */
int status_set_put(struct status_set *, const struct status_set_record *);
/* The record of a serial, NULL when there is none. */
const struct status_set_record *status_set_find(const struct status_set *, const uint8_t serial[16]);
size_t status_set_count(const struct status_set *);

/*
 * Answers are made with this template from now on; those made with another are made anew.  It belongs to the
 * caller and must stay.
 */
void status_set_template(struct status_set *, const struct ocsp_template *);

/* How many certificates have no answer, or one whose thisUpdate lies before `before`. */
size_t status_set_stale(const struct status_set *, int64_t before);
/*
 * Signs the answers of those, for [now, now + validity], cut to the responder's own end.
 * 0, the signer's error (what was signed so far stays), ICERT_E_STATE without a template.
 */
int status_set_sign(struct status_set *, int64_t now, int64_t validity, int64_t before, status_set_signer, void *ctx);

/*
 * Writes the segment `file` in the folder and fills the manifest's entry (named "base").  Every record must have
 * its answers.  0, ICERT_E_STATE, or the store's error.
 */
int status_set_write(const struct status_set *, int dirfd, const char *file, uint64_t epoch, struct status_entry *);

/*
 * The entries of a CRL: revoked certificates that end after `ended_after` (the thisUpdate of the last CRL, so that an expired
 * one stays for one more).  malloc'd; NULL with *n 0 when there are none.  0 or ICERT_E_MEMORY.
 */
int status_set_revoked(const struct status_set *, int64_t ended_after, struct crl_entry **, size_t *n);

#endif
