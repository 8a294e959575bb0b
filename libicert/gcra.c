#include <string.h>

#include "libicert/gcra.h"

int
gcra_init(struct gcra *g, uint32_t quota, uint32_t window, uint32_t burst)
{
	memset(g, 0, sizeof(*g));
	if (quota == 0 || window == 0 || burst == 0 || burst > GCRA_BURST_MAX ||
	    window > GCRA_SPAN_MAX / GCRA_SECOND)
		return ICERT_E_INVALID;
	g->interval = window * GCRA_SECOND / quota;
	if (g->interval == 0 || g->interval > GCRA_SPAN_MAX / burst)
		return ICERT_E_INVALID;
	g->tolerance = g->interval * burst;
	g->burst = burst;
	g->quota = quota;
	g->window = window;
	return 0;
}

void
gcra_ask(const struct gcra *g, int64_t *tat, int64_t now, uint32_t cost, struct gcra_answer *a)
{
	int64_t	start = *tat, next;

	memset(a, 0, sizeof(*a));
	/* A time further ahead than the rule can make it is not ours, and is put right, or it would be so until then. */
	if (start < now)
		start = now;
	else if (start - now > g->tolerance)
		*tat = start = now + g->tolerance;
	a->ahead = start - now;
	if (cost > g->burst) {
		a->never = 1;
		next = start;
	} else {
		next = start + g->interval * cost;
		a->allowed = next - now <= g->tolerance;
		if (a->allowed)
			*tat = next;
		else {
			a->retry = next - now - g->tolerance;
			next = start;
		}
	}
	a->remaining = (uint32_t)((g->tolerance - (next - now)) / g->interval);
	a->reset = next - now;
}

int64_t
gcra_seconds(int64_t ns)
{
	return ns <= 0 ? 0 : (ns + GCRA_SECOND - 1) / GCRA_SECOND;
}
