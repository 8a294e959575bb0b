#include <string.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "payments/gateway.h"
#include "payments/tariff.h"
#include "procedure/order/account.h"
#include "procedure/order/inquiry.h"
#include "procedure/order/slip.h"
#include "procedure/order/transfer.h"
#include "procedure/application/anew.h"
#include "procedure/order/purchase.h"
#include "web/portal/portal.h"

/* An order from its making to its payment: checkout, return, and the case that begins with it. */

#define ACCOUNTS 30

static int
order_get(struct request *rq, struct purchase **out)
{
	*out = arena_new(&rq->arena, struct purchase);
	return *out == NULL ? ICERT_E_MEMORY : purchase_get(portal_act(rq), rq->id[0], *out);
}

static bool
open_for_payment(const struct purchase *p)
{
	return strcmp(p->state, "created") == 0 || strcmp(p->state, "pending") == 0;
}

/* Its time to pay has passed, and the clerk has not closed it yet: it asks the gateway first. */
static bool
over(const struct purchase *p)
{
	return open_for_payment(p) && p->expires_at <= portal_now();
}

/* The gateways that the payer may choose from, when there are several; how many. */
static size_t
ways(struct request *rq, const struct purchase *p, const struct view_option **out)
{
	char names[GATEWAYS_MAX][GATEWAY_NAME];
	struct view_option *options = arena_array(&rq->arena, struct view_option, GATEWAYS_MAX);
	int i, chosen = 0, n = gateway_names(portal_of(rq)->config, names);

	if (n < 2 || options == NULL)
		return 0;
	for (i = 0; i < n; i++) {
		const char *title = gateway_title(portal_of(rq)->config, names[i]);

		options[i].value = arena_strdup(&rq->arena, names[i]);
		options[i].text = title != NULL ? title : options[i].value;
		if (strcmp(names[i], p->gateway) == 0)
			chosen = i;
	}
	options[chosen].selected = true;
	*out = options;
	return (size_t)n;
}

/* Where the order is paid by deposit or transfer, and what became of one. */
static int
fill_transfer(struct request *rq, const struct purchase *p, struct view_portal_order *v)
{
	struct account *list = arena_array(&rq->arena, struct account, ACCOUNTS);
	struct view_portal_order_accounts *rows = arena_array(&rq->arena, struct view_portal_order_accounts, ACCOUNTS);
	char *word = arena_array(&rq->arena, char, 12);
	size_t n = ACCOUNTS;
	int rv;

	if (list == NULL || rows == NULL || word == NULL)
		return ICERT_E_MEMORY;
	if ((rv = transfer_word(portal_act(rq), p->id, word)) != 0)
		return rv;
	v->transfer = word[0] != '\0' && strcmp(word, "pay") != 0 ? word : NULL;
	if (slip_wanted(p)) {
		struct slip *shown = arena_array(&rq->arena, struct slip, SLIPS_MAX);
		size_t nshown = SLIPS_MAX;

		if (shown == NULL)
			return ICERT_E_MEMORY;
		if ((rv = slip_list(portal_act(rq), p->id, shown, &nshown)) != 0)
			return rv;
		v->slips = (int64_t)nshown;
		v->slip_href = arena_printf(&rq->arena, "/orden/%s/comprobante", p->id);
	}
	if (!open_for_payment(p))
		return 0;
	if ((rv = account_told(portal_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].place = list[i].place[0] != '\0' ? list[i].place : NULL;
		rows[i].bank = list[i].bank;
		rows[i].kind = list[i].kind;
		rows[i].number = list[i].number;
		rows[i].holder = list[i].holder;
		rows[i].holder_id = list[i].holder_id;
	}
	v->accounts = rows;
	v->naccounts = n;
	return 0;
}

/* What was charged and pays nothing of the order; and that it went back. */
static int
fill_excess(struct request *rq, const struct purchase *p, struct view_portal_order *v)
{
	bool paid = strcmp(p->state, "paid") == 0 || strcmp(p->state, "used") == 0;
	char word[PURCHASE_EXCESS];
	int back, rv;

	/* Before a checkout there is nothing that could have been. */
	if (strcmp(p->state, "created") == 0)
		return 0;
	if ((rv = purchase_excess(portal_act(rq), p->id, word, &back)) != 0 || word[0] == '\0')
		return rv;
	/* The sentences of these two say how the order is. */
	if (back)
		v->excess = strcmp(word, "again") == 0 && paid ? "again_back" : "back";
	else if ((strcmp(word, "again") == 0 && !paid) || (strcmp(word, "mismatch") == 0 && !open_for_payment(p)))
		v->excess = "other";
	else
		v->excess = arena_strdup(&rq->arena, word);
	return 0;
}

static int
order_page(struct request *rq, int status, const struct purchase *p, bool waiting, bool gateway_down)
{
	struct view_portal_order v = { 0 };
	int heard = 0, rv = fill_transfer(rq, p, &v);

	if (rv != 0)
		return rv;
	if ((rv = fill_excess(rq, p, &v)) != 0)
		return rv;
	if (strcmp(p->state, "pending") == 0 && (heard = purchase_heard(portal_act(rq), p->id)) < 0)
		return heard;
	v.checking = heard == PURCHASE_CHECKING;
	v.refused = heard == PURCHASE_REFUSED;
	v.id = p->id;
	v.number = p->number;
	v.state = p->state;
	v.product = portal_product(rq, p->container, p->ruc);
	v.years = p->years;
	v.renewal = strcmp(p->kind, "renewal") == 0;
	v.by_transfer = strcmp(p->gateway, TRANSFER_GATEWAY) == 0;
	v.total = p->total;
	v.invoice_name = p->billing.name;
	if (open_for_payment(p) && !over(p))
		v.billing_href = arena_printf(&rq->arena, "/orden/%s/datos", p->id);
	v.application = p->application;
	v.expires_at = p->expires_at;
	v.over = over(p);
	v.waiting = waiting && strcmp(p->state, "pending") == 0 && heard == 0;
	v.gateway_down = gateway_down;
	if (open_for_payment(p))
		v.nways = ways(rq, p, &v.ways);
	else if ((rv = portal_invoices(rq, p, &v)) != 0)
		return rv;
	return page_send(rq, status, portal_order, &v);
}

static int
order_show(struct request *rq)
{
	struct purchase *p;
	int rv = order_get(rq, &p);

	return rv != 0 ? rv : order_page(rq, 200, p, false, false);
}

static const char *
brought(const void *arg, const char *name)
{
	return request_query(arg, name);
}

/* Back from the gateway: its notification may still be on the way, or wait for a word of ours. */
static int
order_return(struct request *rq)
{
	const struct gateway_return back = { brought, rq };
	struct gateway *gateway;
	struct purchase *p;
	int rv = order_get(rq, &p);

	if (rv != 0)
		return rv;
	if (strcmp(p->state, "pending") == 0 && rq->nquery > 0 && gateway_open(portal_of(rq)->config, p->gateway, GATEWAY_API, &gateway) == 0) {
		/* Whatever it says: the clerk asks how the payment stands. */
		if ((rv = gateway_returned(gateway, p->gateway_payment, &back)) != 0)
			log_warn("gateway_return", "gateway %s: %s", p->gateway, icert_err_code(rv));
		gateway_free(gateway);
	}
	if (strcmp(p->state, "pending") == 0 && (rv = purchase_ask_soon(portal_act(rq), p->id)) != 0)
		return rv;
	return order_page(rq, 200, p, true, false);
}

/* Asks the gateway for a checkout of the order; what was there before it makes a repeat of this try the same one. */
static int
checkout(struct request *rq, const struct purchase *p, const char *name, struct gateway_checkout *out)
{
	const struct portal *portal = portal_of(rq);
	struct gateway_checkout_request ask = { 0 };
	struct gateway *gateway;
	int rv;

	ask.order = p->id;
	ask.once = p->gateway_payment[0] == '\0' ? p->id : arena_printf(&rq->arena, "%s:%s", p->id, p->gateway_payment);
	ask.net = p->net;
	ask.tax = p->tax;
	ask.tax_bp = p->tax_bp;
	ask.seconds = p->expires_at - portal_now();
	ask.address = rq->address;
	ask.browser = rq->browser;
	ask.number = p->number;
	ask.description = portal_product(rq, p->container, p->ruc);
	ask.cents = p->total;
	ask.currency = p->currency;
	ask.return_url = arena_printf(&rq->arena, "%s/orden/%s/vuelta", portal->public_url, p->id);
	ask.notify_url = arena_printf(&rq->arena, "%s/avisos/%s", portal->public_url, name);
	if (ask.once == NULL || ask.return_url == NULL || ask.notify_url == NULL)
		return ICERT_E_MEMORY;
	if ((rv = gateway_open(portal->config, name, GATEWAY_API, &gateway)) != 0)
		return rv;
	rv = gateway_checkout_create(gateway, &ask, out);
	gateway_free(gateway);
	return rv;
}

/* The one that the payer chose, else the one that the order was with, else the first. */
static const char *
gateway_of(struct request *rq, const struct purchase *p)
{
	char names[GATEWAYS_MAX][GATEWAY_NAME];
	const char *chosen = request_form(rq, "pasarela") != NULL ? request_form(rq, "pasarela") : p->gateway;
	int i, n = gateway_names(portal_of(rq)->config, names);

	for (i = 0; i < n; i++)
		if (strcmp(names[i], chosen) == 0)
			return arena_strdup(&rq->arena, names[i]);
	return n > 0 ? arena_strdup(&rq->arena, names[0]) : NULL;
}

enum standing { STANDS_NOWHERE, STANDS_OPEN, STANDS_DECIDED };

/* How the checkout stands that the order has had: nobody gets a second while the first may still be paid. */
static int
standing(struct request *rq, const struct purchase *p, enum standing *how)
{
	struct gateway_payment payment;
	struct gateway *gateway;
	int rv;

	*how = STANDS_NOWHERE;
	if (p->gateway_payment[0] == '\0')
		return 0;
	if ((rv = gateway_open(portal_of(rq)->config, p->gateway, GATEWAY_API, &gateway)) != 0)
		return rv;
	rv = inquiry_ask(portal_act(rq), gateway, p->gateway, p->gateway_payment, INQUIRY_PORTAL, &payment);
	gateway_free(gateway);
	if (rv == 0 && payment.state != GATEWAY_REJECTED && payment.state != GATEWAY_EXPIRED)
		*how = payment.state == GATEWAY_PENDING && !payment.checking ? STANDS_OPEN : STANDS_DECIDED;
	return rv == ICERT_E_NOT_FOUND ? 0 : rv;
}

static int
order_pay(struct request *rq)
{
	struct gateway_checkout *got = arena_new(&rq->arena, struct gateway_checkout);
	enum standing how;
	struct purchase *p;
	const char *name;
	char transfer[12];
	int rv = order_get(rq, &p);

	if (rv != 0)
		return rv;
	if (got == NULL)
		return ICERT_E_MEMORY;
	/* A checkout that begins after the deadline could only be paid late. */
	if (!open_for_payment(p) || over(p))
		return response_redirect(rq, "/orden/%s", p->id);
	/* A transfer that two people have confirmed pays it in a moment; a page shown before that still has its button. */
	if ((rv = transfer_word(portal_act(rq), p->id, transfer)) != 0)
		return rv;
	if (strcmp(transfer, "checking") == 0)
		return response_redirect(rq, "/orden/%s", p->id);
	if ((name = gateway_of(rq, p)) == NULL)
		return ICERT_E_CONFIG;
	if ((rv = standing(rq, p, &how)) == 0 && how == STANDS_OPEN)
		return response_redirect(rq, "/orden/%s/pasarela", p->id);
	if (rv == 0 && how == STANDS_DECIDED)
		return response_redirect(rq, "/orden/%s/vuelta", p->id);
	if (rv == 0)
		rv = checkout(rq, p, name, got);
	if (rv == ICERT_E_UNAVAILABLE || rv == ICERT_E_DENIED || rv == ICERT_E_MALFORMED)
		return order_page(rq, 503, p, false, true);
	if (rv == 0)
		rv = purchase_pending(portal_act(rq), p, name, got);
	if (rv != 0)
		return rv;
	return response_redirect(rq, "/orden/%s/pasarela", p->id);
}

/* The way to the gateway is a page that is got, so that forms stay with us
 * (form-action 'self'). */
static int
order_gateway(struct request *rq)
{
	struct view_portal_checkout v = { 0 };
	struct gateway_checkout *got = arena_new(&rq->arena, struct gateway_checkout);
	struct purchase *p;
	int rv = order_get(rq, &p);

	if (rv != 0)
		return rv;
	if (got == NULL)
		return ICERT_E_MEMORY;
	rv = purchase_checkout(portal_act(rq), p->id, got);
	if (rv == ICERT_E_NOT_FOUND)
		return response_redirect(rq, "/orden/%s", p->id);
	if (rv != 0 || !response_gateway_good(rq, got->url))
		return order_page(rq, 503, p, false, true);
	v.url = got->url;
	v.total = p->total;
	rq->response->leads_out = true;
	response_header(rq->response, "Refresh", arena_printf(&rq->arena, "0; url=%s", got->url));
	return page_send(rq, 200, portal_checkout, &v);
}

/* ---- paid: the application ---- */

/* What the invoice's data already say about the applicant. */
static void
prefill(const struct billing *b, struct application_form *f)
{
	bool ruc = strcmp(b->id_kind, "ruc") == 0;

	memset(f, 0, sizeof(*f));
	if (strcmp(b->for_me, "yes") != 0)
		return;
	if (strcmp(b->id_kind, "cedula") == 0 || strcmp(b->id_kind, "passport") == 0) {
		application_form_set(f, "id_kind", b->id_kind);
		application_form_set(f, "id_number", b->id_number);
	} else if (ruc && strlen(b->id_number) == 13) {
		char cedula[11];

		memcpy(cedula, b->id_number, 10);
		cedula[10] = '\0';
		application_form_set(f, "id_kind", "cedula");
		application_form_set(f, "id_number", cedula);
		application_form_set(f, "ruc", b->id_number);
	}
	application_form_set(f, "address", b->address);
	application_form_set(f, "telephone", b->telephone);
}

static int
order_apply(struct request *rq)
{
	struct application_form *form = arena_new(&rq->arena, struct application_form);
	struct purchase *p;
	char id[ID_TEXT] = "";
	int rv = order_get(rq, &p);

	if (rv != 0)
		return rv;
	if (form == NULL)
		return ICERT_E_MEMORY;
	prefill(&p->billing, form);
	rv = application_create(portal_act(rq), p->id, form, id);
	bytes_wipe(form, sizeof(*form));
	/* Sent twice: the application is there already. */
	if (rv == ICERT_E_EXISTS && id[0] != '\0')
		rv = 0;
	return rv != 0 ? rv : response_redirect(rq, "/solicitud/%s", id);
}

const struct route portal_order_routes[] = {
	{ METHOD_GET, "/orden/{id}", ROLE_CONTACT, PROVINCE_OWN, 0, order_show },
	{ METHOD_POST, "/orden/{id}/pagar", ROLE_CONTACT, PROVINCE_OWN, 0, order_pay },
	{ METHOD_GET, "/orden/{id}/pasarela", ROLE_CONTACT, PROVINCE_OWN, 0, order_gateway },
	{ METHOD_GET, PORTAL_RETURN, ROLE_CONTACT, PROVINCE_OWN, 0, order_return },
	{ METHOD_POST, "/orden/{id}/solicitud", ROLE_CONTACT, PROVINCE_OWN, 0, order_apply },
	{ 0 }
};
