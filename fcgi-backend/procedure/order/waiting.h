#ifndef ICERT_PROCEDURE_WAITING_H
#define ICERT_PROCEDURE_WAITING_H
/*
 * What waits for somebody of finance, of every kind in one list: lines of statements, differences with a gateway, refunds that
 * another person has to confirm or that a gateway refused, payments that paid no order, orders in dispute, invoices.  A payment
 * for no order of ours is none of it: it waits as a difference, when the gateway lists it.
 * Finance, national office, auditor.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"
#include "procedure/number.h"

enum waiting_kind {
	WAITING_TRANSFER,	/* a line of a statement that nobody has confirmed or set aside */
	WAITING_DIFFERENCE,
	WAITING_REFUND,		/* asked for; another person confirms */
	WAITING_FAILED,		/* a gateway refused it, and it was not asked for again */
	WAITING_PAYMENT,	/* to give back: received, and paid no order (again, late, another amount); or of a certificate revoked for a fault of ours */
	WAITING_DISPUTE,	/* an order is stopped by it */
	WAITING_ANSWER,		/* a dispute about what went back before, or was too much */
	WAITING_INVOICE,	/* a paid order has none yet */
	WAITING_CREDIT_NOTE,	/* the money of one that has an invoice was given back */
	WAITING_KINDS
};

extern const char *const waiting_names[];	/* "transfer", … by kind; ends in NULL */

struct waiting {
	enum waiting_kind kind;
	int64_t	since;			/* UTC seconds */
	int64_t	cents;			/* -1 none */
	char	id[ID_TEXT];		/* the line's, the difference's; "" else */
	char	word[16];		/* the line's document, kind of the difference, verdict of the payment or "fault", reason of the refund; "" else */
	char	order[ID_TEXT], number[NUMBER_TEXT];	/* "" none */
};

/*
 * Of one kind, or (WAITING_KINDS) of all: the oldest first, invoices after all else: there are many, and nobody's money waits for them.
 * *n: room, then filled; counts, by kind, are of all of them.
 */
int	waiting_list(struct act *, enum waiting_kind only, struct waiting *, size_t *n, int64_t counts[WAITING_KINDS]);

#endif
