/*
 * The generic cell rate algorithm (ITU-T I.371, annex A; virtual scheduling):
 * one timestamp a key, integer arithmetic, no window whose edge lets twice the
 * rate through.
 */
#ifndef LIBICERT_GCRA_H
#define LIBICERT_GCRA_H

#include <stdint.h>

#include "libicert/error.h"

#define GCRA_SECOND	INT64_C(1000000000)	/* time is in nanoseconds */
#define GCRA_BURST_MAX	1000000
#define GCRA_SPAN_MAX	(30 * 86400 * GCRA_SECOND)	/* longest time to recover a whole burst */

struct gcra {
	int64_t		interval;	/* ns between two requests of cost 1 at the rate */
	int64_t		tolerance;	/* interval * burst */
	uint32_t	burst;		/* requests of cost 1 that may come at once, at least 1 */
	uint32_t	quota;		/* as configured: quota requests … */
	uint32_t	window;		/* … in so many seconds */
};

struct gcra_answer {
	int		allowed;
	int		never;		/* the cost is above the burst: it can never pass */
	uint32_t	remaining;	/* requests of cost 1 that may still come at once */
	int64_t		retry;		/* ns until the same cost would pass; 0 when allowed */
	int64_t		reset;		/* ns until the whole burst is there again */
	int64_t		ahead;		/* ns by which the key was ahead of its rate before this request */
};

/* quota requests in window seconds.  0 or ICERT_E_INVALID. */
int	gcra_init(struct gcra *, uint32_t quota, uint32_t window, uint32_t burst);

/*
 * Asks for a cost (0 asks only) at the monotonic time now.  *tat, 0 for a new
 * key, is the theoretical arrival time of the next request; it moves only when
 * the answer is yes, or when the clock went back behind what the rule can explain.
 */
void	gcra_ask(const struct gcra *, int64_t *tat, int64_t now, uint32_t cost, struct gcra_answer *);

/* ns in whole seconds, rounded up, at least 1 when above 0. */
int64_t	gcra_seconds(int64_t ns);

#endif
