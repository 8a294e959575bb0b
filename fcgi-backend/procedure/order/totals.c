#include "procedure/order/totals.h"

#include <stdio.h>

#include "libicert/error.h"
#include "procedure/order/received.h"

#define READERS		(BY_FINANCE | BY_NATIONAL | BY_AUDITOR)

/* The bank of whoever paid has it: a dispute that was not won.  What had gone back before was gone. */
#define HELD(y) \
	" exists (select from icert.payment d where d.gateway = " y ".gateway and d.gateway_payment = " y ".gateway_payment and d.verdict = 'disputed'" \
	" and not exists (select from icert.dispute x where x.payment_id = d.id and x.returned)" \
	" and not exists (select from icert.payment w where w.gateway = d.gateway and w.gateway_payment = d.gateway_payment and w.verdict = 'won'" \
	"  and w.turn = d.turn + 1))"

/*
 * What the gateway gave back by itself is all that was left there of a payment: what was received, without our own refunds of it, and
 * without what a dispute took already.
 */
#define MOVEMENTS \
	"with movement as (" \
	" select y.at, y.gateway, y.gateway_payment as payment, y.verdict as kind, y.cents, coalesce(y.currency, '') as currency, y.purchase_id" \
	" from icert.payment y where y.at >= $1 and y.at < $2 and y.cents > 0 and y.verdict in ('pay', 'again', 'late', 'mismatch', 'strange') and" RECEIVED("y") \
	" union all" \
	" select q.ended_at, y.gateway, y.gateway_payment, 'refund', -q.cents, q.currency, q.purchase_id" \
	" from icert.refund q join icert.payment y on y.id = q.payment_id where q.state = 'done' and q.ended_at >= $1 and q.ended_at < $2" \
	" union all" \
	" select y.at, y.gateway, y.gateway_payment, y.verdict, case y.verdict when 'won' then 1 else -1 end * coalesce(s.cents, y.cents)," \
	"  coalesce(s.currency, y.currency, ''), y.purchase_id from icert.payment y" \
	" left join icert.payment s on s.gateway = y.gateway and s.gateway_payment = y.gateway_payment and s.verdict = 'pay'" \
	" where y.at >= $1 and y.at < $2 and y.verdict in ('disputed', 'won') and coalesce(s.cents, y.cents) > 0" \
	" union all" \
	" select y.at, y.gateway, y.gateway_payment, y.verdict, -s.cents, s.currency, y.purchase_id from icert.payment y" \
	" cross join lateral (select sum(s.cents)::bigint as cents, max(s.currency) as currency from icert.payment s" \
	"  where s.gateway = y.gateway and s.gateway_payment = y.gateway_payment and s.cents > 0" \
	"  and s.verdict in ('pay', 'again', 'late', 'mismatch', 'strange') and" RECEIVED("s") \
	"  and not exists (select from icert.refund q where q.payment_id = s.id and q.state = 'done')" \
	"  and not ((s.verdict = 'pay' or not exists (select from icert.payment o where o.gateway = s.gateway" \
	"   and o.gateway_payment = s.gateway_payment and o.verdict = 'pay')) and" HELD("s") ")) s" \
	" where y.at >= $1 and y.at < $2 and y.verdict = 'refunded' and s.cents > 0" \
	") "
#define DAY		"to_char(to_timestamp(m.at) at time zone 'America/Guayaquil', 'YYYY-MM-DD')"

static const struct db_stmt days = { "totals_days", MOVEMENTS
	"select " DAY " as day, m.gateway, m.currency,"
	" count(*) filter (where m.kind = 'pay'),"
	" count(*) filter (where m.kind in ('again', 'late', 'mismatch', 'strange')),"
	" count(*) filter (where m.kind in ('refund', 'refunded')),"
	" coalesce(sum(m.cents) filter (where m.kind = 'pay'), 0)::bigint,"
	" coalesce(sum(p.net) filter (where m.kind = 'pay'), 0)::bigint,"
	" coalesce(sum(p.tax) filter (where m.kind = 'pay'), 0)::bigint,"
	" coalesce(sum(m.cents) filter (where m.kind in ('again', 'late', 'mismatch', 'strange')), 0)::bigint,"
	" coalesce(-sum(m.cents) filter (where m.kind in ('refund', 'refunded')), 0)::bigint,"
	" coalesce(-sum(m.cents) filter (where m.kind in ('disputed', 'won')), 0)::bigint,"
	" sum(m.cents)::bigint"
	" from movement m left join icert.purchase p on p.id = m.purchase_id group by 1, 2, 3 order by 1, 2, 3 limit $3" };
static const struct db_stmt one_by_one = { "totals_movements", MOVEMENTS
	"select m.at, m.gateway, m.payment, m.kind, m.cents, m.currency, coalesce(p.id::text, ''), coalesce(p.number, '')"
	" from movement m left join icert.purchase p on p.id = m.purchase_id"
	" order by m.at, m.gateway, m.payment, m.kind offset $4 limit $3" };

#define COPY(field, column) snprintf(field, sizeof field, "%s", db_text(r, i, column))

static int
begin(struct act *act)
{
	if (!(act->roles & READERS))
		return act_refuse(act, "totals.read", "totals", NULL, 0, ICERT_E_DENIED);
	return act_begin(act);
}

int
totals_days(struct act *act, int64_t from, int64_t until, struct totals *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &days, &r, P_INT(from), P_INT(until), P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct totals *t = &rows[(*n)++];

		COPY(t->day, 0);
		COPY(t->gateway, 1);
		COPY(t->currency, 2);
		t->sales = (int)db_int(r, i, 3);
		t->others = (int)db_int(r, i, 4);
		t->returns = (int)db_int(r, i, 5);
		t->sold = db_int(r, i, 6);
		t->net = db_int(r, i, 7);
		t->tax = db_int(r, i, 8);
		t->other = db_int(r, i, 9);
		t->returned = db_int(r, i, 10);
		t->disputed = db_int(r, i, 11);
		t->balance = db_int(r, i, 12);
	}
	db_result_free(r);
	return 0;
}

int
totals_movements(struct act *act, int64_t from, int64_t until, size_t skip, struct movement *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &one_by_one, &r, P_INT(from), P_INT(until), P_INT((int64_t)room), P_INT((int64_t)skip))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct movement *m = &rows[(*n)++];

		m->at = db_int(r, i, 0);
		COPY(m->gateway, 1);
		COPY(m->payment, 2);
		COPY(m->kind, 3);
		m->cents = db_int(r, i, 4);
		COPY(m->currency, 5);
		COPY(m->order, 6);
		COPY(m->number, 7);
	}
	db_result_free(r);
	return 0;
}
