#include <string.h>

#include "libicert/error.h"
#include "payments/tariff.h"
#include "web/portal/portal.h"

#define ITEMS_MAX 32

const char *
portal_product(struct request *rq, const char *container, const char *ruc)
{
	const char *name = catalogue(arena_printf(&rq->arena, "container.%s", container));

	if (strcmp(ruc, "any") == 0)
		return name;
	return arena_printf(&rq->arena, "%s, %s", name, catalogue(arena_printf(&rq->arena, "ruc.%s", ruc)));
}

static const char *
percent(struct request *rq, int bp)
{
	char out[8];

	tariff_percent(bp, out, sizeof(out));
	return arena_strdup(&rq->arena, out);
}

static int
show(struct request *rq)
{
	struct view_portal_tariff v = { 0 };
	struct tariff_item *items = arena_array(&rq->arena, struct tariff_item, ITEMS_MAX);
	struct view_portal_tariff_products *rows =
	    arena_array(&rq->arena, struct view_portal_tariff_products, ITEMS_MAX);
	size_t n = ITEMS_MAX;
	int rv;

	if (items == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = tariff_list(portal_of(rq)->db, portal_now(), items, &n)) < 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		struct tariff_total total;

		if ((rv = tariff_total(items[i].net, items[i].tax_bp, &total)) != 0)
			return rv;
		rows[i].container = items[i].container;
		rows[i].kind = items[i].kind;
		rows[i].years = items[i].years;
		rows[i].ruc = items[i].ruc;
		rows[i].net = total.net;
		rows[i].tax = total.tax;
		rows[i].total = total.total;
		rows[i].tax_percent = percent(rq, items[i].tax_bp);
		rows[i].on_sale = items[i].on_sale;
		rows[i].sale_from = items[i].sale_from;
		rows[i].href = arena_printf(&rq->arena, "/comprar/%s", items[i].id);
		if (!items[i].on_sale && strcmp(items[i].container, "remote") == 0)
			v.remote_from = items[i].sale_from;
		if (strcmp(items[i].container, "token") == 0) {
			v.token_sold = v.token_sold || items[i].on_sale;
			v.token_from = items[i].sale_from;
		}
	}
	v.products = rows;
	v.nproducts = n;
	return page_send(rq, 200, portal_tariff, &v);
}

const struct route portal_tariff_routes[] = {
	{ METHOD_GET, "/tarifas", ROLE_PUBLIC, PROVINCE_NONE, 0, show },
	{ 0 }
};
