/* The clerk's hand: what two people took as an order's payment becomes one, as a gateway's word does. */
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/order/purchase.h"
#include "procedure/order/transfer.h"
#include "procedure/trouble.h"

static const struct db_stmt due = { "transfer_due",
	"select l.id from icert.bank_line l where l.state = 'confirmed' and" TROUBLE_RESTS_NOT("transfer", "l.id::text", "$1")
	" order by l.decided_at limit $2" };
static const struct db_stmt about = { "transfer_about",
	"select l.purchase_id, l.cents, p.total, p.currency, p.state in ('created', 'pending') or (p.gateway = '" TRANSFER_GATEWAY "'"
	" and p.gateway_payment = l.id::text) from icert.bank_line l join icert.purchase p on p.id = l.purchase_id"
	" where l.id = $1 and l.state = 'confirmed'" };
/* As it was concluded, also when a crash came in between. */
static const struct db_stmt end = { "transfer_end",
	"update icert.bank_line set state = 'applied', verdict = coalesce((select y.verdict from icert.payment y where y.gateway = '"
	TRANSFER_GATEWAY "' and y.gateway_payment = $1::uuid::text and y.verdict <> 'refunded' order by y.at limit 1), 'nothing')"
	" where id = $1::uuid and state = 'confirmed'" };

static int
apply(struct act *act, const char *order, const char *id, int64_t cents, const char *currency)
{
	struct gateway_payment payment = { .state = GATEWAY_APPROVED, .cents = cents, .times = 1, .sure = 1 };
	enum payment_verdict verdict;
	char found[ID_TEXT];

	snprintf(payment.id, sizeof payment.id, "%s", id);
	snprintf(payment.order, sizeof payment.order, "%s", order);
	snprintf(payment.currency, sizeof payment.currency, "%s", currency);
	return purchase_apply(act, TRANSFER_GATEWAY, &payment, PAYMENT_ASKED, NULL, &verdict, found);
}

/* Each step may be repeated: the payment's id is the line's. */
static int
run_one(void *ctx, const char *line)
{
	struct act *act = ctx;
	char order[ID_TEXT], currency[4], rest[ID_TEXT + 8];
	int64_t cents, total, excess;
	struct db_result *r;
	int error, own;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &about, &r, P_TEXT(line))) != 0)
		return error;
	if (db_rows(r) == 0) {
		db_result_free(r);
		return 0;
	}
	snprintf(order, sizeof order, "%s", db_text(r, 0, 0));
	cents = db_int(r, 0, 1);
	total = db_int(r, 0, 2);
	snprintf(currency, sizeof currency, "%s", db_text(r, 0, 3));
	own = db_bool(r, 0, 4);
	db_result_free(r);
	/* More than was asked pays the order; the rest is a payment by itself, and finance returns it. */
	excess = own && cents > total ? cents - total : 0;
	snprintf(rest, sizeof rest, "%s-rest", line);
	if ((error = apply(act, order, line, cents - excess, currency)) != 0 ||
	    (excess > 0 && (error = apply(act, order, rest, excess, currency)) != 0))
		return error;
	if ((error = act_begin(act)) != 0)
		return error;
	if ((error = DB_QUERY(act->db, &end, NULL, P_TEXT(line))) != 0) {
		db_rollback(act->db);
		return error;
	}
	return db_commit(act->db);
}

int
transfer_run(struct act *act, size_t most, size_t *done)
{
	struct db_result *r;
	int error;

	*done = 0;
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &due, &r, P_INT(clock_real()), P_INT((int64_t)most))) != 0)
		return error;
	return trouble_each(act, "transfer", r, run_one, act, done);
}
