#include <string.h>

#include "libicert/error.h"
#include "web/invoice.h"
#include "web/portal/portal.h"

/* The invoices of an order, for who ordered: what each is, and both files. */

int
portal_invoices(struct request *rq, const struct purchase *p, struct view_portal_order *v)
{
	struct invoicing *list = arena_array(&rq->arena, struct invoicing, INVOICING_MAX);
	struct view_portal_order_invoices *rows = arena_array(&rq->arena, struct view_portal_order_invoices, INVOICING_MAX);
	size_t n = INVOICING_MAX;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = invoicing_list(portal_act(rq), p->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const char *place = arena_printf(&rq->arena, "/orden/%s/factura/%s", p->id, list[i].id);
		struct view_portal_order_invoices *row = &rows[v->ninvoices];

		v->invoice_awaited |= strcmp(list[i].state, "awaited") == 0;
		if (list[i].serial[0] == '\0')
			continue;
		row->note = list[i].voids[0] != '\0';
		row->voided = strcmp(list[i].state, "voided") == 0;
		row->serial = list[i].serial;
		row->day = invoice_day(rq, &list[i]);
		row->total = list[i].total;
		row->pdf = arena_printf(&rq->arena, "%s/pdf", place);
		row->xml = arena_printf(&rq->arena, "%s/xml", place);
		v->ninvoices++;
	}
	v->invoices = rows;
	v->invoice_awaited &= strcmp(p->state, "paid") == 0 || strcmp(p->state, "used") == 0;
	return 0;
}

#define PAGE 50

/* From a case to the order that it was paid with, which no list shows any more. */
static int
order_of_case(struct request *rq)
{
	struct purchase *list = arena_array(&rq->arena, struct purchase, PAGE);
	size_t n = PAGE;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	for (int from = 0; n == PAGE; from += PAGE) {
		if ((rv = purchase_list(portal_act(rq), NULL, from, list, &n)) != 0)
			return rv;
		for (size_t i = 0; i < n; i++)
			if (strcmp(list[i].application, rq->id[0]) == 0)
				return response_redirect(rq, "/orden/%s", list[i].id);
	}
	return ICERT_E_NOT_FOUND;
}

static int
send_pdf(struct request *rq)
{
	return invoice_send(rq, portal_act(rq), &portal_of(rq)->files, INVOICING_PDF);
}

static int
send_xml(struct request *rq)
{
	return invoice_send(rq, portal_act(rq), &portal_of(rq)->files, INVOICING_XML);
}

const struct route portal_invoice_routes[] = {
	{ METHOD_GET, "/tramite/{id}/orden", ROLE_CONTACT, PROVINCE_OWN, 0, order_of_case },
	{ METHOD_GET, "/orden/{id}/factura/{id2}/pdf", ROLE_CONTACT, PROVINCE_OWN, 0, send_pdf },
	{ METHOD_GET, "/orden/{id}/factura/{id2}/xml", ROLE_CONTACT, PROVINCE_OWN, 0, send_xml },
	{ 0 }
};
