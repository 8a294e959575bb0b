#ifndef ICERT_PROCEDURE_REFUND_H
#define ICERT_PROCEDURE_REFUND_H
/*
 * Money that is given back (docs/money.md): finance asks, for one payment of one order; another person confirms with a fresh
 * code; the clerk has the gateway do it, as often as needed and once.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"
#include "procedure/office.h"
#include "procedure/order/purchase.h"
#include "procedure/order/settlement.h"

#define REFUND_WORDS 500
extern const char *const refund_reasons[];	/* codes, "authority_fault", …; ends in NULL */

struct refund {
	struct office_request	q;		/* its state besides: done, failed */
	char			order[ID_TEXT], number[NUMBER_TEXT];
	char			conclusion[ID_TEXT];	/* story_conclusion's id */
	char			gateway[GATEWAY_NAME], payment[GATEWAY_ID], currency[4];
	char			reason[24], outcome[32];
	char			words[REFUND_WORDS + 1];	/* what it is founded on; when one order is asked for, "" destroyed */
	int64_t			cents, ended_at;	/* 0 not yet */
	int			own;		/* the order's own money */
};

/* Of one order, or (NULL) of all, what waits first, newest first.  *n: room, then filled.  Finance, national office, auditor. */
int	refund_list(struct act *, const char *order, struct refund *, size_t *n);

/*
 * Asks for a payment to be given back in full.  ICERT_E_EXISTS: that is asked or done already; ICERT_E_STATE: it is no money that
 * can be given back (refused, in dispute, returned by the gateway); ICERT_E_INVALID: reason or words.
 */
int	refund_request(struct act *, const char *conclusion, const char *reason, const char *words);

/* From the confirmation on the order whose own money it is is refunding, and nothing is issued for it.
 * ICERT_E_DENIED: who asked, also by another account; ICERT_E_CONFLICT: somebody was faster; errors of staff_factor(). */
int	refund_confirm(struct act *, const char *id, const char *code);
int	refund_withdraw(struct act *, const char *id);

/*
 * The clerk: at most `most` confirmed ones, each asked of its gateway under its own idempotency key.  One that the gateway
 * refuses is failed, and finance is told; one that is not answered waits, longer each time.
 */
int	refund_give(struct act *, struct settlement *, size_t most, size_t *done);

#endif
