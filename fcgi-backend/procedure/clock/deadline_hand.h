#ifndef ICERT_PROCEDURE_DEADLINE_HAND_H
#define ICERT_PROCEDURE_DEADLINE_HAND_H
/*
 * What the handlers of deadlines share.  For this room alone.  A handler runs
 * inside the transaction that holds the deadline's row, checks its guard anew
 * and says in *outcome what becomes of the row; an error leaves it for later.
 */
#include <stdint.h>

#include "procedure/clock/deadline.h"
#include "procedure/mailing.h"
#include "procedure/transition.h"

struct due {
	char id[ID_TEXT], kind[32], subject[ID_TEXT], application[ID_TEXT];
	int tries;                  /* how often it had to wait */
	int troubled;               /* it failed before (trouble.h) */
	int counted;                /* against the hour's ceiling (breaker.h) */
	int64_t now;                /* business clock */
	int64_t later_at;           /* set by a handler that answers OUTCOME_LATER */
};

/* VOID: there is nothing to do any more.  LEFT: the handler has put the row where it belongs. */
enum outcome { OUTCOME_DONE, OUTCOME_VOID, OUTCOME_LATER, OUTCOME_LEFT };

/* Again at `at`, or in a few seconds when that is not ahead. */
enum outcome deadline_wait(struct due *, int64_t at);

/* The state and version of a case under lock, and what its mails need. */
struct held {
	enum application_state state;	/* 0: no such case */
	int version, province;
	char contact[ID_TEXT], key[ID_TEXT], number[32];
	int64_t created_at, closes_at, since;
};

int	deadline_hold(struct act *, const char *application, struct held *);

/* Mails of a held case: to its contact, and to its province's queue. */
int	deadline_mail(struct act *, const char *application, const struct held *, enum mail_template,
	    const struct outbox_variable *, size_t n, const char *dedup);
int	deadline_mail_staff(struct act *, const char *application, const struct held *, const char *queue,
	    const char *dedup);
int	deadline_revoked(struct act *, const char *application, const struct held *, const char *certificate,
	    const char *serial, const char *reason, int64_t at);

/* The applicant hears that the clock ("contract", "application") ends later now, and why: cause is
 * "extension", "mail", "outage_portal", …  A case without that clock is told nothing. */
int	deadline_tell_moved(struct act *, const char *application, const char *clock, const char *cause,
	    const char *dedup);

/* *stands: whether another of this kind and subject, later and due as well, speaks instead. */
int	deadline_overtaken(struct act *, const struct due *, int *stands);

/* The 120 hours of the contract (deadline_contract.c). */
int	deadline_contract_warn(struct act *, struct due *, enum outcome *);
int	deadline_contract_due(struct act *, struct due *, enum outcome *);
/* Once a round: the mails of contracts that were taken since, each in a transaction of its own. */
int	deadline_contract_accepted(struct act *);

/* Handlers that only tell (deadline_tell.c). */
int	deadline_application_warn(struct act *, struct due *, enum outcome *);
int	deadline_appointment_remind(struct act *, struct due *, enum outcome *);
int	deadline_certificate_warn(struct act *, struct due *, enum outcome *);

#endif
