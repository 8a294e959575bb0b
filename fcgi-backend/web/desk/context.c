#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libicert/error.h"
#include "procedure/order/transfer.h"
#include "procedure/people/login.h"
#include "procedure/people/staff.h"
#include "web/caller.h"
#include "web/desk/desk.h"

#define PROVINCES 32

const struct route *const desk_routes[] = {
	desk_login_routes, desk_queue_routes, desk_case_routes, desk_review_routes, desk_slot_routes,
	desk_document_routes, desk_upload_routes, desk_identify_routes, desk_issue_routes, desk_token_routes, desk_office_routes, desk_clocks_routes, desk_revoke_routes,
	desk_extend_routes, desk_outages_routes, desk_template_routes, desk_price_routes, desk_orders_routes, desk_refund_routes, desk_transfer_routes, desk_slip_routes, desk_invoice_routes, desk_account_routes, desk_reconciliation_routes, desk_totals_routes, desk_waiting_routes, desk_contract_routes, desk_envelope_routes, desk_troubles_routes, desk_director_routes, desk_signer_routes,
	NULL
};

struct desk *
desk_of(struct request *rq)
{
	return rq->app->ctx;
}

int
desk_start(struct app *app)
{
	static struct desk desk;
	const struct config *c = app->config;
	char conninfo[512];

	desk.config = c;
	if (config_conninfo(c, "desk", conninfo, sizeof(conninfo)) != 0 || (desk.db = db_open(conninfo)) == NULL)
		return ICERT_E_CONFIG;
	/* Lists may take long; a server that hangs is found out all the same. */
	db_patience(desk.db, DB_PERSON_QUIET_MS, DB_MOST_MS);
	keyclient_init(&desk.keeper, config_require(c, "sockets", "keeper-desk"));
	keyclient_init(&desk.checker, config_require(c, "sockets", "checker-desk"));
	app->ctx = &desk;
	return document_store_open(&desk.files, config_require(c, "paths", "documents"),
	    config_require(c, "paths", "spool"));
}

struct act *
desk_act(struct request *rq)
{
	struct desk *d = desk_of(rq);
	struct act *a = &d->act;

	memset(a, 0, sizeof(*a));
	a->db = d->db;
	a->keeper = &d->keeper;
	a->config = d->config;
	caller_fill(rq, a);
	return a;
}

/* Staff's sessions are always read from PostgreSQL: a role removed counts at once. */
int
desk_load_session(struct request *rq)
{
	return caller_load(rq, desk_act(rq));
}

/* "Pichincha, Guayas"; those who see every province have that said instead. */
static const char *
provinces_text(struct request *rq)
{
	struct province *all = arena_array(&rq->arena, struct province, PROVINCES);
	size_t n = PROVINCES, nall = PROVINCES;
	const char *text = NULL;
	int mine[PROVINCES];

	if (rq->session.roles & (ROLE_NATIONAL | ROLE_AUDITOR | ROLE_FINANCE | ROLE_ADMIN))
		return catalogue("desk.every_province");
	if (all == NULL || staff_provinces(desk_act(rq), mine, &n) != 0 || province_list(desk_act(rq), all, &nall) != 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < nall; k++)
			if (all[k].id == mine[i])
				text = text == NULL ? all[k].name : arena_printf(&rq->arena, "%s, %s", text, all[k].name);
	return text;
}

void
desk_frame(struct request *rq, struct view_page *page)
{
	static const struct {
		unsigned roles;
		const char *href, *text;
	} items[] = {
		{ DESK_READS, "/casos", "desk.menu.cases" },
		{ ROLE_DIRECTOR, "/contratos", "desk.menu.contracts" },
		{ ROLE_DIRECTOR | ROLE_NATIONAL, "/contratos/sustitutos", "desk.menu.substitutes" },
		{ ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR, "/finanzas", "desk.menu.waiting" },
		{ ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR, "/ordenes", "desk.menu.orders" },
		{ ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR, "/transferencias", "desk.menu.transfers" },
		{ ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR, "/conciliacion", "desk.menu.reconciliation" },
		{ ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR, "/devoluciones", "desk.menu.refunds" },
		{ ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR, "/totales", "desk.menu.totals" },
		{ ROLE_NATIONAL | ROLE_AUDITOR, "/revocaciones", "desk.menu.revocations" },
		{ ROLE_NATIONAL | ROLE_AUDITOR, "/plazos", "desk.menu.clocks" },
		{ ROLE_ADMIN, "/personal", "desk.menu.staff" },
		{ ROLE_ADMIN | ROLE_FINANCE | ROLE_AUDITOR, "/tarifa", "desk.menu.prices" },
		{ ROLE_ADMIN | ROLE_FINANCE | ROLE_AUDITOR, "/cuentas", "desk.menu.accounts" },
		{ ROLE_ADMIN | ROLE_AUDITOR, "/plantilla", "desk.menu.template" },
		{ ROLE_ADMIN, "/personal/certificados", "desk.menu.signers" },
		{ ROLE_ADMIN | ROLE_NATIONAL | ROLE_AUDITOR, "/pendientes", "desk.menu.troubles" },
		{ ROLE_NATIONAL | ROLE_AUDITOR, "/registro", "desk.menu.journal" },
	};
	size_t room = sizeof(items) / sizeof(items[0]);
	struct view_page_staff *staff = arena_new(&rq->arena, struct view_page_staff);
	struct view_page_staff_menu *menu = arena_array(&rq->arena, struct view_page_staff_menu, room);

	if (staff == NULL || menu == NULL)
		return;
	page->staff = staff;
	staff->menu = menu;
	if (rq->session.state != SESSION_LIVE)
		return;
	staff->name = rq->session.name;
	staff->provinces = provinces_text(rq);
	for (size_t i = 0; i < room; i++) {
		if (!(items[i].roles & rq->session.roles))
			continue;
		menu[staff->nmenu].href = items[i].href;
		menu[staff->nmenu].text = catalogue(items[i].text);
		menu[staff->nmenu].here = strcmp(rq->path, items[i].href) == 0;
		staff->nmenu++;
	}
}

int
desk_denied(struct request *rq)
{
	const char *next = caller_local_path(route_page(rq, rq->app->routes));
	const char *why = rq->refusal != NULL ? "files" : rq->method == METHOD_POST ? "undone" : "needed";

	if (rq->method == METHOD_POST && (rq->route->flags & ROUTE_PARK))
		return desk_login_again(rq);
	return response_redirect(rq, "/entrar?motivo=%s%s%s", why, next != NULL ? "&next=" : "",
	    next != NULL ? next : "");
}

int
desk_case(struct request *rq, struct application **out)
{
	struct application *a = arena_new(&rq->arena, struct application);
	int rv;

	if (a == NULL)
		return ICERT_E_MEMORY;
	if ((rv = application_get(desk_act(rq), rq->id[0], a)) == 0)
		*out = a;
	return rv;
}

const char *
desk_name(struct request *rq, const struct application *a)
{
	char name[512];

	application_full_name(&a->form, name, sizeof(name));
	return arena_strdup(&rq->arena, name);
}

const char *
desk_value(const struct application *a, const char *field)
{
	const char *value = application_form_get(&a->form, field), *words;
	char code[64];

	if (strcmp(field, "id_kind") != 0 && strcmp(field, "invoices") != 0 && strcmp(field, "voting_paper") != 0)
		return value;
	snprintf(code, sizeof(code), "value.%s", value);
	words = catalogue(code);
	return words != NULL ? words : value;
}

const char *
desk_href(struct request *rq, const struct application *a)
{
	return arena_printf(&rq->arena, "/caso/%s", a->id);
}

const char *
desk_back(struct request *rq, const char *page)
{
	const char *from = request_query(rq, "de");

	return from != NULL && strcmp(from, "finanzas") == 0 ? "/finanzas" : page;
}

bool
desk_mine(const struct request *rq, const struct application *a)
{
	return a->operator[0] != '\0' && strcmp(a->operator, rq->session.person) == 0;
}

/* What the person can mend or must see stands on the page; the rest is the framework's. */
int
desk_done(struct request *rq, const char *id, int rv, const char *notice)
{
	struct application *a;
	char code[64];
	int status;

	switch (rv) {
	case 0:
		return response_redirect(rq, "/caso/%s?aviso=%s", id, notice);
	case ICERT_E_CONFLICT:
	case ICERT_E_STATE:
	case ICERT_E_EXISTS:
		status = 409;
		break;
	case ICERT_E_OWN_CASE:
	case ICERT_E_DENIED:
		status = 403;
		break;
	case ICERT_E_MISSING:
	case ICERT_E_INVALID:
	case ICERT_E_EXPIRED:
		status = 422;
		break;
	default:
		return rv;
	}
	snprintf(code, sizeof(code), "desk.error.%s", icert_err_code(rv));
	page_field_error(rq, NULL, code);
	if ((rv = desk_case(rq, &a)) != 0)
		return rv;
	return desk_case_page(rq, status, a);
}

const char *
desk_code(struct request *rq)
{
	const char *typed = request_form(rq, "code");
	char code[8];
	size_t n = 0;

	for (; typed != NULL && *typed != '\0' && n < 7; typed++)
		if (*typed != ' ')
			code[n++] = *typed;
	code[n] = '\0';
	return n == 6 && strspn(code, "0123456789") == 6 ? arena_strdup(&rq->arena, code) : "";
}

int
desk_refused(struct request *rq, const struct desk_refusal *table, int rv)
{
	for (; table->error != 0; table++)
		if (table->error == rv) {
			page_field_error(rq, table->field, table->say);
			return table->status;
		}
	return 0;
}

static bool
code_error(struct request *rq, int rv, const char *field)
{
	const char *say = rv == ICERT_E_CODE_WRONG ? "desk.issue.code_wrong" :
	    rv == ICERT_E_CODE_REPLAYED ? "desk.issue.code_used" :
	    rv == ICERT_E_CODE_SPENT ? "desk.issue.code_spent" : rv == ICERT_E_INVALID ? "desk.issue.code_missing" : NULL;

	if (say != NULL)
		page_field_error(rq, field, say);
	return say != NULL;
}

bool
desk_code_error(struct request *rq, int rv)
{
	return code_error(rq, rv, "code");
}

bool
desk_code_error_of(struct request *rq, int rv, const char *id)
{
	return code_error(rq, rv, arena_printf(&rq->arena, "code-%s", id));
}

struct view_field
desk_code_field(struct request *rq, const char *id)
{
	const char *at = arena_printf(&rq->arena, "code-%s", id);

	return (struct view_field){ .error = at != NULL ? page_error_of(rq, at) : NULL };
}

struct view_option *
desk_options(struct request *rq, const char *const *codes, const char *prefix, const char *selected, size_t *n)
{
	struct view_option *options;
	size_t count = 0;

	while (codes[count] != NULL)
		count++;
	*n = 0;
	if ((options = arena_array(&rq->arena, struct view_option, count + 1)) == NULL)
		return NULL;
	for (; *n < count; (*n)++) {
		options[*n].value = codes[*n];
		options[*n].text = catalogue(arena_printf(&rq->arena, "%s%s", prefix, codes[*n]));
		options[*n].selected = selected != NULL && strcmp(selected, codes[*n]) == 0;
	}
	return options;
}

int64_t
desk_moment(const char *day, const char *hour)
{
	struct tm tm = { 0 };
	char rest;

	if (day == NULL || hour == NULL ||
	    sscanf(day, "%4d-%2d-%2d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &rest) != 3 ||
	    sscanf(hour, "%2d:%2d%c", &tm.tm_hour, &tm.tm_min, &rest) != 2 ||
	    tm.tm_year < 2000 || tm.tm_year > 2200 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (int64_t)timegm(&tm) - DESK_OFFSET_S;
}

int64_t
desk_day(const char *day)
{
	return desk_moment(day, "12:00");
}

const char *
desk_gateway(const char *name)
{
	return strcmp(name, TRANSFER_GATEWAY) == 0 ? catalogue("desk.gateway.transfer") : name;
}
