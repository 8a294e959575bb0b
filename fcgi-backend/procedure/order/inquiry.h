#ifndef ICERT_PROCEDURE_INQUIRY_H
#define ICERT_PROCEDURE_INQUIRY_H
/*
 * Questions to a gateway about the payment of an order, each kept for the order's story: who asked, when, and what was answered.
 */
#include <stdint.h>

#include "payments/gateway.h"
#include "procedure/act.h"

/* Who asks. */
#define INQUIRY_CLERK		"clerk"			/* after a notification, or of itself while an order is open */
#define INQUIRY_PORTAL		"portal"		/* before a payer gets another checkout */
#define INQUIRY_RECONCILIATION	"reconciliation"
#define INQUIRY_REFUND		"refund"		/* asks that it be given back */

/* A question that was asked and is kept later.  It points to what inquiry_query() was given, which lives longer. */
struct inquiry {
	const char	*order, *gateway, *payment, *asker, *answer;	/* order: NULL unknown; asker: NULL nothing was asked */
	int64_t		 cents, refunded;				/* -1 not stated */
	const char	*currency;
	int64_t		 at, ms;					/* the answer: real time; what it took */
	int		 written;					/* in a transaction: nothing is left to keep */
};

/*
 * gateway_query() of what `name` is the gateway's name of, with its errors.  What was asked is kept by who acts on the answer, in the
 * transaction in which that is done (purchase_apply()), so that nobody waits for one more; then, where it was not, by inquiry_keep().
 */
int	inquiry_query(struct gateway *, const char *name, const char *payment, const char *asker, struct gateway_payment *out, struct inquiry *);

/* Queues the row of this order in the open transaction, which takes one db_recv() or ends by db_commit(). */
int	inquiry_send(struct db *, struct inquiry *, const char *order);

/* In a transaction of its own, unless it is written.  What could not be kept is logged: the answer is one all the same. */
void	inquiry_keep(struct act *, struct inquiry *);

/* Both at once, outside a transaction. */
int	inquiry_ask(struct act *, struct gateway *, const char *name, const char *payment, const char *asker, struct gateway_payment *out);

/* gateway_refund(), kept in the same way: "given" or "giving" while the gateway has not done it yet. */
int	inquiry_refund(struct act *, struct gateway *, const char *name, const char *order, const struct gateway_refund_request *,
	    char refund[GATEWAY_ID], int *pending);

#endif
