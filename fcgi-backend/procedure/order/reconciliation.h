#ifndef ICERT_PROCEDURE_RECONCILIATION_H
#define ICERT_PROCEDURE_RECONCILIATION_H
/*
 * Each day that is over (business clock, Ecuador's mainland) is compared with every gateway's list of its payments, once.  What
 * differs waits for finance: the gateway is asked again and its answer applied, the money given back, or the difference explained.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "payments/gateway.h"
#include "procedure/act.h"
#include "procedure/number.h"
#include "procedure/order/settlement.h"

extern const char *const difference_reasons[];	/* codes, "delay", …; ends in NULL */

struct reconciliation {
	char	gateway[GATEWAY_NAME], day[11], state[8];	/* open, done */
	char	outcome[32];				/* why the gateway gave no list, "" */
	int	payments, open, all;			/* listed; differences that wait, all of that day */
	int	tries;
	int64_t	ended_at;
};

struct difference {
	char	id[ID_TEXT], gateway[GATEWAY_NAME], day[11], payment[GATEWAY_ID], kind[20], state[12];
	char	order[ID_TEXT], number[NUMBER_TEXT], order_state[12];	/* "" none */
	char	reason[12], verdict[16], decided_name[128];
	int64_t	here, there, decided_at;		/* cents, -1 none */
};

/* The days, newest first.  *n: room, then filled.  Finance, national office, auditor. */
int	reconciliation_list(struct act *, struct reconciliation *, size_t *n);
/* Differences that wait first, then newest first. */
int	reconciliation_differences(struct act *, struct difference *, size_t *n);

/* Finance.  The clerk asks the gateway again and applies its answer.  ICERT_E_CONFLICT: it does not wait any more. */
int	reconciliation_ask(struct act *, const char *difference);
/* ICERT_E_INVALID: reason. */
int	reconciliation_explain(struct act *, const char *difference, const char *reason);

/*
 * The clerk: days that are due, one gateway after the other.  A gateway that gives no list is asked again later.  As often as
 * wanted, and after a kill in between, the result is the same.
 */
int	reconciliation_run(struct act *, struct settlement *, size_t *done);

/*
 * The clerk: what finance has asked for.  In the process that applies every other answer, so that none is applied after a later one.  A
 * difference that the answer does not end waits for finance again.
 */
int	reconciliation_answer(struct act *, struct settlement *);

#endif
