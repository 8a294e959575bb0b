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

/*
 * gateway_query() of what `name` is the gateway's name of, with its errors.  Outside a transaction.  An answer that could not be kept is
 * logged, and is an answer all the same.
 */
int	inquiry_ask(struct act *, struct gateway *, const char *name, const char *payment, const char *asker, struct gateway_payment *out);

/* gateway_refund(), kept in the same way: "given" or "giving" while the gateway has not done it yet. */
int	inquiry_refund(struct act *, struct gateway *, const char *name, const char *order, const struct gateway_refund_request *,
	    char refund[GATEWAY_ID], int *pending);

#endif
