#include "procedure/order/checkout.h"

#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/trouble.h"

/* Payers pay soon, and there are gateways that give back after five minutes what nobody has asked them about. */
#define PAYING_S	"1200"
#define PAYING_ASK_S	"120"
/* The end of a dispute is told once, and no bank lets one live for half a year. */
#define DISPUTE_ASK_S	"86400"
#define DISPUTE_ASK_MOST_S "15552000"
/* $1 now, $4 first, $5 most */
#define DUE(asked, since) \
	"coalesce(" asked ", " since ") + least(greatest(coalesce(" asked ", " since ") - " since ", $4)," \
	" case when $1 - " since " < " PAYING_S " then " PAYING_ASK_S "::bigint else $5::bigint end) <= $1"
#define ANSWERED(gateway, order)	gateway " = any (string_to_array($6, ' ')) and" TROUBLE_RESTS_NOT("ask", order "::text", "$3")

static const struct db_stmt unsure = { "checkout_unsure",
	"(select p.id, p.gateway, p.gateway_payment, false, coalesce(p.asked_at, p.state_since) as since from icert.purchase p"
	" where p.state = 'pending' and p.gateway_payment is not null and " DUE("p.asked_at", "p.state_since")
	" and not exists (select from icert.payment y where y.gateway = p.gateway and y.gateway_payment = p.gateway_payment"
	" and y.verdict = 'reject') and " ANSWERED("p.gateway", "p.id") " order by since limit $2)"
	" union all"
	" (select c.purchase_id, c.gateway, c.gateway_payment, true, coalesce(c.asked_at, c.left_at) as since from icert.checkout c"
	" where c.ended_at is null and " DUE("c.asked_at", "c.left_at") " and " ANSWERED("c.gateway", "c.purchase_id") " order by since limit $2)"
	" union all"
	" (select p.id, p.gateway, p.gateway_payment, false, greatest(p.asked_at, p.state_since) as since from icert.purchase p"
	" where p.state = 'disputed' and greatest(p.asked_at, p.state_since) + " DISPUTE_ASK_S " <= $1 and " ANSWERED("p.gateway", "p.id") " order by since limit $2)"
	" union all"
	" (select p.id, y.gateway, y.gateway_payment, false, greatest(p.asked_at, d.opened_at) as since from icert.dispute d"
	" join icert.payment y on y.id = d.payment_id join icert.purchase p on p.id = d.purchase_id where d.state <> 'ended'"
	" and d.opened_at + " DISPUTE_ASK_MOST_S " > $1 and greatest(p.asked_at, d.opened_at) + " DISPUTE_ASK_S " <= $1 and "
	ANSWERED("y.gateway", "p.id") " order by since limit $2)"
	" order by since limit $2" };
static const struct db_stmt asked = { "checkout_asked",
	"update icert.checkout set asked_at = $3::bigint, ended_at = case when $4 then $3::bigint end where gateway = $1 and gateway_payment = $2" };

int
checkout_unsure(struct act *act, int64_t first, int64_t most, const char *gateways, struct checkout *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = DB_QUERY(act->db, &unsure, &r, P_INT(clock_business()), P_INT((int64_t)room), P_INT(clock_real()), P_INT(first),
	    P_INT(most), P_TEXT(gateways))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct checkout *c = &rows[(*n)++];

		snprintf(c->order, sizeof c->order, "%s", db_text(r, i, 0));
		snprintf(c->gateway, sizeof c->gateway, "%s", db_text(r, i, 1));
		snprintf(c->payment, sizeof c->payment, "%s", db_text(r, i, 2));
		c->left = db_bool(r, i, 3);
	}
	db_result_free(r);
	return 0;
}

int
checkout_asked(struct act *act, const struct checkout *c, int ended)
{
	return DB_QUERY(act->db, &asked, NULL, P_TEXT(c->gateway), P_TEXT(c->payment), P_INT(clock_business()), P_BOOL(ended));
}
