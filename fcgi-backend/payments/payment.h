#ifndef ICERT_PAYMENTS_PAYMENT_H
#define ICERT_PAYMENTS_PAYMENT_H

#include <stdint.h>

#include "payments/gateway.h"

/*
 * What a payment means for an order, as arithmetic: no database, no clock.
 * procedure/ acts on the verdict in one transaction.
 */
struct payment_order {
	const char *id;           /* uuid */
	const char *state;        /* "created", "pending", "paid", "used", "expired", ... */
	int64_t total;            /* cents */
	const char *currency;
	const char *paid_by;      /* the gateway payment that paid it; NULL when none */
	int64_t owed;             /* cents of this gateway payment that were concluded as too much (again, late, mismatch) and have not gone back */
	int excess;               /* this gateway payment was concluded as too much once, whatever became of it */
	int contested;            /* it went back, and its bank wanted it a second time after that */
	int64_t gone;             /* cents that went back when it did; 0: it did not */
};

enum payment_verdict {
	PAYMENT_NOTHING = 1,      /* already so; a repeat */
	PAYMENT_PAY,              /* approved, and amount and currency are the order's */
	PAYMENT_PENDING,          /* the gateway is checking: tell the payer */
	PAYMENT_REJECT,           /* not approved: tell the payer, the order stays open */
	PAYMENT_QUERY,            /* in doubt: ask the gateway before anything */
	PAYMENT_MISMATCH,         /* approved for another amount or currency: finance, never paid */
	PAYMENT_AGAIN,            /* approved a second time: finance refunds */
	PAYMENT_LATE,             /* approved for an order that had expired: finance decides */
	PAYMENT_STRANGE,          /* names no order, or another's */
	PAYMENT_REFUNDED,         /* nothing of it is there any more: the order that it paid is refunded, what was too much is off the list */
	PAYMENT_DISPUTED,         /* its bank holds it back: nothing is issued for it meanwhile; what was given back, or is too much, finance hears of */
	PAYMENT_WON,              /* that dispute ended for us: as before it, given back when it was */
};

/* Where the facts come from, as `sure`. */
#define PAYMENT_HINT    0         /* nobody answers for them: ask */
#define PAYMENT_ASKED   1         /* the gateway's answer to a query, just now */
#define PAYMENT_SIGNED  2         /* a signature covers state and amount, but things may have changed since: it pays what is open, no more */

enum payment_verdict payment_decide(const struct payment_order *order, const struct gateway_payment *payment, int sure);

/* Stable name of a verdict, for audit rows ("pay", "mismatch", ...). */
const char *payment_verdict_name(enum payment_verdict verdict);

#endif
