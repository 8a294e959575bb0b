#include "procedure/order/inquiry.h"

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "store/db.h"

/* Of a gateway that does not answer only our own number is known; one that answers names the order. */
static const struct db_stmt keep = { "inquiry_keep",
	"with o as (select p.id from icert.purchase p where p.id = $1 or ($1::uuid is null and p.gateway = $2 and p.gateway_payment = $3)"
	"  union select c.purchase_id from icert.checkout c where $1::uuid is null and c.gateway = $2 and c.gateway_payment = $3),"
	" last as (select q.* from icert.payment_question q, o where q.purchase_id = o.id and q.gateway = $2 and q.gateway_payment = $3 and q.asker = $4"
	"  order by q.last_at desc limit 1),"
	" same as (update icert.payment_question q set last_at = greatest(q.last_at, $9), times = q.times + 1, ms = $10 from last where q.id = last.id"
	"  and last.answer = $5 and last.cents is not distinct from $6 and last.refunded is not distinct from $7 and last.currency is not distinct from $8"
	"  returning q.id)"
	" insert into icert.payment_question (purchase_id, gateway, gateway_payment, asker, answer, cents, refunded, currency, first_at, last_at, ms)"
	" select o.id, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10 from o where not exists (select from same)" };

static const char *
state_name(const struct gateway_payment *payment)
{
	switch (payment->state) {
	case GATEWAY_PENDING:
		return payment->checking ? "checking" : "pending";
	case GATEWAY_APPROVED:
		return "approved";
	case GATEWAY_REJECTED:
		return "rejected";
	case GATEWAY_EXPIRED:
		return "expired";
	case GATEWAY_REFUNDED:
		return "refunded";
	case GATEWAY_DISPUTED:
		return "disputed";
	}
	return "malformed";
}

/* What each question begins with; the answer fills it. */
static struct inquiry
begin(const char *name, const char *payment, const char *asker)
{
	return (struct inquiry){ .gateway = name, .payment = payment, .asker = asker, .cents = -1, .refunded = -1, .currency = "",
		.ms = clock_mono_ms() };
}

static void
answered(struct inquiry *q, const char *answer)
{
	q->answer = answer;
	q->at = clock_real();
	q->ms = clock_mono_ms() - q->ms;
}

int
inquiry_query(struct gateway *gateway, const char *name, const char *payment, const char *asker, struct gateway_payment *out, struct inquiry *q)
{
	int error;

	*q = begin(name, payment, asker);
	error = gateway_query(gateway, payment, out);
	answered(q, error == 0 ? state_name(out) : icert_err_code(error));
	if (error == 0) {
		/* In a notification it may have had another id. */
		q->payment = out->id;
		q->order = id_valid(out->order) ? out->order : NULL;
		q->cents = out->cents;
		q->refunded = out->refunded;
		q->currency = out->currency;
	}
	return error;
}

int
inquiry_send(struct db *db, struct inquiry *q, const char *order)
{
	int error;

	if (q->asker == NULL || q->written)
		return ICERT_E_INVALID;
	if ((error = DB_SEND(db, &keep, P_TEXT(order), P_TEXT(q->gateway), P_TEXT(q->payment), P_TEXT(q->asker), P_TEXT(q->answer),
	    q->cents >= 0 ? P_INT(q->cents) : P_NULL, q->refunded >= 0 ? P_INT(q->refunded) : P_NULL,
	    q->currency[0] != '\0' ? P_TEXT(q->currency) : P_NULL, P_INT(q->at), P_INT(q->ms))) == 0)
		q->written = 1;
	return error;
}

void
inquiry_keep(struct act *act, struct inquiry *q)
{
	int error;

	if (q->asker == NULL || q->written)
		return;
	if ((error = act_begin(act)) == 0 && (error = inquiry_send(act->db, q, q->order)) == 0 && (error = db_commit(act->db)) == 0)
		return;
	db_rollback(act->db);
	log_warn("inquiry_not_kept", "gateway %s: %s", q->gateway, icert_err_code(error));
}

int
inquiry_ask(struct act *act, struct gateway *gateway, const char *name, const char *payment, const char *asker, struct gateway_payment *out)
{
	struct inquiry q;
	int error = inquiry_query(gateway, name, payment, asker, out, &q);

	inquiry_keep(act, &q);
	return error;
}

int
inquiry_refund(struct act *act, struct gateway *gateway, const char *name, const char *order, const struct gateway_refund_request *request,
    char refund[GATEWAY_ID], int *pending)
{
	struct inquiry q = begin(name, request->payment, INQUIRY_REFUND);
	int error = gateway_refund(gateway, request, refund, pending);

	answered(&q, error != 0 ? icert_err_code(error) : *pending ? "giving" : "given");
	q.order = order;
	q.cents = request->cents;
	q.currency = request->currency;
	inquiry_keep(act, &q);
	return error;
}
