#ifndef ICERT_PROCEDURE_DEADLINE_HAND_H
#define ICERT_PROCEDURE_DEADLINE_HAND_H
/*
 * What the handlers of deadlines share.  For this room alone.  A handler runs
 * inside the transaction that holds the deadline's row, checks its guard anew
 * and says in *outcome what becomes of the row; an error leaves it for later.
 */
#include <stdint.h>

#include "procedure/deadline.h"
#include "procedure/mailing.h"
#include "procedure/transition.h"

struct due {
	char id[ID_TEXT], kind[32], subject[ID_TEXT], application[ID_TEXT];
	int tries;                  /* how often it had to wait, or failed */
	int counted;                /* against the hour's ceiling (breaker.h) */
	int64_t now;                /* business clock */
	int64_t later_at;           /* set by a handler that answers OUTCOME_LATER */
};

/* VOID: there is nothing to do any more. */
enum outcome { OUTCOME_DONE, OUTCOME_VOID, OUTCOME_LATER };

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

/* Handlers that only tell (deadline_tell.c). */
int	deadline_application_warn(struct act *, struct due *, enum outcome *);
int	deadline_appointment_remind(struct act *, struct due *, enum outcome *);
int	deadline_certificate_warn(struct act *, struct due *, enum outcome *);

#endif
