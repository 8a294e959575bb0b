#include "payments/payment.h"

#include <string.h>

#include "libicert/error.h"

static int
is(const char *state, const char *word)
{
	return strcmp(state, word) == 0;
}

/* The gateway has the money: is it this order's, and does the order want it? */
static enum payment_verdict
decide_approved(const struct payment_order *order, const struct gateway_payment *payment, int sure)
{
	int open = is(order->state, "created") || is(order->state, "pending");

	if (payment->cents < 0 || payment->currency[0] == '\0')
		return PAYMENT_QUERY;
	if (payment->cents != order->total || strcmp(payment->currency, order->currency) != 0)
		return PAYMENT_MISMATCH;
	if (order->paid_by != NULL) {
		if (is(order->state, "disputed") && strcmp(order->paid_by, payment->id) == 0)
			return sure == PAYMENT_ASKED ? PAYMENT_WON : PAYMENT_QUERY;
		if (strcmp(order->paid_by, payment->id) != 0 || payment->times > 1)
			return PAYMENT_AGAIN;
		/* Given back, and there is some of it there still: it was captured more than once. */
		if (is(order->state, "refunded"))
			return sure == PAYMENT_ASKED ? PAYMENT_AGAIN : PAYMENT_QUERY;
		return PAYMENT_NOTHING;
	}
	if (open)
		return PAYMENT_PAY;
	return is(order->state, "expired") ? PAYMENT_LATE : PAYMENT_AGAIN;
}

enum payment_verdict
payment_decide(const struct payment_order *order, const struct gateway_payment *payment, int sure)
{
	int open = order != NULL && (is(order->state, "created") || is(order->state, "pending"));
	int held = order != NULL && (is(order->state, "paid") || is(order->state, "used"));
	int own = order != NULL && order->paid_by != NULL && strcmp(order->paid_by, payment->id) == 0;

	if (order == NULL || payment->id[0] == '\0')
		return PAYMENT_STRANGE;
	if (payment->order[0] != '\0' && strcmp(payment->order, order->id) != 0)
		return PAYMENT_STRANGE;
	if (sure == PAYMENT_HINT || (sure == PAYMENT_SIGNED && payment->state != GATEWAY_APPROVED))
		return PAYMENT_QUERY;
	switch (payment->state) {
	case GATEWAY_APPROVED:
		return decide_approved(order, payment, sure);
	case GATEWAY_PENDING:
		return payment->checking && open ? PAYMENT_PENDING : PAYMENT_NOTHING;
	case GATEWAY_REJECTED:
	case GATEWAY_EXPIRED:
		/* An order stays open for another try until it expires by itself. */
		return open ? PAYMENT_REJECT : PAYMENT_NOTHING;
	case GATEWAY_REFUNDED:
		if ((own && (held || is(order->state, "refunding") || is(order->state, "disputed"))) || order->owed > 0)
			return PAYMENT_REFUNDED;
		/* It had gone back before its bank wanted it again: whether it went a second time the gateway's sum says, also when nobody
		 * heard of the dispute while there was one. */
		if (order->contested)
			return payment->refunded <= order->gone ? PAYMENT_WON : PAYMENT_NOTHING;
		return order->gone > 0 && payment->refunded > order->gone ? PAYMENT_DISPUTED : PAYMENT_NOTHING;
	case GATEWAY_DISPUTED:
		/* Also while it goes back, or after: the bank may take it a second time, and finance has to answer it. */
		return own && (held || is(order->state, "refunding") || is(order->state, "refunded")) ? PAYMENT_DISPUTED :
		    order->excess ? PAYMENT_DISPUTED : PAYMENT_NOTHING;
	}
	return PAYMENT_QUERY;
}

const char *
payment_verdict_name(enum payment_verdict verdict)
{
	switch (verdict) {
	case PAYMENT_NOTHING: return "nothing";
	case PAYMENT_PAY: return "pay";
	case PAYMENT_PENDING: return "pending";
	case PAYMENT_REJECT: return "reject";
	case PAYMENT_QUERY: return "query";
	case PAYMENT_MISMATCH: return "mismatch";
	case PAYMENT_AGAIN: return "again";
	case PAYMENT_LATE: return "late";
	case PAYMENT_STRANGE: return "strange";
	case PAYMENT_REFUNDED: return "refunded";
	case PAYMENT_DISPUTED: return "disputed";
	case PAYMENT_WON: return "won";
	}
	return "unknown";
}
