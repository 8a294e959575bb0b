#include "procedure/order/waiting.h"

#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/order/dispute.h"
#include "procedure/order/received.h"

#define READERS		(BY_FINANCE | BY_NATIONAL | BY_AUDITOR)

const char *const waiting_names[] = { "transfer", "difference", "refund", "failed", "payment", "dispute", "answer", "invoice", "credit_note", NULL };

/* The number that a line names is the payer's word: the order is the one of that number, if there is one. */
#define WAITING \
	"with waiting as (" \
	" select 0 as kind, i.imported_at as since, l.cents, l.id::text as id, left(l.reference, 15) as word, p.id as order_id, coalesce(p.number, '') as number" \
	" from icert.bank_line l join icert.bank_import i on i.id = l.import_id left join icert.purchase p on p.number = l.number where l.state = 'new'" \
	" union all" \
	" select 1, r.ended_at, coalesce(d.there, d.here, -1), d.id::text, d.kind, p.id, coalesce(p.number, '')" \
	" from icert.difference d join icert.reconciliation r on r.gateway = d.gateway and r.day = d.day" \
	" left join icert.purchase p on p.id = d.purchase_id where d.state = 'open'" \
	" union all" \
	" select case q.state when 'open' then 2 else 3 end, coalesce(q.ended_at, q.requested_at), q.cents, '', q.reason, p.id, p.number" \
	" from icert.refund q join icert.purchase p on p.id = q.purchase_id where q.state = 'open' or (q.state = 'failed'" \
	"  and not exists (select from icert.payment y join icert.payment o on o.gateway = y.gateway and o.gateway_payment = y.gateway_payment" \
	"   and o.verdict = 'refunded' where y.id = q.payment_id)" \
	"  and not exists (select from icert.refund o where o.payment_id = q.payment_id" \
	"   and (o.state in ('open', 'confirmed', 'done') or (o.state = 'failed' and (o.ended_at, o.id) > (q.ended_at, q.id)))))" \
	" union all" \
	" select 4, y.at, y.cents, '', y.verdict, p.id, p.number from icert.payment y join icert.purchase p on p.id = y.purchase_id" \
	" where y.verdict in ('again', 'late', 'mismatch') and y.cents > 0" \
	"  and not exists (select from icert.refund q where q.payment_id = y.id and q.state <> 'withdrawn')" \
	"  and not exists (select from icert.payment o where o.gateway = y.gateway and o.gateway_payment = y.gateway_payment" \
	"   and o.verdict = 'refunded') and not" DISPUTE_LIVES("y") " and" RECEIVED("y") \
	" union all" \
	" select 4, f.at, p.total, '', 'fault', p.id, p.number from icert.orders_at_fault() f join icert.purchase p on p.id = f.purchase_id" \
	" where p.state in ('paid', 'used') and not exists (select from icert.refund q where q.purchase_id = p.id and q.own and q.state <> 'withdrawn')" \
	" union all" \
	" select 5, p.state_since, p.total, '', '', p.id, p.number from icert.purchase p where p.state = 'disputed'" \
	" union all" \
	" select 6, d.opened_at, coalesce(y.cents, p.total), '', '', p.id, p.number from icert.dispute d join icert.payment y on y.id = d.payment_id" \
	" join icert.purchase p on p.id = d.purchase_id where d.state = 'open'" \
	" union all" \
	" select 7, i.created_at, p.total, '', '', p.id, p.number from icert.invoice i join icert.purchase p on p.id = i.purchase_id" \
	" where i.state = 'awaited' and p.state in ('paid', 'used')" \
	" union all" \
	" select 8, p.state_since, i.total, '', '', p.id, p.number from icert.invoice i join icert.purchase p on p.id = i.purchase_id" \
	" where i.voids is null and i.state in ('filed', 'mailed') and p.state = 'refunded'" \
	") "

static const struct db_stmt oldest = { "waiting_oldest", WAITING
	"select kind, coalesce(since, 0), cents, id, word, coalesce(order_id::text, ''), number from waiting where $2 < 0 or kind = $2"
	" order by kind >= 7, since, kind, number limit $1" };
static const struct db_stmt count = { "waiting_count", WAITING "select kind, count(*) from waiting group by kind" };

#define COPY(field, column) snprintf(field, sizeof field, "%s", db_text(r, i, column))

int
waiting_list(struct act *act, enum waiting_kind only, struct waiting *rows, size_t *n, int64_t counts[WAITING_KINDS])
{
	struct db_result *r = NULL;
	size_t room = *n;
	int error;

	*n = 0;
	memset(counts, 0, WAITING_KINDS * sizeof counts[0]);
	if (!(act->roles & READERS))
		return act_refuse(act, "waiting.list", "waiting", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0)
		return error;
	if ((error = db_query(act->db, &count, NULL, 0, &r)) != 0) {
		db_rollback(act->db);
		return error;
	}
	for (int i = 0; i < db_rows(r); i++)
		counts[db_int(r, i, 0)] = db_int(r, i, 1);
	db_result_free(r);
	if ((error = DB_QUERY_COMMIT(act->db, &oldest, &r, P_INT((int64_t)room), P_INT(only < WAITING_KINDS ? (int64_t)only : -1))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct waiting *w = &rows[(*n)++];

		w->kind = (enum waiting_kind)db_int(r, i, 0);
		w->since = db_int(r, i, 1);
		w->cents = db_int(r, i, 2);
		COPY(w->id, 3);
		COPY(w->word, 4);
		COPY(w->order, 5);
		COPY(w->number, 6);
	}
	db_result_free(r);
	return 0;
}
