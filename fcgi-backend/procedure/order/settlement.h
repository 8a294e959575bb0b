#ifndef ICERT_PROCEDURE_SETTLEMENT_H
#define ICERT_PROCEDURE_SETTLEMENT_H
/*
 * The clerk's hand for payments: applies the notifications that icert-webhook
 * stored, and asks gateways about orders that have had no news.
 */
#include <stddef.h>

#include "payments/gateway.h"
#include "payments/payment.h"
#include "procedure/act.h"

struct settlement {
	struct gateway	*gateways[GATEWAYS_MAX];	/* opened with GATEWAY_API */
	char		 names[GATEWAYS_MAX][GATEWAY_NAME];
	int		 n;
	int64_t		 rests_until[GATEWAYS_MAX];	/* monotonic ms; 0 not at all */
	int		 unanswered[GATEWAYS_MAX];	/* questions since its last answer */
};

/* The gateway of that name, NULL when it is not configured or could not be opened. */
struct gateway *settlement_gateway(struct settlement *, const char *name);

/*
 * A gateway that does not answer is left alone for a second, then for longer, SETTLEMENT_REST_MS at most: each question may take five
 * seconds, and whoever has paid at another gateway would wait for all of them.  Every call of a gateway is told with its error.
 */
#define SETTLEMENT_REST_MS 15000
int	settlement_rests(const struct settlement *, const char *name);
void	settlement_heard(struct settlement *, const char *name, int error);

/* Opens every gateway that is configured; those that cannot be are logged and left out. */
void	settlement_open(const struct config *config, struct settlement *out);
void	settlement_close(struct settlement *settlement);

/*
 * Takes at most `most` stored notifications and applies each: the gateway is asked how the payment stands now, and its
 * answer counts.  While it does not answer a notification waits for its next try; one of a payment, whose signature covers
 * amount and currency, pays an open order meanwhile.
 */
int	settlement_apply(struct act *act, struct settlement *settlement, size_t most, size_t *done);

/*
 * Notifications that the administrator wants applied once more (icertctl payments replay): the gateway is asked, and its answer
 * counts, so nothing is counted twice.  A rehearsal only notes what would be done; it does not wait for a gateway.
 */
int	settlement_replay(struct act *act, struct settlement *settlement, size_t most);

/*
 * Asks the gateway of that name how one payment stands, and applies its answer, which is sure.  Errors of gateway_query() and
 * purchase_apply(); ICERT_E_UNAVAILABLE too while it rests, or when it is not configured.
 */
int	settlement_ask_one(struct act *act, struct settlement *settlement, const char *name, const char *payment,
	    struct gateway_payment *answer, enum payment_verdict *verdict);

/*
 * Asks about checkouts without news, of pending orders and those that an order has left behind: `first` seconds after the payer went to the gateway (business clock), then after as
 * long again each time (every two minutes while a payer may be paying), and every `most` seconds in the end.  One that the gateway does not answer about rests.
 */
int	settlement_ask(struct act *act, struct settlement *settlement, int64_t first, int64_t most, size_t *asked);

#endif
