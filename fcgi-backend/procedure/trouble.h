#ifndef ICERT_PROCEDURE_TROUBLE_H
#define ICERT_PROCEDURE_TROUBLE_H
/*
 * What a job of the clerk could not finish: a row of icert.trouble for each row that failed, with the error, how often, and when it
 * is tried again (in real time, each time after twice as long, a quarter of an hour at most).  So one bad row holds up no other, and
 * somebody sees it: the desk's page of troubles, `icertctl troubles`, the log's code work_stuck.
 *
 * A part is a kind of work ("deadline", "contract", "judge", ...); a subject is the id of its row.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"

/* For a statement's where: not while this row rests.  now is the parameter with clock_real(). */
#define TROUBLE_RESTS_NOT(part, subject, now) \
	" not exists (select from icert.trouble w where w.part = '" part "' and w.subject = " subject " and w.next_at > " now ")"

/*
 * What this process has in hand, in memory shared with whoever starts it again: a row that kills the process is
 * noted by the next one (trouble_died) and rests like any other.
 */
struct trouble_hand {
	char	part[24], subject[48];	/* "" nothing */
};
void	trouble_share(struct trouble_hand *);
void	trouble_begin(const char *part, const char *subject);
void	trouble_end(void);

/*
 * Notes a failure, outside of a transaction, and logs it.  detail: a kind or a state, nothing of a person.  What is only away
 * (ICERT_E_UNAVAILABLE, ICERT_E_TIMEOUT, ICERT_E_BUSY, ICERT_E_FULL) is tried again after seconds.  0, or the errors of the database: then nothing can go on.
 */
int	trouble_note(struct act *, const char *part, const char *subject, const char *detail, int error);
/* It went well, or is of no matter any more; in the open transaction or by itself. */
int	trouble_over(struct act *, const char *part, const char *subject);
/* At a job's start: what the process before this one died of. */
int	trouble_died(struct act *);
/* Rows that nobody has tried for two hours: what they were about has ended otherwise. */
int	trouble_sweep(struct act *);

/*
 * Does fn for the first column of each row, in a transaction of its own that fn begins and ends.  r is freed.  *done (may be
 * NULL) counts those that went well.  0, or the database's error.
 */
typedef int (*trouble_work)(void *ctx, const char *subject);
int	trouble_each(struct act *, const char *part, struct db_result *r, trouble_work fn, void *ctx, size_t *done);

/* As the desk and icertctl read it, the longest first. */
struct trouble {
	char	part[24], subject[81], code[32], detail[64];
	int	tries;
	int64_t	since, at, next_at;	/* real time */
};
int	trouble_list(struct act *, struct trouble *rows, size_t *n);

#endif
