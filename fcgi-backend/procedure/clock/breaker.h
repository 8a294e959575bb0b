#ifndef ICERT_PROCEDURE_BREAKER_H
#define ICERT_PROCEDURE_BREAKER_H
/*
 * What stops the clerk from ending things by itself: after a jump of the clock
 * (real against monotonic time, remembered across restarts), after a restore, and
 * beyond a ceiling an hour.  Two people of the national office release it.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"

/* Deadlines that end or destroy something; while a breaker stands they wait. */
#define BREAKER_KINDS	"'application_cancel', 'contract_due', 'draft_remove', 'delivery_destroy'"
/* Those that count against the ceiling: cancelling and revoking. */
#define BREAKER_COUNTED	"'application_cancel', 'contract_due'"

#define BREAKER_CLOCK	"clock"
#define BREAKER_RESTORE	"restore"
#define BREAKER_CEILING	"ceiling"

/*
 * The clerk, once a round: compares the clocks with those of the last round and
 * trips when real time jumped by more than breaker.clock_seconds, went back over
 * a boot, or was away over a boot for more than breaker.away_seconds.  *standing: whether
 * any breaker stands; *room: acts left within the hour's ceiling (breaker.ceiling_hour;
 * after a release as many as waited then, if that is more).
 */
int	breaker_look(struct act *, int *standing, int64_t *room);

/* Trips in a transaction of its own, with audit row and mail to the national
 * office; one that stands already is left as it is. */
int	breaker_trip(struct act *, const char *cause, int64_t amount);

struct breaker {
	char	id[ID_TEXT];
	char	cause[12];
	int64_t	amount, tripped_at, first_at;
	char	first_by[ID_TEXT], first_name[128];	/* "" nobody yet */
};
/* Those that stand.  *n: room, then filled.  National office and auditor. */
int	breaker_list(struct act *, struct breaker *rows, size_t *n);

struct breaker_waiting {
	char	kind[32], application[ID_TEXT], number[32], province[64];
	int64_t	due_at;
};
/* Deadlines of BREAKER_KINDS that are due and would still do something, oldest first; *total counts them all. */
int	breaker_waiting(struct act *, struct breaker_waiting *rows, size_t *n, int64_t *total);

/*
 * One of the two releases, with a fresh code of their own.  The first one's is kept
 * and *released is 0; the second, another person, lets the deadlines go on.
 * ICERT_E_DENIED: not of the national office, or the same person again; ICERT_E_NOT_FOUND: it
 * does not stand; errors of keeper_totp_verify().
 */
int	breaker_release(struct act *, const char *id, const char *code, int *released);

#endif
