#include <string.h>

#include "libicert/error.h"
#include "procedure/order/dispute.h"
#include "procedure/order/refund.h"
#include "procedure/order/story.h"
#include "procedure/order/transfer.h"
#include "web/desk/desk.h"

/* Money given back: finance asks from an order's page, another person confirms there. */

#define ROWS	100
#define DECIDES	(ROLE_FINANCE | ROLE_NATIONAL)

static int
list_page(struct request *rq)
{
	struct refund *list = arena_array(&rq->arena, struct refund, ROWS);
	struct view_desk_refunds_rows *rows = arena_array(&rq->arena, struct view_desk_refunds_rows, ROWS);
	struct view_desk_refunds v = { 0 };
	size_t n = ROWS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = refund_list(desk_act(rq), NULL, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].href = arena_printf(&rq->arena, "/orden/%s#devoluciones", list[i].order);
		rows[i].number = list[i].number;
		rows[i].amount = list[i].cents;
		rows[i].reason = list[i].reason;
		rows[i].state = list[i].q.state;
		rows[i].waits = strcmp(list[i].q.state, "open") == 0 || strcmp(list[i].q.state, "failed") == 0;
		rows[i].by = list[i].q.requested_name;
		rows[i].at = list[i].q.requested_at;
	}
	v.rows = rows;
	v.nrows = n;
	v.cut = n == ROWS;
	return page_send(rq, 200, desk_refunds, &v);
}

/* The payment of the address or the form, among those of the order. */
static int
find(struct request *rq, struct story **out, const struct story_conclusion **conclusion)
{
	const char *id = request_form(rq, "pago") != NULL ? request_form(rq, "pago") : request_query(rq, "pago");
	struct story *s = arena_new(&rq->arena, struct story);
	int rv, from = 0;

	*conclusion = NULL;
	if ((*out = s) == NULL)
		return ICERT_E_MEMORY;
	do {
		if ((rv = story_get(desk_act(rq), rq->id[0], from, s)) != 0)
			return rv;
		for (size_t i = 0; id != NULL && i < s->nconclusions; i++)
			if (strcmp(s->conclusions[i].id, id) == 0)
				*conclusion = &s->conclusions[i];
		from += STORY_ROWS;
	} while (*conclusion == NULL && s->nconclusions == STORY_ROWS);
	return *conclusion == NULL ? ICERT_E_NOT_FOUND : 0;
}

static int
ask_page(struct request *rq, int status)
{
	const struct story_conclusion *c;
	struct view_desk_refund v = { 0 };
	struct story *s;
	int rv;

	if ((rv = find(rq, &s, &c)) != 0)
		return rv;
	v.back = arena_printf(&rq->arena, "/orden/%s", s->order.id);
	v.order = s->order.id;
	v.number = s->order.number;
	v.payment = c->id;
	v.amount = c->cents;
	v.transfer = strcmp(c->gateway, TRANSFER_GATEWAY) == 0;
	v.own = strcmp(c->verdict, "pay") == 0;
	v.reasons = desk_options(rq, refund_reasons, "desk.refund.reason.", request_form(rq, "reason") != NULL ? request_form(rq, "reason") :
	    c->verdict, &v.nreasons);
	v.reason = page_field(rq, "reason", NULL);
	v.words = page_field(rq, "words", NULL);
	return page_send(rq, status, desk_refund, &v);
}

static int
ask_show(struct request *rq)
{
	return ask_page(rq, 200);
}

static const struct desk_refusal refusals[] = {
	{ ICERT_E_EXISTS, 409, NULL, "desk.refund.exists" },
	{ ICERT_E_STATE, 409, NULL, "desk.refund.state" },
	{ ICERT_E_DENIED, 403, NULL, "desk.refund.same" },
	{ ICERT_E_CONFLICT, 409, NULL, "desk.refund.gone" },
	{ 0 }
};

static const struct desk_refusal answer_refusals[] = {
	{ ICERT_E_CONFLICT, 409, NULL, "desk.dispute.gone" },
	{ 0 }
};

/* What the person sees of a refusal, with the order as it is now; the rest is the framework's. */
static int
wrong(struct request *rq, int rv, const struct desk_refusal *table)
{
	int status = rq->id[1] != NULL && desk_code_error_of(rq, rv, rq->id[1]) ? 422 : desk_refused(rq, table, rv);

	return status != 0 ? desk_order_page(rq, status) : rv;
}

static int
ask_done(struct request *rq)
{
	const char *reason = request_form(rq, "reason"), *words = request_form(rq, "words"), *payment = request_form(rq, "pago");
	int rv;

	if (reason == NULL || reason[0] == '\0')
		page_field_error(rq, "reason", "desk.refund.reason_missing");
	if (words == NULL || words[strspn(words, " \t\r\n")] == '\0')
		page_field_error(rq, "words", "desk.refund.words_missing");
	else if (strlen(words) > REFUND_WORDS)
		page_field_error(rq, "words", "field.too_long");
	if (page_has_errors(rq))
		return ask_page(rq, 422);
	if ((rv = refund_request(desk_act(rq), payment != NULL ? payment : "", reason, words)) != 0)
		return wrong(rq, rv, refusals);
	return response_redirect(rq, "/orden/%s?aviso=desk-refund-asked", rq->id[0]);
}

static int
confirm(struct request *rq)
{
	int rv = refund_confirm(desk_act(rq), rq->id[1], desk_code(rq));

	return rv != 0 ? wrong(rq, rv, refusals) : response_redirect(rq, "/orden/%s?aviso=desk-refund-confirmed", rq->id[0]);
}

static int
withdraw(struct request *rq)
{
	int rv = refund_withdraw(desk_act(rq), rq->id[1]);

	return rv != 0 ? wrong(rq, rv, refusals) : response_redirect(rq, "/orden/%s?aviso=desk-refund-withdrawn", rq->id[0]);
}

static int
answer(struct request *rq)
{
	int rv = dispute_answer(desk_act(rq), rq->id[0], rq->id[1]);

	return rv != 0 ? wrong(rq, rv, answer_refusals) : response_redirect(rq, "/orden/%s?aviso=desk-dispute-answered", rq->id[0]);
}

const struct route desk_refund_routes[] = {
	{ METHOD_GET, "/devoluciones", DECIDES | ROLE_AUDITOR, PROVINCE_ALL, 0, list_page },
	{ METHOD_GET, "/orden/{id}/devolver", ROLE_FINANCE, PROVINCE_ALL, 0, ask_show },
	{ METHOD_POST, "/orden/{id}/devolver", ROLE_FINANCE, PROVINCE_ALL, ROUTE_PARK, ask_done },
	{ METHOD_POST, "/orden/{id}/devolucion/{id2}/confirmar", DECIDES, PROVINCE_ALL, 0, confirm },
	{ METHOD_POST, "/orden/{id}/devolucion/{id2}/retirar", DECIDES, PROVINCE_ALL, 0, withdraw },
	{ METHOD_POST, "/orden/{id}/disputa/{id2}/respondida", ROLE_FINANCE, PROVINCE_ALL, 0, answer },
	{ 0 }
};
