#ifndef ICERT_PROCEDURE_DEADLINE_H
#define ICERT_PROCEDURE_DEADLINE_H
/*
 * A deadline is a row (due_at, kind, subject), written in the transaction of
 * its cause.  The clerk takes due rows with FOR UPDATE SKIP LOCKED and checks
 * the guard again inside the transaction.  A kind without a handler is left alone.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"

#define DEADLINE_DRAFT_REMOVE		"draft_remove"		/* 30 days from creation */
#define DEADLINE_APPLICATION_WARN	"application_warn"	/* 15, 25, 29 days from submission */
#define DEADLINE_APPLICATION_CANCEL	"application_cancel"	/* 30 calendar days from submission */
#define DEADLINE_PURCHASE_EXPIRE	"purchase_expire"
#define DEADLINE_IDENTIFIED_STALE	"identified_stale"	/* 24 h from identification */
#define DEADLINE_CONTRACT_WARN		"contract_warn"		/* 24, 72, 108 h from issuance */
#define DEADLINE_CONTRACT_DUE		"contract_due"		/* 120 h from issuance */
#define DEADLINE_DELIVERY_DESTROY	"delivery_destroy"	/* 15 days from issuance */
#define DEADLINE_APPOINTMENT_REMIND	"appointment_remind"	/* 24 h and 1 h before */
#define DEADLINE_CERTIFICATE_WARN	"certificate_warn"	/* 60, 30, 15, 7, 1 days before notAfter */
#define DEADLINE_CERTIFICATE_EXPIRE	"certificate_expire"	/* notAfter */

/* Queues one in the open transaction.  subject_kind: "application", "purchase",
 * "certificate", "appointment"; application may be NULL. */
int	deadline_add(const struct act *, const char *kind, const char *subject_kind, const char *subject,
	    const char *application, int64_t due_at);

/*
 * The clock of the 120 hours (contract_due and its reminders), inside the open transaction and with
 * an audit row; by the case's contact, the staff of its province or the clerk.
 * stop: it stands from now on; one that stands already is left.  run: it runs on, every end later by
 * as long as it stood, and with at least `least` seconds left (0: as it comes).
 * reason: stable code for the audit row ("contract_received", "bounce").  *due_at (may be
 * NULL): its end after that; 0 when the case has no such clock, which is no error.
 */
int	deadline_clock_stop(const struct act *, const char *application, const char *reason, int64_t *due_at);
/* The same from an earlier moment on: when a contract arrived that is entered now. */
int	deadline_clock_stop_at(const struct act *, const char *application, int64_t at, const char *reason,
	    int64_t *due_at);
int	deadline_clock_run(const struct act *, const char *application, const char *reason, int64_t least,
	    int64_t *due_at);

struct deadline_clock {
	int64_t	due_at;		/* UTC seconds, business clock; while it stands, of the moment it stopped */
	int64_t	stopped_at;	/* 0: it runs */
};
/* As it is, for whoever sees the case; in the open transaction or one of its own.  ICERT_E_NOT_FOUND. */
int	deadline_clock(const struct act *, const char *application, struct deadline_clock *);

/* Its end as a mail's variable (decimal seconds); "" while it stands, and when the case has none. */
int	deadline_clock_end(const struct act *, const char *application, char end[24]);

/* The clerk: handles what is due, at most `most` rows, each in its own
 * transaction.  *done counts them, and the clocks that an outage was
 * added to before (outage.h): not less than most, and there is more.  While a breaker stands (breaker.h), what ends or
 * destroys something waits. */
int	deadline_run(struct act *, size_t most, size_t *done);

#endif
