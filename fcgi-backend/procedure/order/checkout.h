#ifndef ICERT_PROCEDURE_CHECKOUT_H
#define ICERT_PROCEDURE_CHECKOUT_H
/*
 * Checkouts that gateways are asked about: the one that a pending order has, and those that an order has left behind, because a
 * transfer paid it or another checkout took their place.  Who has such a page open can pay there still.  Besides, payments that a bank
 * has in dispute: the notification of its end may be lost like any other.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "payments/gateway.h"
#include "procedure/act.h"

struct checkout {
	char	order[ID_TEXT], gateway[GATEWAY_NAME], payment[GATEWAY_ID];
	int	left;			/* behind, by its order */
};

/* SQL: keeps the checkout that the order `id` has, and that the payment of that gateway takes the place of.  more: besides, "and …" or "". */
#define CHECKOUT_LEFT(id, gateway_, payment_, at, more) \
	"insert into icert.checkout (gateway, gateway_payment, purchase_id, left_at) select was.gateway, was.gateway_payment, was.id, " at "::bigint" \
	" from icert.purchase was where was.id = " id "::uuid and was.state in ('created', 'pending') and was.gateway_payment is not null" \
	" and (was.gateway, was.gateway_payment) is distinct from (" gateway_ "::text, " payment_ "::text) " more " on conflict do nothing"

/*
 * The clerk: those that nobody asked about for as long as they have been pending, or left, then, at least `first` and at most
 * `most` seconds, in the first 20 minutes at most two.  A refused one of a pending order is not asked about, one that was left
 * until nothing can be paid there.  What is in dispute is
 * asked about each day.  gateways: the names, blanks between, of those that may be asked.  *n: room, then filled.
 */
int	checkout_unsure(struct act *, int64_t first, int64_t most, const char *gateways, struct checkout *rows, size_t *n);

/* The clerk: one that was left was asked about; ended: nothing can be paid there any more, or it was. */
int	checkout_asked(struct act *, const struct checkout *, int ended);

#endif
