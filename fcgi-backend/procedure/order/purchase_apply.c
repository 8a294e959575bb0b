/*
 * What a gateway said, made true: the clerk's hand.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/mailing.h"
#include "procedure/order/checkout.h"
#include "procedure/order/dispute.h"
#include "procedure/order/inquiry.h"
#include "procedure/order/invoicing.h"
#include "procedure/order/purchase.h"
#include "procedure/order/received.h"

static const struct db_stmt lock = { "purchase_lock",
	"select p.id, p.number, p.state, p.version, p.contact_id, p.key_id, p.container, p.kind, p.years, p.total, p.currency,"
	" p.gateway, p.gateway_payment, p.expires_at, p.paid_at, k.wrapped,"
	" coalesce((select sum(y.cents)::bigint from icert.payment y where y.purchase_id = p.id and y.gateway = $2 and y.gateway_payment = $3"
	"  and y.verdict in ('again', 'late', 'mismatch') and not exists (select from icert.refund q where q.payment_id = y.id"
	"  and q.state in ('confirmed', 'done')) and not exists (select from icert.payment o where o.gateway = y.gateway"
	"  and o.gateway_payment = y.gateway_payment and o.verdict = 'refunded') and" RECEIVED("y") "), 0),"
	" exists (select from icert.payment y where y.purchase_id = p.id and y.gateway = $2 and y.gateway_payment = $3 and y.verdict in ('again', 'late', 'mismatch')),"
	" exists (select from icert.payment y where y.gateway = $2 and y.gateway_payment = $3 and (y.verdict = 'refunded'"
	"  or exists (select from icert.refund q where q.payment_id = y.id and q.state = 'done'))),"
	" exists (select from icert.payment y join icert.dispute d on d.payment_id = y.id where y.gateway = $2 and y.gateway_payment = $3"
	"  and d.returned and d.state <> 'ended'),"
	" coalesce((select sum(y.cents)::bigint from icert.payment y where y.gateway = $2 and y.gateway_payment = $3"
	"  and y.verdict in ('pay', 'again', 'late', 'mismatch') and" RECEIVED("y") "), 0),"
	" exists (select from icert.payment y join icert.dispute d on d.payment_id = y.id where y.gateway = $2 and y.gateway_payment = $3"
	"  and not d.returned and d.state <> 'ended')"
	" from icert.purchase p join icert.data_key k on k.id = p.key_id"
	" where p.id = $1 or ($1::uuid is null and (p.gateway = $2 and p.gateway_payment = $3 or p.id = (select c.purchase_id"
	" from icert.checkout c where c.gateway = $2 and c.gateway_payment = $3))) for update of p" };
/* By transfer, or at another checkout: the page of the one that it had may be open still. */
static const struct db_stmt pay = { "purchase_pay",
	"with behind as (" CHECKOUT_LEFT("$1", "$2", "$3", "$4", "") ") update icert.purchase set state = 'paid', version = version + 1, state_since = $4, paid_at = $4, gateway = $2,"
	" gateway_payment = $3 where id = $1 and state in ('created', 'pending')" };
static const struct db_stmt wait = { "purchase_wait",
	"update icert.purchase set state = 'pending', version = version + 1, state_since = $4, gateway = $2,"
	" gateway_payment = $3 where id = $1 and state = 'created'" };
static const struct db_stmt refunded = { "purchase_refunded",
	"update icert.purchase set state = 'refunded', version = version + 1, state_since = $4 where id = $1 and gateway = $2"
	" and gateway_payment = $3 and state in ('paid', 'used', 'refunding', 'disputed')" };
static const struct db_stmt disputed = { "purchase_disputed",
	"update icert.purchase set state = 'disputed', version = version + 1, state_since = $4 where id = $1 and gateway = $2"
	" and gateway_payment = $3 and state in ('paid', 'used', 'refunding')" };
/* What two people decided to give back is on its way still; what the gateway would not return they decide about again. */
static const struct db_stmt won = { "purchase_won",
	"update icert.purchase p set state = case when exists (select from icert.refund q where q.purchase_id = p.id and q.own"
	" and q.state in ('confirmed', 'failed')) then 'refunding' when exists (select from icert.application a where a.purchase_id = p.id"
	" and a.state not in ('draft', 'removed')) then 'used' else 'paid' end, version = version + 1, state_since = $4 where id = $1"
	" and gateway = $2 and gateway_payment = $3 and state = 'disputed'" };
static const struct db_stmt asked = { "purchase_asked", "update icert.purchase set asked_at = $2 where id = $1" };
static const struct db_stmt conclude = { "purchase_conclude",
	"insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at, turn)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, case when $5::text in ('disputed', 'won') then (select coalesce(max(o.turn), 0) + 1"
	"  from icert.payment o where o.gateway = $3 and o.gateway_payment = $4 and o.verdict in ('disputed', 'won')) else 0 end)"
	" on conflict do nothing" };

struct found {
	struct purchase	p;
	uint8_t		key[DATAKEY_BYTES];
	int64_t		owed;		/* as payment_order's */
	int64_t		received;	/* of this payment, cents, what was too much included */
	int		there, paid, excess, returned, contested;	/* excess, contested: as payment_order's */
	int		wanted;		/* its bank wants what was too much */
};

static int
find(struct act *act, const char *gateway, const struct gateway_payment *payment, struct found *f)
{
	struct db_result *r;
	const uint8_t *wrapped;
	size_t n;
	int error;

	memset(f, 0, sizeof *f);
	if ((error = DB_QUERY(act->db, &lock, &r, P_TEXT(id_valid(payment->order) ? payment->order : NULL), P_TEXT(gateway),
	    P_TEXT(payment->id))) != 0)
		return error;
	if (db_rows(r) == 1) {
		struct purchase *p = &f->p;

		f->there = 1;
		snprintf(p->id, sizeof p->id, "%s", db_text(r, 0, 0));
		snprintf(p->number, sizeof p->number, "%s", db_text(r, 0, 1));
		snprintf(p->state, sizeof p->state, "%s", db_text(r, 0, 2));
		p->version = (int)db_int(r, 0, 3);
		snprintf(p->contact, sizeof p->contact, "%s", db_text(r, 0, 4));
		snprintf(p->key, sizeof p->key, "%s", db_text(r, 0, 5));
		snprintf(p->container, sizeof p->container, "%s", db_text(r, 0, 6));
		snprintf(p->kind, sizeof p->kind, "%s", db_text(r, 0, 7));
		p->years = (int)db_int(r, 0, 8);
		p->total = db_int(r, 0, 9);
		snprintf(p->currency, sizeof p->currency, "%s", db_text(r, 0, 10));
		snprintf(p->gateway, sizeof p->gateway, "%s", db_text(r, 0, 11));
		snprintf(p->gateway_payment, sizeof p->gateway_payment, "%s", db_text(r, 0, 12));
		p->expires_at = db_int(r, 0, 13);
		f->paid = !db_is_null(r, 0, 14);
		wrapped = db_bytes(r, 0, 15, &n);
		f->owed = db_int(r, 0, 16);
		f->excess = db_bool(r, 0, 17);
		f->returned = db_bool(r, 0, 18);
		f->contested = db_bool(r, 0, 19);
		f->received = db_int(r, 0, 20);
		f->wanted = db_bool(r, 0, 21);
		error = datakey_unwrap(act, wrapped, n, f->key);
	}
	db_result_free(r);
	return error;
}

/* What finance reads of a payment, and the payer while there is no decision; once for each verdict, and each dispute with its end. */
static int
note(struct act *act, const struct found *f, const char *gateway, const struct gateway_payment *payment,
    enum payment_verdict verdict)
{
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) != 0)
		return error;
	return DB_QUERY(act->db, &conclude, NULL, P_TEXT(id), P_TEXT(f->there ? f->p.id : NULL), P_TEXT(gateway),
	    P_TEXT(payment->id), P_TEXT(payment_verdict_name(verdict)),
	    payment->cents >= 0 ? P_INT(payment->cents) : P_NULL, P_TEXT(payment->currency), P_INT(clock_business()));
}

/* Each dispute is told, and each that was won; anything else once. */
static int
to_finance(struct act *act, const struct found *f, enum payment_verdict verdict)
{
	struct mailing m = { .contact = f->p.contact, .purchase = f->p.id, .number = f->p.number, .key_id = f->p.key,
		.key = f->key };
	char dedup[ID_TEXT + 16], one[ID_TEXT] = "";
	int error;

	if ((verdict == PAYMENT_DISPUTED || verdict == PAYMENT_WON) && (error = id_new(one)) != 0)
		return error;
	snprintf(dedup, sizeof dedup, "%s%s%s", payment_verdict_name(verdict), one[0] != '\0' ? ":" : "", one);
	return mailing_national(act, &m, "payment", dedup);
}

static int
change(struct act *act, const struct db_stmt *stmt, const struct found *f, const char *gateway,
    const struct gateway_payment *payment)
{
	return DB_QUERY(act->db, stmt, NULL, P_TEXT(f->p.id), P_TEXT(gateway), P_TEXT(payment->id), P_INT(clock_business()));
}

/* What was too much went back, and the order is as it was. */
static int
tell_returned(struct act *act, const struct found *f, const struct gateway_payment *payment)
{
	const struct mailing m = { .contact = f->p.contact, .purchase = f->p.id, .number = f->p.number, .key_id = f->p.key, .key = f->key };
	char total[24], dedup[GATEWAY_ID + 16];
	struct outbox_variable variables[] = { { "total", total }, { "currency", payment->currency[0] != '\0' ? payment->currency : f->p.currency },
		{ "again", "yes" } };

	snprintf(total, sizeof total, "%" PRId64, f->owed);
	snprintf(dedup, sizeof dedup, "returned:%s", payment->id);
	return mailing_contact(act, &m, MAIL_REFUNDED, variables, sizeof variables / sizeof variables[0], dedup, NULL);
}

static int
act_on(struct act *act, const struct found *f, const char *gateway, const struct gateway_payment *payment,
    enum payment_verdict verdict)
{
	char dedup[GATEWAY_ID + 16];
	int error;

	snprintf(dedup, sizeof dedup, "%s:%s", payment_verdict_name(verdict), payment->id);
	switch (verdict) {
	case PAYMENT_PAY:
		if ((error = note(act, f, gateway, payment, verdict)) != 0 ||
		    (error = change(act, &pay, f, gateway, payment)) != 0 || (error = invoicing_paid(act, f->p.id)) != 0)
			return error;
		return purchase_mail(act, &f->p, f->key, MAIL_PAYMENT_RECEIVED, "paid");
	case PAYMENT_PENDING:
		if ((error = change(act, &wait, f, gateway, payment)) != 0 || (error = note(act, f, gateway, payment, verdict)) != 0)
			return error;
		return purchase_mail(act, &f->p, f->key, MAIL_PAYMENT_CHECKING, dedup);
	case PAYMENT_REJECT:
		if ((error = note(act, f, gateway, payment, verdict)) != 0)
			return error;
		return purchase_mail(act, &f->p, f->key, MAIL_PAYMENT_REJECTED, dedup);
	case PAYMENT_MISMATCH:
	case PAYMENT_AGAIN:
	case PAYMENT_LATE:
		/* What its bank wanted is ours again, and still too much. */
		if ((error = note(act, f, gateway, payment, verdict)) != 0 ||
		    (f->wanted && (error = note(act, f, gateway, payment, PAYMENT_WON)) != 0))
			return error;
		return to_finance(act, f, verdict);
	case PAYMENT_STRANGE:
		return note(act, f, gateway, payment, verdict);
	case PAYMENT_REFUNDED:
		if ((error = note(act, f, gateway, payment, verdict)) != 0 || (error = change(act, &refunded, f, gateway, payment)) != 0 ||
		    (error = invoicing_returned(act, f->p.id)) != 0 || (error = to_finance(act, f, verdict)) != 0)
			return error;
		return f->paid && strcmp(f->p.gateway_payment, payment->id) == 0 && strcmp(f->p.state, "refunded") != 0 ?
		    purchase_mail(act, &f->p, f->key, MAIL_REFUNDED, dedup) : tell_returned(act, f, payment);
	case PAYMENT_DISPUTED:
	case PAYMENT_WON:
		if ((error = note(act, f, gateway, payment, verdict)) != 0 ||
		    (error = change(act, verdict == PAYMENT_WON ? &won : &disputed, f, gateway, payment)) != 0)
			return error;
		return to_finance(act, f, verdict);
	case PAYMENT_NOTHING:
	case PAYMENT_QUERY:
		return 0;
	}
	return ICERT_E_INVALID;
}

/* What is said of a dispute that is not the order's own state. */
static int
dispute_of(struct act *act, const struct found *f, const char *gateway, const struct gateway_payment *payment, enum payment_verdict verdict)
{
	int own = f->paid && strcmp(f->p.gateway, gateway) == 0 && strcmp(f->p.gateway_payment, payment->id) == 0;
	int stopped = own && strcmp(f->p.state, "refunded") != 0;

	/* Its bank has taken what two people were giving back: that refund waited for this, and hears now that nothing is there. */
	if (verdict == PAYMENT_NOTHING && payment->state == GATEWAY_REFUNDED && !f->returned)
		verdict = PAYMENT_REFUNDED;
	return f->there ? dispute_heard(act, verdict, f->p.id, gateway, payment->id, stopped, f->returned) : 0;
}

static enum payment_verdict
decide(const struct found *f, const struct gateway_payment *payment, int sure)
{
	struct payment_order order = { .id = f->p.id, .state = f->p.state, .total = f->p.total, .currency = f->p.currency,
		.paid_by = f->paid ? f->p.gateway_payment : NULL, .owed = f->owed, .excess = f->excess, .contested = f->contested,
		.gone = f->returned ? f->received : 0 };

	enum payment_verdict verdict = payment_decide(f->there ? &order : NULL, payment, sure);

	/* That one is known, and finance has it. */
	return verdict == PAYMENT_DISPUTED && (f->contested || f->wanted) ? PAYMENT_NOTHING : verdict;
}

int
purchase_foresee(struct act *act, const char *gateway, const struct gateway_payment *payment, int sure,
    enum payment_verdict *verdict, char order_id[ID_TEXT])
{
	struct found f;
	int error;

	*verdict = PAYMENT_STRANGE;
	order_id[0] = '\0';
	if ((error = act_begin(act)) == 0 && (error = find(act, gateway, payment, &f)) == 0) {
		snprintf(order_id, ID_TEXT, "%s", f.p.id);
		*verdict = decide(&f, payment, sure);
		bytes_wipe(f.key, sizeof f.key);
	}
	db_rollback(act->db);
	return error;
}

static int
apply(struct act *act, const char *gateway, const struct gateway_payment *payment, int sure, struct inquiry *asking,
    enum payment_verdict *verdict, char order_id[ID_TEXT])
{
	struct found f;
	char action[32];
	int error;

	*verdict = PAYMENT_STRANGE;
	order_id[0] = '\0';
	if ((error = act_begin(act)) != 0 || (error = find(act, gateway, payment, &f)) != 0)
		goto fail;
	snprintf(order_id, ID_TEXT, "%s", f.p.id);
	*verdict = decide(&f, payment, sure);
	if ((error = act_on(act, &f, gateway, payment, *verdict)) != 0 || (error = dispute_of(act, &f, gateway, payment, *verdict)) != 0)
		goto fail;
	if (sure == PAYMENT_ASKED && f.there && (error = DB_QUERY(act->db, &asked, NULL, P_TEXT(f.p.id), P_INT(clock_business()))) != 0)
		goto fail;
	snprintf(action, sizeof action, "order.payment_%s", payment_verdict_name(*verdict));
	if (*verdict != PAYMENT_NOTHING && *verdict != PAYMENT_QUERY &&
	    (error = act_audit(act, action, "order", f.there ? f.p.id : NULL, NULL, 0, NULL, NULL)) != 0)
		goto fail;
	/* It travels with the end. */
	if (asking != NULL && asking->asker != NULL && f.there && (error = inquiry_send(act->db, asking, f.p.id)) != 0)
		goto fail;
	bytes_wipe(f.key, sizeof f.key);
	return db_commit(act->db);
fail:
	bytes_wipe(f.key, sizeof f.key);
	db_rollback(act->db);
	return error;
}

int
purchase_apply(struct act *act, const char *gateway, const struct gateway_payment *payment, int sure, struct inquiry *asking,
    enum payment_verdict *verdict, char order_id[ID_TEXT])
{
	int error = apply(act, gateway, payment, sure, asking, verdict, order_id);

	if (error == 0 || asking == NULL || !asking->written)
		return error;
	asking->written = 0;
	/* Whatever is wrong with a row of the order's story, the payment counts. */
	return error == ICERT_E_UNAVAILABLE || error == ICERT_E_TIMEOUT ? error : apply(act, gateway, payment, sure, NULL, verdict, order_id);
}
