#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/order/price.h"
#include "web/desk/desk.h"

/* The tariff: what counts, what will, and the change that waits for a second person. */

#define PRICES	100
#define CHANGES	50
#define WATCHES	(ROLE_ADMIN | ROLE_FINANCE | ROLE_AUDITOR)

static const char *const containers[] = { "file", "token", "remote", NULL };
static const char *const kinds[] = { "new", "renewal", NULL };
static const char *const rucs[] = { "any", "with", "without", NULL };

static const char *
percent(struct request *rq, int bp)
{
	char out[8];

	tariff_percent(bp, out, sizeof(out));
	return arena_strdup(&rq->arena, out);
}

static int
fill_price(struct request *rq, struct view_desk_prices_rows *row, const struct price *p)
{
	struct tariff_total total;
	int rv = tariff_total(p->item.net, p->item.tax_bp, &total);

	row->container = p->item.container;
	row->renewal = strcmp(p->item.kind, "renewal") == 0;
	row->years = p->item.years;
	row->ruc = p->item.ruc;
	row->net = total.net;
	row->percent = percent(rq, p->item.tax_bp);
	row->total = total.total;
	row->on_sale = p->item.on_sale;
	row->sale_from = p->item.sale_from;
	row->from = p->valid_from;
	row->coming = p->when == PRICE_COMING;
	row->now = p->when == PRICE_NOW;
	row->href = arena_printf(&rq->arena, "/tarifa/nueva?de=%s", p->item.id);
	return rv;
}

static int
list_page(struct request *rq)
{
	struct price *prices = arena_array(&rq->arena, struct price, PRICES);
	struct price_change *changes = arena_array(&rq->arena, struct price_change, CHANGES);
	struct view_desk_prices v = { .admin = (rq->session.roles & ROLE_ADMIN) != 0 };
	struct view_desk_prices_rows *rows = arena_array(&rq->arena, struct view_desk_prices_rows, PRICES);
	struct view_desk_prices_changes *lines = arena_array(&rq->arena, struct view_desk_prices_changes, CHANGES);
	size_t n = PRICES, m = CHANGES;
	int rv;

	if (prices == NULL || changes == NULL || rows == NULL || lines == NULL)
		return ICERT_E_MEMORY;
	if ((rv = price_list(desk_act(rq), prices, &n)) != 0 || (rv = price_changes(desk_act(rq), changes, &m)) != 0)
		return rv;
	for (size_t i = 0; i < n && rv == 0; i++)
		rv = fill_price(rq, &rows[i], &prices[i]);
	for (size_t i = 0; i < m; i++) {
		const struct price_change *c = &changes[i];

		lines[i].href = arena_printf(&rq->arena, "/tarifa/cambio/%s", c->item.id);
		lines[i].container = c->item.container;
		lines[i].renewal = strcmp(c->item.kind, "renewal") == 0;
		lines[i].years = c->item.years;
		lines[i].ruc = c->item.ruc;
		lines[i].net = c->item.net;
		lines[i].state = c->state;
		lines[i].by = c->written_name;
		lines[i].at = c->written_at;
		lines[i].decided = c->decided_at != 0 ? c->decided_name : NULL;
		lines[i].decided_at = c->decided_at;
		v.waits = v.waits || strcmp(c->state, "draft") == 0;
	}
	v.rows = rows;
	v.nrows = n;
	v.changes = lines;
	v.nchanges = m;
	v.cut = m == CHANGES;
	return rv != 0 ? rv : page_send(rq, 200, desk_prices, &v);
}

/* The price that counts for a product, or the one with that id; NULL none. */
static const struct price *
price_of(struct request *rq, const char *id, const struct tariff_item *product)
{
	struct price *prices = arena_array(&rq->arena, struct price, PRICES);
	size_t n = PRICES;

	if (prices == NULL || price_list(desk_act(rq), prices, &n) != 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (id != NULL ? strcmp(prices[i].item.id, id) == 0 :
		    prices[i].when == PRICE_NOW && strcmp(prices[i].item.container, product->container) == 0 &&
		    strcmp(prices[i].item.kind, product->kind) == 0 && prices[i].item.years == product->years &&
		    strcmp(prices[i].item.ruc, product->ruc) == 0)
			return &prices[i];
	return NULL;
}

/* --- writing a change -------------------------------------------------------- */

static const char *
typed(struct request *rq, const char *name, const char *stored)
{
	const char *text = request_form(rq, name);

	return text != NULL ? text : stored;
}

static int
edit_page(struct request *rq, int status)
{
	const char *from = request_query(rq, "de");
	const struct price *p = from != NULL ? price_of(rq, from, NULL) : NULL;
	const struct tariff_item none = { .container = "file", .kind = "new", .years = 2, .ruc = "any" }, *item = p != NULL ? &p->item : &none;
	static const char *const sale[] = { "yes", "no", NULL };
	struct view_desk_price_edit v = { .back = "/tarifa" };
	char net[24] = "";

	if (p != NULL)
		tariff_format(item->net, net, sizeof(net));
	v.containers = desk_options(rq, containers, "container.", typed(rq, "container", item->container), &v.ncontainers);
	v.kinds = desk_options(rq, kinds, "kind.", typed(rq, "kind", item->kind), &v.nkinds);
	v.rucs = desk_options(rq, rucs, "desk.price.ruc.", typed(rq, "ruc", item->ruc), &v.nrucs);
	v.sale = desk_options(rq, sale, "desk.price.sale.", typed(rq, "sale", p == NULL || item->on_sale ? "yes" : "no"), &v.nsale);
	v.container = page_field(rq, "container", NULL);
	v.kind = page_field(rq, "kind", NULL);
	v.ruc = page_field(rq, "ruc", NULL);
	v.years = page_field(rq, "years", arena_printf(&rq->arena, "%d", item->years));
	v.net = page_field(rq, "net", arena_strdup(&rq->arena, net));
	v.tax = page_field(rq, "tax", percent(rq, p != NULL ? item->tax_bp : 1500));
	v.sale_day = page_field(rq, "sale_day", NULL);
	v.day = page_field(rq, "day", NULL);
	return page_send(rq, status, desk_price_edit, &v);
}

static int
edit_show(struct request *rq)
{
	return edit_page(rq, 200);
}

/* A day of the form as midnight in Ecuador; 0 when left empty.  Notes what is wrong. */
static int64_t
day_of(struct request *rq, const char *name, const char *wrong)
{
	const char *day = request_form(rq, name);
	int64_t at;

	if (day == NULL || day[0] == '\0')
		return 0;
	if ((at = desk_moment(day, "00:00")) < 0 || at <= clock_business())
		page_field_error(rq, name, wrong);
	return at;
}

static const char *
one_of(const char *const *known, const char *text)
{
	for (; *known != NULL; known++)
		if (text != NULL && strcmp(*known, text) == 0)
			return *known;
	return NULL;
}

static int
typed_money(struct request *rq, const char *name, int64_t *cents)
{
	const char *text = request_form(rq, name);

	return text == NULL ? ICERT_E_INVALID : tariff_typed(text, cents);
}

static void
read_change(struct request *rq, struct price_change *c)
{
	const char *container = one_of(containers, request_form(rq, "container")), *kind = one_of(kinds, request_form(rq, "kind"));
	const char *ruc = one_of(rucs, request_form(rq, "ruc")), *years = request_form(rq, "years"), *sale = request_form(rq, "sale");
	int64_t percent_cents = 0;

	if (container == NULL)
		page_field_error(rq, "container", "desk.price.container");
	else
		strcpy(c->item.container, container);
	if (kind == NULL)
		page_field_error(rq, "kind", "desk.price.kind");
	else
		strcpy(c->item.kind, kind);
	if (ruc == NULL)
		page_field_error(rq, "ruc", "desk.price.ruc");
	else
		strcpy(c->item.ruc, ruc);
	c->item.years = years != NULL && strlen(years) == 1 ? years[0] - '0' : 0;
	if (c->item.years < 1 || c->item.years > 5)
		page_field_error(rq, "years", "desk.price.years");
	if (typed_money(rq, "net", &c->item.net) != 0 || c->item.net == 0)
		page_field_error(rq, "net", "desk.price.net");
	/* Two decimals of a percent are its hundredths. */
	if (typed_money(rq, "tax", &percent_cents) != 0 || percent_cents > 10000)
		page_field_error(rq, "tax", "desk.price.tax");
	c->item.tax_bp = (int)percent_cents;
	strcpy(c->item.currency, "USD");
	c->item.on_sale = sale == NULL || strcmp(sale, "no") != 0;
	if (!c->item.on_sale)
		c->item.sale_from = day_of(rq, "sale_day", "desk.price.day");
	else if (request_form(rq, "sale_day") != NULL && request_form(rq, "sale_day")[0] != '\0')
		page_field_error(rq, "sale_day", "desk.price.sale_day");
	if (c->item.on_sale && container != NULL && kind != NULL && !tariff_sellable(container, kind))
		page_field_error(rq, "container", "desk.price.unsellable");
	c->valid_from = day_of(rq, "day", "desk.price.day");
}

static int
edit_done(struct request *rq)
{
	struct price_change *c = arena_new(&rq->arena, struct price_change);
	char id[ID_TEXT];
	int rv;

	if (c == NULL)
		return ICERT_E_MEMORY;
	read_change(rq, c);
	if (page_has_errors(rq))
		return edit_page(rq, 422);
	rv = price_change_write(desk_act(rq), c, id);
	if (rv == 0)
		return response_redirect(rq, "/tarifa/cambio/%s?aviso=desk-price-saved", id);
	if (rv != ICERT_E_EXISTS)
		return rv;
	page_field_error(rq, NULL, "desk.price.waits");
	return edit_page(rq, 409);
}

/* --- the second person ------------------------------------------------------- */

static int
change_page(struct request *rq, int status)
{
	struct price_change *c = arena_new(&rq->arena, struct price_change);
	struct view_desk_price v = { .back = "/tarifa" };
	struct tariff_total total, before = { 0 };
	bool admin = (rq->session.roles & ROLE_ADMIN) != 0, draft;
	const struct price *old;
	int rv;

	if (c == NULL)
		return ICERT_E_MEMORY;
	if ((rv = price_change_get(desk_act(rq), rq->id[0], c)) != 0 || (rv = tariff_total(c->item.net, c->item.tax_bp, &total)) != 0)
		return rv;
	draft = strcmp(c->state, "draft") == 0;
	if ((old = draft ? price_of(rq, NULL, &c->item) : NULL) != NULL)
		tariff_total(old->item.net, old->item.tax_bp, &before);
	v.id = c->item.id;
	v.container = c->item.container;
	v.renewal = strcmp(c->item.kind, "renewal") == 0;
	v.years = c->item.years;
	v.ruc = c->item.ruc;
	v.net = total.net;
	v.percent = percent(rq, c->item.tax_bp);
	v.tax = total.tax;
	v.total = total.total;
	v.before = before.total;
	v.on_sale = c->item.on_sale;
	v.sale_from = c->item.sale_from;
	v.from = c->valid_from;
	v.state = c->state;
	v.draft = draft;
	v.own = admin && draft && !c->other;
	v.may_approve = admin && draft && c->other;
	v.admin = admin;
	v.by = c->written_name;
	v.at = c->written_at;
	v.decided = c->decided_at != 0 ? c->decided_name : NULL;
	v.decided_at = c->decided_at;
	v.code = page_field(rq, "code", NULL);
	return page_send(rq, status, desk_price, &v);
}

static int
change_show(struct request *rq)
{
	return change_page(rq, 200);
}

static const struct desk_refusal refusals[] = {
	{ ICERT_E_DENIED, 403, NULL, "desk.price.same" },
	{ ICERT_E_STALE, 409, NULL, "desk.price.late" },
	{ ICERT_E_NOT_FOUND, 409, NULL, "desk.price.gone" },
	{ 0 }
};

/* After a decision: the list with its notice, or the change as it now stands. */
static int
decided(struct request *rq, int rv, const char *notice)
{
	int status;

	if (rv == 0)
		return response_redirect(rq, "/tarifa?aviso=%s", notice);
	status = desk_code_error(rq, rv) ? 422 : desk_refused(rq, refusals, rv);
	return status != 0 ? change_page(rq, status) : rv;
}

static int
approve(struct request *rq)
{
	return decided(rq, price_change_approve(desk_act(rq), rq->id[0], desk_code(rq)), "desk-price-approved");
}

static int
withdraw(struct request *rq)
{
	return decided(rq, price_change_withdraw(desk_act(rq), rq->id[0]), "desk-price-withdrawn");
}

const struct route desk_price_routes[] = {
	{ METHOD_GET, "/tarifa", WATCHES, PROVINCE_NONE, 0, list_page },
	{ METHOD_GET, "/tarifa/nueva", ROLE_ADMIN, PROVINCE_NONE, 0, edit_show },
	{ METHOD_POST, "/tarifa/nueva", ROLE_ADMIN, PROVINCE_NONE, ROUTE_PARK, edit_done },
	{ METHOD_GET, "/tarifa/cambio/{id}", WATCHES, PROVINCE_NONE, 0, change_show },
	{ METHOD_POST, "/tarifa/cambio/{id}/aprobar", ROLE_ADMIN, PROVINCE_NONE, 0, approve },
	{ METHOD_POST, "/tarifa/cambio/{id}/retirar", ROLE_ADMIN, PROVINCE_NONE, 0, withdraw },
	{ 0 }
};
