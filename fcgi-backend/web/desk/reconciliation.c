#include <string.h>

#include "libicert/error.h"
#include "procedure/order/reconciliation.h"
#include "web/desk/desk.h"

/* What gateways list against what is here: the days, and what differs, each with its act. */

#define DAYS		60
#define DIFFERENCES	100
#define WATCHES		(ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR)

static int
fill_days(struct request *rq, struct view_desk_reconciliation *v)
{
	struct reconciliation *list = arena_array(&rq->arena, struct reconciliation, DAYS);
	struct view_desk_reconciliation_days *rows = arena_array(&rq->arena, struct view_desk_reconciliation_days, DAYS);
	size_t n = DAYS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = reconciliation_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].day = desk_day(list[i].day);
		rows[i].gateway = list[i].gateway;
		rows[i].done = strcmp(list[i].state, "done") == 0;
		rows[i].down = list[i].outcome[0] != '\0';
		rows[i].payments = list[i].payments;
		rows[i].open = list[i].open;
		rows[i].all = list[i].all;
		rows[i].at = list[i].ended_at;
	}
	v->days = rows;
	v->ndays = n;
	return 0;
}

static int
reconciliation_page(struct request *rq, int status)
{
	struct difference *list = arena_array(&rq->arena, struct difference, DIFFERENCES);
	struct view_desk_reconciliation_rows *rows = arena_array(&rq->arena, struct view_desk_reconciliation_rows, DIFFERENCES);
	struct view_desk_reconciliation v = { .acts = (rq->session.roles & ROLE_FINANCE) != 0 };
	size_t n = DIFFERENCES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = fill_days(rq, &v)) != 0 || (rv = reconciliation_differences(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const struct difference *d = &list[i];

		rows[i].id = d->id;
		rows[i].kind = d->kind;
		rows[i].day = desk_day(d->day);
		rows[i].gateway = d->gateway;
		rows[i].payment = d->payment;
		rows[i].order = d->order[0] != '\0' ? arena_printf(&rq->arena, "/orden/%s", d->order) : NULL;
		rows[i].number = d->number;
		rows[i].order_state = d->order_state;
		rows[i].is_here = d->here >= 0;
		rows[i].here = d->here;
		rows[i].is_there = d->there >= 0;
		rows[i].there = d->there;
		rows[i].state = d->state;
		rows[i].reason = d->reason[0] != '\0' ? d->reason : NULL;
		rows[i].verdict = d->verdict[0] != '\0' ? d->verdict : NULL;
		rows[i].by = d->decided_name[0] != '\0' ? d->decided_name : NULL;
		/* So that a press after another answer of the gateway is not taken for the same one. */
		rows[i].seen = arena_printf(&rq->arena, "%lld", (long long)d->decided_at);
		rows[i].acts = v.acts && strcmp(d->state, "open") == 0;
		/* Only where the gateway has money that is not the order's. */
		rows[i].returns = rows[i].order != NULL && (strcmp(d->kind, "amount") == 0 || strcmp(d->kind, "paid_there") == 0);
		rows[i].error = page_error_of(rq, arena_printf(&rq->arena, "reason-%s", d->id));
		rows[i].wrong = rows[i].error != NULL;
		v.open += strcmp(d->state, "open") == 0;
		v.asking += strcmp(d->state, "ask") == 0;
	}
	v.rows = rows;
	v.nrows = n;
	v.cut = n == DIFFERENCES;
	v.full = v.cut && v.open == (int64_t)n;
	v.reasons = desk_options(rq, difference_reasons, "desk.difference.reason.", NULL, &v.nreasons);
	return page_send(rq, status, desk_reconciliation, &v);
}

static int
reconciliation_show(struct request *rq)
{
	return reconciliation_page(rq, 200);
}

static const struct desk_refusal refusals[] = {
	{ ICERT_E_CONFLICT, 409, NULL, "desk.difference.gone" },
	{ 0 }
};

static int
ended(struct request *rq, int rv, const char *notice)
{
	int status;

	if (rv == ICERT_E_INVALID) {
		page_field_error(rq, arena_printf(&rq->arena, "reason-%s", rq->id[0]), "desk.difference.reason_missing");
		return reconciliation_page(rq, 422);
	}
	if (rv != 0)
		return (status = desk_refused(rq, refusals, rv)) != 0 ? reconciliation_page(rq, status) : rv;
	return response_redirect(rq, "/conciliacion?aviso=%s", notice);
}

static int
ask(struct request *rq)
{
	return ended(rq, reconciliation_ask(desk_act(rq), rq->id[0]), "desk-difference-asked");
}

static int
explain(struct request *rq)
{
	const char *reason = request_form(rq, "reason");

	return ended(rq, reconciliation_explain(desk_act(rq), rq->id[0], reason != NULL ? reason : ""), "desk-difference-explained");
}

const struct route desk_reconciliation_routes[] = {
	{ METHOD_GET, "/conciliacion", WATCHES, PROVINCE_ALL, 0, reconciliation_show },
	{ METHOD_POST, "/conciliacion/{id}/preguntar", ROLE_FINANCE, PROVINCE_ALL, 0, ask },
	{ METHOD_POST, "/conciliacion/{id}/explicar", ROLE_FINANCE, PROVINCE_ALL, 0, explain },
	{ 0 }
};
