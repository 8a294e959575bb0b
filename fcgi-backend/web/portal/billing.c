#include <string.h>

#include "libicert/error.h"
#include "payments/tariff.h"
#include "procedure/application/anew.h"
#include "procedure/order/purchase.h"
#include "web/portal/portal.h"

/* Who is invoiced: asked with the order, and corrected by who ordered until it is paid. */

struct billing_form {
	const char *name;
	char *value;
	size_t size;
};

#define BILLING_FIELDS 7

static void
billing_fields(struct billing *b, struct billing_form out[BILLING_FIELDS])
{
	struct billing_form all[BILLING_FIELDS] = {
		{ "id_kind", b->id_kind, sizeof(b->id_kind) },
		{ "id_number", b->id_number, sizeof(b->id_number) },
		{ "name", b->name, sizeof(b->name) },
		{ "address", b->address, sizeof(b->address) },
		{ "telephone", b->telephone, sizeof(b->telephone) },
		{ "email", b->email, sizeof(b->email) },
		{ "for_me", b->for_me, sizeof(b->for_me) },
	};

	memcpy(out, all, sizeof(all));
}

/* The case that the order goes on with, from the address or the form; NULL none. */
static const char *
origin_of(struct request *rq)
{
	const char *origin = request_form(rq, "de") != NULL ? request_form(rq, "de") : request_query(rq, "de");

	return origin != NULL && id_valid(origin) ? origin : NULL;
}

/* The text that makes a repeat of this form the same order, from the form or the address; NULL none. */
static const char *
once_of(struct request *rq)
{
	const char *once = request_form(rq, "once") != NULL ? request_form(rq, "once") : request_query(rq, "vez");

	return once != NULL && id_valid(once) ? once : NULL;
}

/* The order that this form has made already, for who comes back to it. */
static int
fill_made(struct request *rq, struct view_portal_billing *v)
{
	struct purchase *p = arena_new(&rq->arena, struct purchase);
	char id[ID_TEXT];
	int rv;

	if (p == NULL)
		return ICERT_E_MEMORY;
	if ((rv = purchase_made(portal_act(rq), v->once, id)) != 0)
		return rv == ICERT_E_NOT_FOUND ? 0 : rv;
	if ((rv = purchase_get(portal_act(rq), id, p)) != 0)
		return rv;
	v->made = p->number;
	v->made_href = arena_printf(&rq->arena, "/orden/%s", p->id);
	return 0;
}

static void
fill_fields(struct request *rq, struct view_portal_billing *v, const struct billing *b)
{
	v->for_me = page_field(rq, "for_me", b->for_me);
	v->id_kind = page_field(rq, "id_kind", b->id_kind);
	v->id_number = page_field(rq, "id_number", b->id_number);
	v->name = page_field(rq, "name", b->name);
	v->address = page_field(rq, "address", b->address);
	v->telephone = page_field(rq, "telephone", b->telephone);
	v->email = page_field(rq, "email", b->email);
}

/* What was typed, in the one form; its faults are noted. */
static void
read_fields(struct request *rq, struct billing *b)
{
	struct billing_form fields[BILLING_FIELDS];
	struct billing_fault faults[BILLING_FAULTS_MAX];
	size_t n;

	billing_fields(b, fields);
	for (size_t i = 0; i < BILLING_FIELDS; i++) {
		const char *typed = request_form(rq, fields[i].name);

		if (typed != NULL && strlen(typed) >= fields[i].size)
			page_field_error(rq, fields[i].name, "field.too_long");
		else if (typed != NULL)
			memcpy(fields[i].value, typed, strlen(typed) + 1);
	}
	n = billing_check(b, faults);
	for (size_t i = 0; i < n; i++)
		if (page_error_of(rq, faults[i].field) == NULL)
			page_field_error(rq, faults[i].field, faults[i].code);
}

static int
billing_page(struct request *rq, int status)
{
	struct view_portal_billing v = { 0 };
	struct tariff_item *item = arena_new(&rq->arena, struct tariff_item);
	const struct application *open_case;
	struct billing *b;
	struct tariff_total total;
	int rv;

	if (item == NULL)
		return ICERT_E_MEMORY;
	/* A product whose price changed since the page was shown is offered again at the new one, with what was typed. */
	if ((rv = tariff_now(portal_of(rq)->db, portal_now(), rq->id[0], item)) != 0)
		return rv == ICERT_E_NOT_FOUND ? response_redirect(rq, "/tarifas?aviso=price-gone") : rv;
	v.changed = strcmp(item->id, rq->id[0]) != 0;
	if ((rv = tariff_total(item->net, item->tax_bp, &total)) != 0)
		return rv;
	v.once = once_of(rq);
	if (v.once == NULL)
		return ICERT_E_INVALID;
	if ((rv = fill_made(rq, &v)) != 0)
		return rv;
	if (v.made_href != NULL && status != 200)
		return response_redirect(rq, "%s", v.made_href);
	v.product = portal_product(rq, item->container, item->ruc);
	v.years = item->years;
	v.net = total.net;
	v.tax = total.tax;
	v.total = total.total;
	if ((open_case = portal_open_case(rq, origin_of(rq), NULL, true)) != NULL) {
		v.open_case = open_case->number;
		v.open_href = arena_printf(&rq->arena, open_case->state == APPLICATION_DRAFT ?
		    "/solicitud/%s" : "/tramite/%s", open_case->id);
	}
	/* A renewal starts from the certificate's own page. */
	if (strcmp(item->kind, "renewal") == 0 && origin_of(rq) == NULL)
		return response_redirect(rq, "/mi-tramite?aviso=renew-there");
	if ((b = arena_new(&rq->arena, struct billing)) == NULL)
		return ICERT_E_MEMORY;
	v.origin = origin_of(rq);
	/* What was kept is a help, not a need. */
	if (v.origin != NULL && (rv = anew_billing(portal_act(rq), v.origin, b)) != 0 && rv != ICERT_E_DESTROYED)
		return rv;
	v.renewal = strcmp(item->kind, "renewal") == 0;
	fill_fields(rq, &v, b);
	v.action = arena_printf(&rq->arena, "/comprar/%s", item->id);
	v.back = "/tarifas";
	return page_send(rq, status, portal_billing, &v);
}

/*
 * Whoever comes to order gets an address of their own: browsers ask again for a page that is gone back to, and a text that changed with
 * each asking would make a second order of it.
 */
static int
billing_show(struct request *rq)
{
	const char *origin = origin_of(rq);
	char once[ID_TEXT];
	int rv;

	if (once_of(rq) != NULL)
		return billing_page(rq, 200);
	if ((rv = id_new(once)) != 0)
		return rv;
	return response_redirect(rq, "/comprar/%s?vez=%s%s%s", rq->id[0], once, origin != NULL ? "&de=" : "", origin != NULL ? origin : "");
}

/* The order that the form made; or had made before, for somebody else perhaps: then it says so, and how that is put right. */
static int
made(struct request *rq, const char *id, const struct billing *b)
{
	struct purchase *p = arena_new(&rq->arena, struct purchase);
	int rv = p == NULL ? ICERT_E_MEMORY : purchase_get(portal_act(rq), id, p);

	if (rv != 0)
		return rv;
	return response_redirect(rq, "/orden/%s%s", id, billing_same(&p->billing, b) ? "" : "?aviso=order-there");
}

static int
billing_save(struct request *rq)
{
	struct billing *b = arena_new(&rq->arena, struct billing);
	const char *once = once_of(rq);
	char id[ID_TEXT];
	int rv;

	if (b == NULL)
		return ICERT_E_MEMORY;
	read_fields(rq, b);
	if (once == NULL)
		return ICERT_E_INVALID;
	if (page_has_errors(rq))
		return billing_page(rq, 422);
	rv = purchase_create(portal_act(rq), rq->id[0], b, origin_of(rq), once, id);
	/* Not any more, or not yet: its page says how it is. */
	if (origin_of(rq) != NULL && (rv == ICERT_E_STATE || rv == ICERT_E_EXISTS))
		return response_redirect(rq, "/tramite/%s/de-nuevo", origin_of(rq));
	if (rv == ICERT_E_MISSING)
		return response_redirect(rq, "/mi-tramite?aviso=renew-there");
	if (rv == ICERT_E_TOO_LARGE) {
		page_field_error(rq, "id_kind", "billing.id_kind.consumer_max");
		return billing_page(rq, 422);
	}
	if (rv == ICERT_E_NOT_FOUND)
		return billing_page(rq, 409);
	if (rv != 0)
		return rv;
	return made(rq, id, b);
}

/* ---- correcting them ---- */

static int
correct_page(struct request *rq, int status, struct purchase *p)
{
	struct view_portal_billing v = { 0 };

	v.action = arena_printf(&rq->arena, "/orden/%s/datos", p->id);
	v.back = arena_printf(&rq->arena, "/orden/%s", p->id);
	v.order = p->number;
	v.product = portal_product(rq, p->container, p->ruc);
	v.renewal = strcmp(p->kind, "renewal") == 0;
	v.years = p->years;
	v.net = p->net;
	v.tax = p->tax;
	v.total = p->total;
	fill_fields(rq, &v, &p->billing);
	return page_send(rq, status, portal_billing, &v);
}

static int
closed(struct request *rq)
{
	return response_redirect(rq, "/orden/%s?aviso=billing-closed", rq->id[0]);
}

static int
correct_show(struct request *rq)
{
	struct purchase *p = arena_new(&rq->arena, struct purchase);
	int rv = p == NULL ? ICERT_E_MEMORY : purchase_get(portal_act(rq), rq->id[0], p);

	if (rv != 0)
		return rv;
	return strcmp(p->state, "created") == 0 || strcmp(p->state, "pending") == 0 ? correct_page(rq, 200, p) : closed(rq);
}

static int
correct_save(struct request *rq)
{
	struct purchase *p = arena_new(&rq->arena, struct purchase);
	struct billing *b = arena_new(&rq->arena, struct billing);
	int rv = p == NULL || b == NULL ? ICERT_E_MEMORY : purchase_get(portal_act(rq), rq->id[0], p);

	if (rv != 0)
		return rv;
	read_fields(rq, b);
	if (!page_has_errors(rq) && (rv = purchase_correct(portal_act(rq), p, b)) == ICERT_E_TOO_LARGE)
		page_field_error(rq, "id_kind", "billing.id_kind.consumer_max");
	if (page_has_errors(rq))
		return correct_page(rq, 422, p);
	if (rv == ICERT_E_STATE)
		return closed(rq);
	return rv != 0 ? rv : response_redirect(rq, "/orden/%s?aviso=billing-corrected", rq->id[0]);
}

const struct route portal_billing_routes[] = {
	{ METHOD_GET, "/comprar/{id}", ROLE_CONTACT, PROVINCE_OWN, 0, billing_show },
	{ METHOD_POST, "/comprar/{id}", ROLE_CONTACT, PROVINCE_OWN, ROUTE_PARK, billing_save },
	{ METHOD_GET, "/orden/{id}/datos", ROLE_CONTACT, PROVINCE_OWN, 0, correct_show },
	{ METHOD_POST, "/orden/{id}/datos", ROLE_CONTACT, PROVINCE_OWN, ROUTE_PARK, correct_save },
	{ 0 }
};
