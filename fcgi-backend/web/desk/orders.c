#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/order/refund.h"
#include "procedure/order/search.h"
#include "procedure/order/story.h"
#include "procedure/order/transfer.h"
#include "web/desk/desk.h"

/* Orders: the list, what is looked for, and the whole story of one. */

#define ORDERS	50
#define REFUNDS	50
#define WATCHES	(ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR)

static const char *const states[] = { "created", "pending", "paid", "used", "expired", "refunding", "refunded", "disputed", NULL };

/* A state of the list above by the address; NULL: all. */
static const char *
state_of(const struct request *rq)
{
	const char *asked = request_query(rq, "estado");

	for (size_t i = 0; asked != NULL && states[i] != NULL; i++)
		if (strcmp(states[i], asked) == 0)
			return states[i];
	return NULL;
}

static void
fill_row(struct request *rq, struct view_desk_orders_rows *row, const struct purchase *p)
{
	row->href = arena_printf(&rq->arena, "/orden/%s", p->id);
	row->number = p->number;
	row->state = p->state;
	row->product = p->container;
	row->ruc = p->ruc;
	row->years = p->years;
	row->net = p->net;
	row->tax = p->tax;
	row->total = p->total;
	row->gateway = p->gateway;
	row->at = p->created_at;
	row->paid_at = p->paid_at;
}

static int
orders_page(struct request *rq, struct view_desk_orders *v, const struct purchase *list, size_t n)
{
	struct view_desk_orders_rows *rows = arena_array(&rq->arena, struct view_desk_orders_rows, ORDERS);

	if (rows == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < n; i++)
		fill_row(rq, &rows[i], &list[i]);
	v->rows = rows;
	v->nrows = n;
	v->states = desk_options(rq, states, "purchase.", state_of(rq), &v->nstates);
	return page_send(rq, 200, desk_orders, v);
}

/* How many of a list the address leaves out. */
static int
rows_before(struct request *rq)
{
	const char *from = request_query(rq, "desde");
	int n = from != NULL ? atoi(from) : 0;

	return n < 0 || n > 1000000 ? 0 : n;
}

static int
orders_show(struct request *rq)
{
	struct view_desk_orders v = { 0 };
	struct purchase *list = arena_array(&rq->arena, struct purchase, ORDERS);
	const char *state = state_of(rq), *word = state != NULL ? state : "";
	int offset = rows_before(rq);
	size_t n = ORDERS;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = purchase_list(desk_act(rq), state, offset, list, &n)) != 0)
		return rv;
	if (n == ORDERS)
		v.next = arena_printf(&rq->arena, "/ordenes?estado=%s&desde=%d", word, offset + ORDERS);
	if (offset > 0)
		v.previous = arena_printf(&rq->arena, "/ordenes?estado=%s&desde=%d", word, offset > ORDERS ? offset - ORDERS : 0);
	return orders_page(rq, &v, list, n);
}

/* What is looked for may be somebody's number or mailbox: it travels in the body, never in an address. */
static int
orders_search(struct request *rq)
{
	const char *text = request_form(rq, "buscar");
	struct view_desk_orders v = { .searched = true };
	struct purchase *list = arena_array(&rq->arena, struct purchase, ORDERS);
	struct search *search = arena_new(&rq->arena, struct search);
	size_t n = ORDERS;
	int rv;

	if (list == NULL || search == NULL)
		return ICERT_E_MEMORY;
	if (text == NULL || text[strspn(text, " \t")] == '\0')
		return response_redirect(rq, "/ordenes");
	search_read(text, search);
	if ((rv = search_orders(desk_act(rq), search, list, &n)) != 0)
		return rv;
	v.search = text;
	v.money = search->kind == SEARCH_MONEY;
	v.has_amount = search->cents >= 0;
	v.amount = search->cents;
	v.day = search->day[0] != '\0' ? desk_day(search->day) : 0;
	v.full = n == ORDERS;
	return orders_page(rq, &v, list, n);
}

/* --- one order --------------------------------------------------------------- */

/* Money of that payment is here, and nobody has asked for it to go back. */
static bool
may_return(const struct story *s, const struct story_conclusion *c, const struct refund *refunds, size_t nrefunds)
{
	const char *state = s->order.state;

	for (size_t i = 0; i < nrefunds; i++)
		if (strcmp(refunds[i].conclusion, c->id) == 0 && strcmp(refunds[i].q.state, "withdrawn") != 0 &&
		    strcmp(refunds[i].q.state, "failed") != 0)
			return false;
	/* Nothing of it is at the gateway any more, or its bank wants it. */
	for (size_t i = 0; i < s->nconclusions; i++) {
		const struct story_conclusion *other = &s->conclusions[i];

		if (strcmp(other->gateway, c->gateway) == 0 && strcmp(other->payment, c->payment) == 0 && (strcmp(other->verdict, "refunded") == 0 ||
		    strcmp(other->dispute, "open") == 0 || strcmp(other->dispute, "answered") == 0))
			return false;
	}
	if (strcmp(c->verdict, "pay") == 0)
		return strcmp(state, "paid") == 0 || strcmp(state, "used") == 0 || strcmp(state, "refunding") == 0;
	return c->cents > 0 && (strcmp(c->verdict, "again") == 0 || strcmp(c->verdict, "late") == 0 || strcmp(c->verdict, "mismatch") == 0);
}

static int
fill_refunds(struct request *rq, struct view_desk_order *v, const struct refund *list, size_t n)
{
	struct view_desk_order_refunds *rows = arena_array(&rq->arena, struct view_desk_order_refunds, n + 1);
	bool decides = (rq->session.roles & (ROLE_FINANCE | ROLE_NATIONAL)) != 0;

	if (rows == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < n; i++) {
		bool open = strcmp(list[i].q.state, "open") == 0;

		rows[i].id = list[i].q.id;
		rows[i].order = list[i].order;
		rows[i].amount = list[i].cents;
		rows[i].reason = list[i].reason;
		rows[i].words = list[i].words;
		rows[i].state = list[i].q.state;
		rows[i].transfer = strcmp(list[i].gateway, TRANSFER_GATEWAY) == 0;
		rows[i].by = list[i].q.requested_name;
		rows[i].at = list[i].q.requested_at;
		rows[i].decided = list[i].q.decided_name[0] != '\0' ? list[i].q.decided_name : NULL;
		rows[i].decided_at = list[i].q.decided_at;
		rows[i].ended_at = list[i].ended_at;
		rows[i].may_confirm = open && decides && list[i].q.other;
		rows[i].may_withdraw = open && decides;
		rows[i].code = desk_code_field(rq, list[i].q.id);
	}
	v->refunds = rows;
	v->nrefunds = n;
	return 0;
}

static int
fill_payments(struct request *rq, struct view_desk_order *v, const struct story *s, const struct refund *refunds, size_t nrefunds)
{
	struct view_desk_order_events *events = arena_array(&rq->arena, struct view_desk_order_events, s->nevents + 1);
	struct view_desk_order_questions *questions = arena_array(&rq->arena, struct view_desk_order_questions, s->nquestions + 1);
	struct view_desk_order_payments *payments = arena_array(&rq->arena, struct view_desk_order_payments, s->nconclusions + 1);

	if (events == NULL || payments == NULL || questions == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < s->nevents; i++) {
		events[i].gateway = s->events[i].gateway;
		events[i].id = s->events[i].event;
		events[i].verdict = s->events[i].verdict[0] != '\0' ? s->events[i].verdict : NULL;
		events[i].at = s->events[i].received_at;
		events[i].tries = s->events[i].tries;
	}
	for (size_t i = 0; i < s->nconclusions; i++) {
		payments[i].gateway = desk_gateway(s->conclusions[i].gateway);
		payments[i].id = s->conclusions[i].payment;
		payments[i].verdict = s->conclusions[i].verdict;
		payments[i].stated = s->conclusions[i].cents >= 0;
		payments[i].amount = s->conclusions[i].cents;
		payments[i].at = s->conclusions[i].at;
		if ((rq->session.roles & ROLE_FINANCE) && may_return(s, &s->conclusions[i], refunds, nrefunds))
			payments[i].give = arena_printf(&rq->arena, "/orden/%s/devolver?pago=%s", s->order.id, s->conclusions[i].id);
		payments[i].answered = strcmp(s->conclusions[i].dispute, "answered") == 0;
		if (strcmp(s->conclusions[i].dispute, "open") != 0)
			continue;
		v->contested = true;
		if (rq->session.roles & ROLE_FINANCE)
			payments[i].answer = arena_printf(&rq->arena, "/orden/%s/disputa/%s/respondida", s->order.id, s->conclusions[i].id);
	}
	for (size_t i = 0; i < s->nquestions; i++) {
		const struct story_question *q = &s->questions[i];

		questions[i].gateway = desk_gateway(q->gateway);
		questions[i].asker = q->asker;
		questions[i].answer = q->answer;
		questions[i].stated = q->cents >= 0;
		questions[i].amount = q->cents;
		questions[i].returned = q->refunded > 0;
		questions[i].refunded = q->refunded;
		questions[i].at = q->last_at;
		questions[i].since = q->times > 1 ? q->first_at : 0;
		questions[i].times = q->times;
	}
	v->events = events;
	v->nevents = s->nevents;
	v->questions = questions;
	v->nquestions = s->nquestions;
	v->payments = payments;
	v->npayments = s->nconclusions;
	return 0;
}

/* What the bank's statements and the gateways' lists have of it. */
static int
fill_compared(struct request *rq, struct view_desk_order *v, const struct story *s)
{
	struct view_desk_order_transfers *transfers = arena_array(&rq->arena, struct view_desk_order_transfers, s->ntransfers + 1);
	struct view_desk_order_differences *differences = arena_array(&rq->arena, struct view_desk_order_differences, s->ndifferences + 1);

	if (transfers == NULL || differences == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < s->ntransfers; i++) {
		transfers[i].href = arena_printf(&rq->arena, "/transferencias/%s", s->transfers[i].id);
		transfers[i].day = desk_day(s->transfers[i].day);
		transfers[i].amount = s->transfers[i].cents;
		transfers[i].state = s->transfers[i].state;
		transfers[i].verdict = s->transfers[i].verdict[0] != '\0' ? s->transfers[i].verdict : NULL;
	}
	for (size_t i = 0; i < s->ndifferences; i++) {
		const struct story_difference *d = &s->differences[i];

		differences[i].gateway = d->gateway;
		differences[i].day = desk_day(d->day);
		differences[i].kind = d->kind;
		differences[i].state = d->state;
		differences[i].reason = d->reason[0] != '\0' ? d->reason : NULL;
		differences[i].is_here = d->here >= 0;
		differences[i].here = d->here;
		differences[i].is_there = d->there >= 0;
		differences[i].there = d->there;
	}
	v->transfers = transfers;
	v->ntransfers = s->ntransfers;
	v->differences = differences;
	v->ndifferences = s->ndifferences;
	return 0;
}

static int
fill_history(struct request *rq, struct view_desk_order *v, const struct story *s)
{
	struct view_desk_order_mails *mails = arena_array(&rq->arena, struct view_desk_order_mails, s->nmails + 1);
	struct view_desk_order_lines *lines = arena_array(&rq->arena, struct view_desk_order_lines, s->nlines + 1);

	if (mails == NULL || lines == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < s->nmails; i++) {
		mails[i].name = s->mails[i].template;
		mails[i].state = s->mails[i].state;
		mails[i].at = s->mails[i].at;
	}
	for (size_t i = 0; i < s->nlines; i++) {
		const struct audit_line *l = &s->lines[i];

		lines[i].at = l->at;
		lines[i].action = l->action;
		lines[i].refused = strcmp(l->outcome, "refused") == 0;
		lines[i].kind = l->actor_kind;
		lines[i].by = l->actor_name[0] != '\0' ? l->actor_name : NULL;
	}
	v->mails = mails;
	v->nmails = s->nmails;
	v->lines = lines;
	v->nlines = s->nlines;
	return 0;
}

int
desk_order_page(struct request *rq, int status)
{
	struct story *s = arena_new(&rq->arena, struct story);
	struct refund *refunds = arena_array(&rq->arena, struct refund, REFUNDS);
	struct view_desk_order v = { .back = desk_back(rq, "/ordenes") };
	const struct purchase *p;
	size_t nrefunds = REFUNDS;
	int rv;

	if (s == NULL || refunds == NULL)
		return ICERT_E_MEMORY;
	if ((rv = story_get(desk_act(rq), rq->id[0], rows_before(rq), s)) != 0 ||
	    (rv = refund_list(desk_act(rq), rq->id[0], refunds, &nrefunds)) != 0)
		return rv;
	p = &s->order;
	if (s->more)
		v.next = arena_printf(&rq->arena, "/orden/%s?desde=%d#historia", p->id, s->from + STORY_ROWS);
	if (s->from > 0)
		v.previous = arena_printf(&rq->arena, "/orden/%s?desde=%d#historia", p->id, s->from > STORY_ROWS ? s->from - STORY_ROWS : 0);
	v.before = s->from;
	v.number = p->number;
	v.state = p->state;
	v.product = p->container;
	v.ruc = p->ruc;
	v.renewal = strcmp(p->kind, "renewal") == 0;
	v.years = p->years;
	v.net = p->net;
	v.tax = p->tax;
	v.total = p->total;
	v.at = p->created_at;
	v.expires_at = strcmp(p->state, "created") == 0 || strcmp(p->state, "pending") == 0 ? p->expires_at : 0;
	v.paid_at = p->paid_at;
	v.gateway = p->gateway[0] != '\0' ? desk_gateway(p->gateway) : NULL;
	v.payment = p->gateway_payment;
	v.mailbox = s->masked;
	v.case_number = s->case_number[0] != '\0' ? s->case_number : NULL;
	v.case_state = s->case_state;
	v.certificate = s->certificate_state[0] != '\0' ? s->certificate_state : NULL;
	/* Who is invoiced is finance's to know; the others see the order. */
	v.billing = (rq->session.roles & ROLE_FINANCE) != 0;
	v.invoice_kind = p->billing.id_kind;
	v.invoice_number = p->billing.id_number;
	v.invoice_name = p->billing.name;
	v.invoice_address = p->billing.address;
	v.invoice_telephone = p->billing.telephone;
	v.invoice_email = p->billing.email;
	if ((rv = fill_payments(rq, &v, s, refunds, nrefunds)) != 0 || (rv = fill_refunds(rq, &v, refunds, nrefunds)) != 0 ||
	    (rv = fill_compared(rq, &v, s)) != 0 || (rv = fill_history(rq, &v, s)) != 0 || (rv = desk_slips(rq, p->id, &v.slips, &v.nslips)) != 0 ||
	    (rv = desk_invoices(rq, p, &v.invoicing)) != 0)
		return rv;
	return page_send(rq, status, desk_order, &v);
}

static int
order_show(struct request *rq)
{
	return desk_order_page(rq, 200);
}

const struct route desk_orders_routes[] = {
	{ METHOD_GET, "/ordenes", WATCHES, PROVINCE_ALL, 0, orders_show },
	{ METHOD_POST, "/ordenes", WATCHES, PROVINCE_ALL, 0, orders_search },
	{ METHOD_GET, "/orden/{id}", WATCHES, PROVINCE_ALL, 0, order_show },
	{ 0 }
};
