#ifndef PUBLISH_BASE_H
#define PUBLISH_BASE_H
/*
 * A new base: every certificate's answers signed again, in the order of their serials, by threads of
 * its own while changes go on being published beside it.
 *
 * Three sources are merged: the database, the base in place and the deltas over it.  The database says what is
 * good and what is revoked, but what is public outlives it: a certificate that the published set calls revoked
 * stays so, and one that the database does not know (it was restored) is carried over.
 * Without the database the published set alone is signed again.
 *
 * One CA's part follows another's.  Once a CA has ended its answers are signed a last time, and from then on copied.
 *
 * It may be stopped or killed at any moment: the next one goes on where the last mark stands.
 */
#include <stdint.h>

#include "publish/answers.h"
#include "publish/revocations.h"
#include "publish/segments.h"

struct base_ca {
	const struct ocsp_template *template;	/* copied */
	struct segments_ca names;
	unsigned number;		/* in the database */
	const struct revocations *revocations;	/* copied; NULL: none.  What stands there is revoked, whatever a row says */
	int ended;			/* nextUpdate 99991231235959Z */
};

struct base_order {
	const char *conninfo;		/* NULL: from the published set alone */
	const char *socket;		/* the status signer's, for the publisher */
	int dirfd;
	const struct status_manifest *manifest;	/* in place; read before base_start() returns */
	const struct base_ca *ca;	/* in the order in which the manifest's segments are asked for them */
	size_t cas;
	unsigned hashes;
	unsigned threads;		/* that compose and wait for signatures */
	int64_t now;
	int64_t validity;		/* seconds */
	int64_t resume_within;		/* seconds: an older beginning is not taken up again */
	uint64_t epoch;			/* of the manifest that will name it, at least */
};

struct base;

/* Begins.  0 and *base, or ICERT_E_MEMORY, ICERT_E_SYSTEM, or the error of a segment in place. */
int	base_start(struct base **, const struct base_order *);
/* 1: still at work.  0: ended with *error; when that is 0, *entry is the new base. */
int	base_poll(struct base *, int *error, struct status_entry *entry);
/*
 * The newest segment that was in place when it was begun, at its first beginning if it was taken up again: what was
 * published later lies over the new base, which may not know of it.  "" when there was none.  Once base_poll() gave 0; lives
 * as long as the base.
 */
const char *base_newest(const struct base *);
/* Has written so many records so far. */
uint64_t base_records(struct base *);
/* Stops it, keeping what is marked, and frees. */
void	base_free(struct base *);

#endif
