#include <string.h>

#include "libicert/error.h"
#include "procedure/application/appointment.h"
#include "procedure/certificate/certificate.h"
#include "procedure/order/purchase.h"
#include "web/portal/portal.h"

/* The list of what this mailbox has: its cases, and its orders that no case has used. */

#define LIST_MAX	32

static const char *
product_name(const char *container)
{
	char key[48];

	snprintf(key, sizeof(key), "container.%s", container);
	return catalogue(key);
}

/* What the list says is asked: it has no steps below it, and a proposed hour waits for its answer. */
static int
listed_next(struct request *rq, const struct application *a, const char **state, const char **asked)
{
	struct certificate *c;
	struct appointment *s;
	int rv;

	*state = application_state_name(a->state);
	if (a->state == APPLICATION_ACTIVE) {
		if ((c = arena_new(&rq->arena, struct certificate)) == NULL)
			return ICERT_E_MEMORY;
		if ((rv = certificate_of(portal_act(rq), a->id, c)) != 0)
			return rv;
		*state = application_state_seen(a->state, c->state);
	}

	*asked = a->state == APPLICATION_SCHEDULED ? "listed_scheduled" : a->state == APPLICATION_IDENTIFIED ? "listed_identified" :
	    a->state == APPLICATION_ISSUED ? "listed_issued" : *state;
	if (a->state != APPLICATION_ACCEPTED)
		return 0;
	if ((s = arena_new(&rq->arena, struct appointment)) == NULL)
		return ICERT_E_MEMORY;
	if ((rv = appointment_current(portal_act(rq), a->id, s)) == 0 && strcmp(s->state, "proposed") == 0 && s->starts_at >= portal_now())
		*asked = "proposed";
	return rv == ICERT_E_NOT_FOUND ? 0 : rv;
}

static int
fill_cases(struct request *rq, struct view_portal_mine *v)
{
	struct application *list = arena_array(&rq->arena, struct application, LIST_MAX);
	struct view_portal_mine_cases *rows = arena_array(&rq->arena, struct view_portal_mine_cases, LIST_MAX);
	size_t n = LIST_MAX;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = application_mine(portal_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].id = list[i].id;
		rows[i].number = list[i].number;
		if ((rv = listed_next(rq, &list[i], &rows[i].state, &rows[i].asked)) != 0)
			return rv;
		rows[i].href = arena_printf(&rq->arena,
		    list[i].state == APPLICATION_DRAFT ? "/solicitud/%s" : "/tramite/%s", list[i].id);
	}
	v->cases = rows;
	v->ncases = n;
	v->cut = n == LIST_MAX;
	return 0;
}

/* Orders that a case has used are seen in the case. */
static int
fill_orders(struct request *rq, struct view_portal_mine *v)
{
	struct purchase *list = arena_array(&rq->arena, struct purchase, LIST_MAX);
	struct view_portal_mine_orders *rows = arena_array(&rq->arena, struct view_portal_mine_orders, LIST_MAX);
	size_t n = LIST_MAX;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = purchase_list(portal_act(rq), NULL, 0, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		struct view_portal_mine_orders *r = &rows[v->norders];

		if (list[i].application[0] != '\0')
			continue;
		r->id = list[i].id;
		r->number = list[i].number;
		r->state = list[i].state;
		r->product = product_name(list[i].container);
		r->total = list[i].total;
		v->norders++;
	}
	v->orders = rows;
	v->cut = v->cut || n == LIST_MAX;
	return 0;
}

static int
mine(struct request *rq)
{
	struct view_portal_mine v = { 0 };
	int rv = fill_cases(rq, &v);

	if (rv == 0)
		rv = fill_orders(rq, &v);
	return rv != 0 ? rv : page_send(rq, 200, portal_mine, &v);
}

const struct route portal_mine_routes[] = {
	{ METHOD_GET, "/mi-tramite", ROLE_CONTACT, PROVINCE_OWN, 0, mine },
	{ 0 }
};
