#include <string.h>

#include "libicert/error.h"
#include "procedure/order/waiting.h"
#include "web/desk/desk.h"

/* Everything that waits for finance, on one page: how many of each kind, and the oldest first, each one step from its act. */

#define ROWS	100
#define WATCHES	(ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR)

/* Where a kind is dealt with. */
static const char *const pages[WAITING_KINDS] = {
	[WAITING_TRANSFER] = "/transferencias",
	[WAITING_DIFFERENCE] = "/conciliacion",
	[WAITING_REFUND] = "/devoluciones",
	[WAITING_FAILED] = "/devoluciones",
	[WAITING_PAYMENT] = NULL,		/* each on its order's page; all of them alone on this one */
	[WAITING_DISPUTE] = "/ordenes?estado=disputed",
	[WAITING_ANSWER] = NULL,		/* the same */
	[WAITING_INVOICE] = NULL,
	[WAITING_CREDIT_NOTE] = NULL,
};

static const char *
place(struct request *rq, const struct waiting *w)
{
	switch (w->kind) {
	case WAITING_TRANSFER:
		return arena_printf(&rq->arena, "/transferencias/%s?de=finanzas", w->id);
	case WAITING_DIFFERENCE:
		return arena_printf(&rq->arena, "/conciliacion#diferencia-%s", w->id);
	case WAITING_REFUND:
	case WAITING_FAILED:
		return arena_printf(&rq->arena, "/orden/%s?de=finanzas#devoluciones", w->order);
	case WAITING_INVOICE:
	case WAITING_CREDIT_NOTE:
		return arena_printf(&rq->arena, rq->session.roles & ROLE_FINANCE ? "/orden/%s/factura?de=finanzas" : "/orden/%s?de=finanzas#facturas", w->order);
	case WAITING_PAYMENT:
	case WAITING_ANSWER:
		return arena_printf(&rq->arena, "/orden/%s?de=finanzas#historia", w->order);
	case WAITING_DISPUTE:
	case WAITING_KINDS:
		break;
	}
	return arena_printf(&rq->arena, "/orden/%s?de=finanzas", w->order);
}

/* The kind that the address asks for alone; WAITING_KINDS all. */
static enum waiting_kind
kind_of(const struct request *rq)
{
	const char *asked = request_query(rq, "clase");
	int kind = 0;

	while (kind < WAITING_KINDS && (asked == NULL || strcmp(waiting_names[kind], asked) != 0))
		kind++;
	return (enum waiting_kind)kind;
}

static int
waiting_show(struct request *rq)
{
	struct waiting *list = arena_array(&rq->arena, struct waiting, ROWS);
	struct view_desk_waiting_rows *rows = arena_array(&rq->arena, struct view_desk_waiting_rows, ROWS);
	struct view_desk_waiting_kinds *kinds = arena_array(&rq->arena, struct view_desk_waiting_kinds, WAITING_KINDS);
	struct view_desk_waiting v = { 0 };
	enum waiting_kind only = kind_of(rq);
	int64_t counts[WAITING_KINDS], all = 0;
	size_t n = ROWS;
	int rv;

	if (list == NULL || rows == NULL || kinds == NULL)
		return ICERT_E_MEMORY;
	if ((rv = waiting_list(desk_act(rq), only, list, &n, counts)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].href = place(rq, &list[i]);
		rows[i].kind = waiting_names[list[i].kind];
		rows[i].verdict = list[i].kind == WAITING_PAYMENT ? list[i].word : NULL;
		rows[i].difference = list[i].kind == WAITING_DIFFERENCE ? list[i].word : NULL;
		rows[i].document = list[i].kind == WAITING_TRANSFER ? list[i].word : NULL;
		rows[i].since = list[i].since;
		rows[i].is_amount = list[i].cents >= 0;
		rows[i].amount = list[i].cents;
		rows[i].order = list[i].order[0] != '\0' ? arena_printf(&rq->arena, "/orden/%s?de=finanzas", list[i].order) : NULL;
		rows[i].number = list[i].number;
	}
	for (size_t i = 0; i < WAITING_KINDS; i++) {
		if (only == WAITING_KINDS || only == i)
			all += counts[i];
		if (counts[i] == 0)
			continue;
		kinds[v.nkinds].here = only == i;
		kinds[v.nkinds].href = pages[i] != NULL ? pages[i] : arena_printf(&rq->arena, "/finanzas?clase=%s", waiting_names[i]);
		kinds[v.nkinds].kind = waiting_names[i];
		kinds[v.nkinds++].n = counts[i];
	}
	v.only = only != WAITING_KINDS ? waiting_names[only] : NULL;
	v.kinds = kinds;
	v.rows = rows;
	v.nrows = n;
	v.more = all > (int64_t)n ? all - (int64_t)n : 0;
	return page_send(rq, 200, desk_waiting, &v);
}

const struct route desk_waiting_routes[] = {
	{ METHOD_GET, "/finanzas", WATCHES, PROVINCE_ALL, 0, waiting_show },
	{ 0 }
};
