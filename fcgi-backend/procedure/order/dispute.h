#ifndef ICERT_PROCEDURE_DISPUTE_H
#define ICERT_PROCEDURE_DISPUTE_H
/*
 * A bank's dispute that stops no order: about money that went back before, or that was too much.  It waits for finance, who
 * answers it at the gateway and says so here.  One that stops its order is that order's state, and no row of this.
 */
#include "payments/payment.h"
#include "procedure/act.h"

/* SQL: whether the bank wants the money of the conclusion y of icert.payment still. */
#define DISPUTE_LIVES(y) \
	" exists (select from icert.payment banks join icert.dispute dispute on dispute.payment_id = banks.id and dispute.state <> 'ended'" \
	" where banks.gateway = " y ".gateway and banks.gateway_payment = " y ".gateway_payment and banks.verdict = 'disputed')"

/*
 * The clerk, in the open transaction, after the conclusion was noted: what is said of a payment of this order opens a dispute, or
 * ends the one that there is.  stopped: the order itself is in dispute by it.  returned: its money went back before.
 */
int	dispute_heard(struct act *, enum payment_verdict, const char *order, const char *gateway, const char *payment, int stopped, int returned);

/* Finance has answered it.  ICERT_E_CONFLICT: it was answered, or has ended; ICERT_E_NOT_FOUND: no such one of this order. */
int	dispute_answer(struct act *, const char *order, const char *conclusion);

#endif
