#ifndef ICERT_PROCEDURE_ORDER_SEARCH_H
#define ICERT_PROCEDURE_ORDER_SEARCH_H
/*
 * What finance looks for an order by: one field that takes whatever is at hand when somebody calls or a bank asks.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"
#include "procedure/order/purchase.h"

#define SEARCH_TEXT	128

enum search_kind {
	SEARCH_NOTHING = 1,	/* empty, or too long to be anything */
	SEARCH_WORD,		/* a number of an order, a payment, an invoice, a movement of the bank, or of a person */
	SEARCH_MAILBOX,		/* of who ordered */
	SEARCH_MONEY,		/* an amount, a day, or both */
};

struct search {
	enum search_kind kind;
	char	word[SEARCH_TEXT];	/* as typed, without the space around it */
	char	number[NUMBER_TEXT];	/* the order's, as it is written; "" it cannot be one */
	char	person[2][SEARCH_TEXT];	/* normalised; of a cédula also its RUC, and the other way round; "" it cannot be one */
	int64_t	cents;			/* -1 none */
	char	day[11];		/* "2026-11-20", "" none */
	int64_t	from, to;		/* that day in mainland Ecuador, UTC seconds; all of time without one */
};

/*
 * Amounts have two decimals behind a point or a comma, or a "$" before them; days are 2026-11-20, 20/11/2026 or 20-11-2026.  Both
 * together in either order.  An order's number is known without its dashes, in small letters, with spaces.
 */
void	search_read(const char *text, struct search *);

/*
 * The newest orders that fit, as purchase_list(); also those that a movement of the bank names, and those that serve the case of the person.
 * One row of the log, with the kind and without what was looked for.
 */
int	search_orders(struct act *, const struct search *, struct purchase *rows, size_t *n);

#endif
