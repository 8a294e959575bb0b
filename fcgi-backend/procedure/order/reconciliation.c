#include "procedure/order/reconciliation.h"

#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"

#define READERS		(BY_FINANCE | BY_NATIONAL | BY_AUDITOR)

const char *const difference_reasons[] = { "delay", "by_hand", "gateway", "trial", "other", NULL };

static const struct db_stmt days = { "reconciliation_list",
	"select r.gateway, to_char(r.day, 'YYYY-MM-DD'), r.state, r.outcome, r.payments, count(d.id) filter (where d.state in ('open', 'ask')),"
	" count(d.id), r.tries, coalesce(r.ended_at, 0) from icert.reconciliation r left join icert.difference d on d.gateway = r.gateway"
	" and d.day = r.day group by r.gateway, r.day order by r.day desc, r.gateway limit $1" };
static const struct db_stmt differences = { "reconciliation_differences",
	"select d.id, d.gateway, to_char(d.day, 'YYYY-MM-DD'), d.payment, d.kind, d.state, coalesce(p.id::text, ''), coalesce(p.number, ''),"
	" coalesce(p.state, ''), d.reason, d.verdict, coalesce(s.name, ''), coalesce(d.here, -1), coalesce(d.there, -1), coalesce(d.decided_at, 0)"
	" from icert.difference d left join icert.purchase p on p.id = d.purchase_id left join icert.staff s on s.id = d.decided_by"
	" order by d.state not in ('open', 'ask'), d.day desc, d.id limit $1" };
static const struct db_stmt decide = { "reconciliation_decide",
	"update icert.difference set state = $2, reason = $3, decided_by = $4, decided_at = $5 where id = $1 and state = 'open'" };
static const struct db_stmt wake = { "reconciliation_wake", "select pg_notify('icert_payment', $1)" };

#define COPY(field, column) snprintf(field, sizeof field, "%s", db_text(r, i, column))

static int
read_rows(struct act *act, const struct db_stmt *stmt, size_t room, struct db_result **r)
{
	int error;

	if (!(act->roles & READERS))
		return act_refuse(act, "reconciliation.list", "reconciliation", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0)
		return error;
	return DB_QUERY_COMMIT(act->db, stmt, r, P_INT((int64_t)room));
}

int
reconciliation_list(struct act *act, struct reconciliation *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = read_rows(act, &days, room, &r)) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct reconciliation *d = &rows[(*n)++];

		COPY(d->gateway, 0);
		COPY(d->day, 1);
		COPY(d->state, 2);
		COPY(d->outcome, 3);
		d->payments = (int)db_int(r, i, 4);
		d->open = (int)db_int(r, i, 5);
		d->all = (int)db_int(r, i, 6);
		d->tries = (int)db_int(r, i, 7);
		d->ended_at = db_int(r, i, 8);
	}
	db_result_free(r);
	return 0;
}

int
reconciliation_differences(struct act *act, struct difference *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = read_rows(act, &differences, room, &r)) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct difference *d = &rows[(*n)++];

		COPY(d->id, 0);
		COPY(d->gateway, 1);
		COPY(d->day, 2);
		COPY(d->payment, 3);
		COPY(d->kind, 4);
		COPY(d->state, 5);
		COPY(d->order, 6);
		COPY(d->number, 7);
		COPY(d->order_state, 8);
		COPY(d->reason, 9);
		COPY(d->verdict, 10);
		COPY(d->decided_name, 11);
		d->here = db_int(r, i, 12);
		d->there = db_int(r, i, 13);
		d->decided_at = db_int(r, i, 14);
	}
	db_result_free(r);
	return 0;
}

static int
decided(struct act *act, const char *id, const char *state, const char *reason, const char *action)
{
	struct db_result *r;
	int error = ICERT_E_DENIED;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((act->roles & BY_FINANCE) && (error = act_begin(act)) == 0 &&
	    (error = DB_QUERY(act->db, &decide, &r, P_TEXT(id), P_TEXT(state), P_TEXT(reason), P_TEXT(act->id), P_INT(clock_business()))) == 0) {
		error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
		db_result_free(r);
		if (error == 0 && (error = act_audit(act, action, "difference", id, NULL, 0, reason[0] != '\0' ? reason : NULL, NULL)) == 0 &&
		    (error = DB_QUERY(act->db, &wake, NULL, P_TEXT(""))) == 0)
			error = db_commit(act->db);
	}
	return error == 0 ? 0 : act_refuse(act, action, "difference", id, 0, error);
}

int
reconciliation_ask(struct act *act, const char *difference)
{
	return decided(act, difference, "ask", "", "reconciliation.ask");
}

int
reconciliation_explain(struct act *act, const char *difference, const char *reason)
{
	for (int i = 0; difference_reasons[i] != NULL; i++)
		if (strcmp(difference_reasons[i], reason) == 0)
			return decided(act, difference, "explained", reason, "reconciliation.explain");
	return ICERT_E_INVALID;
}
