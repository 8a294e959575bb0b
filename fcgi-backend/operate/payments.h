#ifndef ICERT_OPERATE_PAYMENTS_H
#define ICERT_OPERATE_PAYMENTS_H

#include "operate/instance.h"

/* Payments as the administrator sees them: which notification came and what became of it; of people nothing but an order's number. */
struct payments_choice {
	const char *gateway, *event, *order;   /* order: number or uuid; NULL: all */
	const char *from, *to;                 /* UTC, "2026-11-23", "2026-11-23T04:00" or with seconds; when it was received; NULL: all */
	int waiting;                           /* only those that have not been applied */
	int rehearsal;                         /* replay: only tell what it would do */
	int seconds;                           /* replay: how long to wait for the clerk */
};

/* Newest last, with what each led to.  0, or 2 when it could not be asked. */
int	payments_list(const struct instance *i, const struct payments_choice *choice);

/* An order, or the event of that id: its state, what was concluded of payments, refunds, notifications.  1: there is none. */
int	payments_show(const struct instance *i, const struct payments_choice *choice, const char *what);

/*
 * Has the clerk apply the chosen notifications once more, and prints what each came to; the gateway is asked, so nothing is counted
 * twice.  Audited.  0 done, 1 not all of it within `seconds`, or nothing was chosen, 2 it could not be asked.
 */
int	payments_replay(const struct instance *i, const struct payments_choice *choice);

#endif
