#include <string.h>

#include "libicert/error.h"
#include "payments/tariff.h"
#include "procedure/application/anew.h"
#include "web/portal/portal.h"

/* Starting again with the data of a case that ended, or renewing a certificate that is about to. */

#define ITEMS_MAX 32

/* The item on sale that is most like what the case had: the same years, and with or without a RUC as before. */
static int
item_for(struct request *rq, const struct anew *a, const char *ruc, const struct tariff_item **out)
{
	struct tariff_item *items = arena_array(&rq->arena, struct tariff_item, ITEMS_MAX);
	size_t n = ITEMS_MAX;
	int rv, best = -1;

	*out = NULL;
	if (items == NULL)
		return ICERT_E_MEMORY;
	if ((rv = tariff_list(portal_of(rq)->db, portal_now(), items, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		int alike = 2 * (items[i].years == a->years) + (strcmp(items[i].ruc, ruc) == 0);

		if (items[i].on_sale && strcmp(items[i].kind, a->kind) == 0 && strcmp(items[i].container, a->container) == 0 &&
		    alike > best) {
			*out = &items[i];
			best = alike;
		}
	}
	return 0;
}

static int
again_show(struct request *rq)
{
	struct view_portal_again v = { 0 };
	const struct tariff_item *item;
	struct tariff_total total;
	struct application *a;
	struct anew again;
	int rv = portal_case(rq, &a);

	if (rv != 0 || (rv = anew_of(portal_act(rq), a->id, &again)) != 0)
		return rv;
	v.back = arena_printf(&rq->arena, "/tramite/%s", a->id);
	v.number = a->number;
	v.renews = again.opens_at != 0;
	v.not_after = again.not_after;
	v.opens = again.opens_at;
	v.under_way = again.open[0] != '\0';
	if (again.kind[0] != '\0') {
		if ((rv = item_for(rq, &again, a->form.sold_ruc, &item)) != 0)
			return rv;
		v.possible = true;
		v.href = arena_printf(&rq->arena, "/tarifas");
		if (item != NULL && (rv = tariff_total(item->net, item->tax_bp, &total)) == 0) {
			v.href = arena_printf(&rq->arena, "/comprar/%s?de=%s", item->id, a->id);
			v.container = item->container;
			v.years = item->years;
			v.total = total.total;
		}
	}
	return rv != 0 ? rv : page_send(rq, 200, portal_again, &v);
}

const struct route portal_again_routes[] = {
	{ METHOD_GET, "/tramite/{id}/de-nuevo", ROLE_CONTACT, PROVINCE_OWN, 0, again_show },
	{ 0 }
};
