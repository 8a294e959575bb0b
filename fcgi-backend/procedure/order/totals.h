#ifndef ICERT_PROCEDURE_TOTALS_H
#define ICERT_PROCEDURE_TOTALS_H
/*
 * What came in and went out, by day (Ecuador's mainland) and by gateway; transfers are a gateway's like the others.  A payment
 * counts once, on the day on which it was concluded: those that paid an order, and those that did not (again, late, another
 * amount, for no order of ours), which finance has in hand until they go back.  What a bank holds in dispute has gone out until it is won.
 * Finance, national office, auditor.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "payments/gateway.h"
#include "procedure/act.h"
#include "procedure/number.h"

/* Cents, and how many. */
struct totals {
	char	day[11], gateway[GATEWAY_NAME], currency[4];
	int	sales, others, returns;
	int64_t	sold, net, tax;			/* of orders paid: sold is net and tax */
	int64_t	other;				/* received, and no order was paid with it */
	int64_t	returned, disputed;		/* gone out; disputed is below 0 on a day that won more than it lost */
	int64_t	balance;			/* sold + other - returned - disputed */
};

struct movement {
	int64_t	at, cents;			/* below 0: out */
	char	gateway[GATEWAY_NAME], payment[GATEWAY_ID], currency[4];
	char	kind[12];			/* a verdict of payment_verdict_name(), or "refund": given back by us */
	char	order[ID_TEXT], number[NUMBER_TEXT];	/* "" none of ours */
};

/* The days of [from, until), UTC seconds, that have movements, oldest first.  *n: room, then filled. */
int	totals_days(struct act *, int64_t from, int64_t until, struct totals *, size_t *n);
/* One by one, as they happened, but for the first skip of them. */
int	totals_movements(struct act *, int64_t from, int64_t until, size_t skip, struct movement *, size_t *n);

#endif
