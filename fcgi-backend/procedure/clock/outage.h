#ifndef ICERT_PROCEDURE_OUTAGE_H
#define ICERT_PROCEDURE_OUTAGE_H
/*
 * When the portal, the mail or the checker was down: that time is added to every clock that
 * ran then, on record, and the applicants are told.  icert-clerk notices its own absence and a
 * mail server that does not answer; everything else is entered by one person of the
 * national office and confirmed by another.  While one is not yet added, nothing is
 * cancelled or revoked.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/office.h"

#define OUTAGE_PORTAL	"portal"
#define OUTAGE_MAIL	"mail"
#define OUTAGE_CHECKER	"checker"
extern const char *const outage_parts[];	/* NULL-terminated */

struct outage {
	struct office_request q;
	char	part[12];
	int64_t	from_at, to_at;		/* business clock; to_at 0: it goes on */
	int64_t	applied_at;		/* 0: not yet */
};

/* Newest first.  *n: room, then filled.  National office, auditor. */
int	outage_list(struct act *, struct outage *rows, size_t *n);

/* Asks.  ICERT_E_INVALID: no such part, or not from < to <= now, or longer ago than
 * policy outage.days_back; ICERT_E_DENIED. */
int	outage_request(struct act *, const char *part, int64_t from_at, int64_t to_at);

/* ICERT_E_DENIED: not of the national office, or who asked; ICERT_E_NOT_FOUND: not open; errors of staff_factor(). */
int	outage_confirm(struct act *, const char *id, const char *code);
int	outage_withdraw(struct act *, const char *id);

/* ---- what follows is the clerk's ---- */

/* Inside the open transaction: we were away from `from` to `to`; shorter than policy outage.seconds is none. */
int	outage_noticed(struct act *, const char *part, int64_t from_at, int64_t to_at);

/* In a transaction of its own: the part does not answer since `since`, or (0) does.  Kept as one
 * outage that goes on until it answers. */
int	outage_watch(struct act *, const char *part, int64_t since);

/* Adds what has ended to the clocks, at most `most` of them, each in its own transaction; *done counts what was
 * tried, most of them: there is more to do at once. *waits: some outage
 * goes on, or is not added to every clock: nothing is to end now. */
int	outage_apply(struct act *, size_t most, size_t *done, int *waits);

#endif
