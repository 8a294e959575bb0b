#include "procedure/order/dispute.h"

#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"

static const struct db_stmt begins = { "dispute_begins",
	"insert into icert.dispute (payment_id, purchase_id, returned, opened_at) select y.id, y.purchase_id, $4, $5 from icert.payment y"
	" where y.gateway = $1 and y.gateway_payment = $2 and y.verdict = 'disputed' and y.purchase_id = $3 order by y.turn desc limit 1" };
static const struct db_stmt ends = { "dispute_ends",
	"update icert.dispute d set state = 'ended' from icert.payment y where y.id = d.payment_id and y.gateway = $1"
	" and y.gateway_payment = $2 and d.state <> 'ended'" };
static const struct db_stmt there = { "dispute_there", "select state from icert.dispute where payment_id = $1 and purchase_id = $2" };
static const struct db_stmt answer = { "dispute_answer",
	"update icert.dispute set state = 'answered', answered_by = $2, answered_at = $3 where payment_id = $1 and state = 'open'" };

int
dispute_heard(struct act *act, enum payment_verdict verdict, const char *order, const char *gateway, const char *payment, int stopped,
    int returned)
{
	switch (verdict) {
	case PAYMENT_DISPUTED:
		return stopped ? 0 : DB_QUERY(act->db, &begins, NULL, P_TEXT(gateway), P_TEXT(payment), P_TEXT(order), P_BOOL(returned),
		    P_INT(clock_business()));
	/* The money is with us again, or gone for good. */
	case PAYMENT_WON:
	case PAYMENT_REFUNDED:
	case PAYMENT_AGAIN:
	case PAYMENT_LATE:
	case PAYMENT_MISMATCH:
		return DB_QUERY(act->db, &ends, NULL, P_TEXT(gateway), P_TEXT(payment));
	default:
		return 0;
	}
}

static int
answered(struct act *act, const char *order, const char *conclusion)
{
	struct db_result *r;
	int error;

	if (!id_valid(order) || !id_valid(conclusion))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &there, &r, P_TEXT(conclusion), P_TEXT(order))) != 0)
		return error;
	error = db_rows(r) == 1 ? 0 : ICERT_E_NOT_FOUND;
	db_result_free(r);
	if (error != 0 || (error = DB_QUERY(act->db, &answer, &r, P_TEXT(conclusion), P_TEXT(act->id), P_INT(clock_business()))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	return error;
}

int
dispute_answer(struct act *act, const char *order, const char *conclusion)
{
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_FINANCE) && (error = act_begin(act)) == 0 && (error = answered(act, order, conclusion)) == 0 &&
	    (error = act_audit(act, "order.dispute_answer", "order", order, NULL, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "order.dispute_answer", "order", id_valid(order) ? order : NULL, 0, error);
}
