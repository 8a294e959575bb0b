#ifndef ICERT_AUDIT_AUDIT_H
#define ICERT_AUDIT_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

struct db;

/*
 * One thing that was done or refused.  People appear by reference (a uuid),
 * never by name, cedula or address; `detail` is a JSON object whose values
 * are codes, numbers, references and hashes.  All strings are ASCII or
 * UTF-8 and borrowed; NULL means "not applicable" and is stored as NULL.
 */
struct audit_event {
	const char *action;       /* "application.submitted": noun.verb, stable; never NULL */
	const char *outcome;      /* "done" or "refused"; NULL is "done" */
	const char *reason;       /* stable code of a refusal or of a decision */
	const char *actor_kind;   /* "contact", "staff", "program", "anyone"; never NULL */
	const char *actor;        /* uuid of the contact or staff member, name of the program */
	const char *subject_kind; /* "application", "order", "certificate", "session", ... */
	const char *subject;      /* its uuid (or, for a row without one, its name) */
	const char *case_id;      /* uuid of the application concerned: a citizen's receipt collects by it */
	int province;             /* 1..24; 0 none */
	const char *country;      /* ISO 3166 alpha-2, log-ins only (from the edge) */
	const char *network;      /* the caller's address, cut to /24 or /48 before it gets here */
	const char *detail;       /* JSON object; NULL is "{}" */
	int64_t count;            /* how often since the last such row; 0 and 1 are once */
	int64_t at;               /* UTC seconds; 0: now, real time */
};

/*
 * Inserts one row into icert.audit on the caller's connection, in the
 * caller's transaction if one is open: what is rolled back leaves no trace,
 * and what is committed cannot lack its row.  The row gets a new id; its
 * place in the tree is given later by icert-clerk.  Returns 0, or the
 * negative error of the store, after which the transaction must be rolled back.
 * Statements queued before must have been received.
 */
int	audit_append(struct db *db, const struct audit_event *event);

/*
 * The bytes that are hashed into the tree for a row: "icert-audit-v1" and
 * then every column in the order of the struct above after id and at, each
 * as a u32 big-endian length and the bytes (0xffffffff for NULL).  A
 * verifier must come to the same bytes from the stored row alone, so times
 * are decimal UTC microseconds and detail is the text as stored.
 */
struct audit_row {
	const char *id, *at_us;   /* uuid; decimal microseconds since 1970, UTC */
	const char *action, *outcome, *reason, *actor_kind, *actor, *subject_kind,
	    *subject, *case_id, *province, *country, *network, *detail, *count;
};
int	audit_row_bytes(const struct audit_row *row, struct buf *out);

/*
 * Refusals that a stranger can cause at will (a forged notification, a wrong
 * code) are counted in the process and written at most once in `window_s`
 * seconds per action and reason: the first at once, the rest as one row with
 * a count.  One tally a worker; zero it before use.  Event strings other
 * than action, reason and actor_kind are those of the row's first event.
 */
#define AUDIT_TALLY_KINDS 32
struct audit_tally {
	struct {
		char action[48], reason[48], actor_kind[12], actor[40], subject_kind[24], subject[40];
		int64_t since_ms;         /* monotonic, of the last row written */
		int64_t count;            /* refusals since then */
	} kind[AUDIT_TALLY_KINDS];
	int64_t window_s;                 /* 0: 60 */
};

/* Counts or writes.  Outside a transaction.  Returns 0 or the store's error. */
int	audit_tally_add(struct audit_tally *tally, struct db *db, const struct audit_event *event);

/* Writes what has been counted and whose window is over (all of it if `now`). */
int	audit_tally_flush(struct audit_tally *tally, struct db *db, int now);

#endif
