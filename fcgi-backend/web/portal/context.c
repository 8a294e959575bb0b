#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/people/login.h"
#include "procedure/people/staff.h"
#include "web/caller.h"
#include "web/portal/portal.h"

const struct route *const portal_routes[] = {
	portal_public_routes, portal_tariff_routes, portal_login_routes, portal_billing_routes, portal_order_routes, portal_slip_routes, portal_invoice_routes,
	portal_document_routes, portal_submit_routes, portal_case_routes, portal_mine_routes, portal_slot_routes,
	portal_accept_routes, portal_envelope_routes, portal_revoke_routes,
	portal_contract_routes, portal_again_routes, portal_renewal_routes, portal_evidence_routes,
	portal_form_routes,	/* last: its {step} would take the others' words */
	NULL
};

struct portal *
portal_of(struct request *rq)
{
	return rq->app->ctx;
}

int
portal_start(struct app *app)
{
	static struct portal portal;
	const struct config *c = app->config;
	char conninfo[512];

	portal.config = c;
	portal.public_url = app->public_url;
	if (config_conninfo(c, "portal", conninfo, sizeof(conninfo)) != 0 ||
	    (portal.db = db_open(conninfo)) == NULL)
		return ICERT_E_CONFIG;
	db_patience(portal.db, DB_PERSON_QUIET_MS, DB_PERSON_MOST_MS);
	if ((portal.cache = cache_open(config_get(c, "redis", "socket"))) == NULL)
		return ICERT_E_MEMORY;
	keyclient_init(&portal.keeper, config_require(c, "sockets", "keeper-portal"));
	keyclient_init(&portal.checker, config_require(c, "sockets", "checker-portal"));
	app->ctx = &portal;
	return document_store_open(&portal.files, config_require(c, "paths", "documents"),
	    config_require(c, "paths", "spool"));
}

int64_t
portal_now(void)
{
	return clock_business();
}

struct act *
portal_act(struct request *rq)
{
	struct portal *p = portal_of(rq);
	struct act *a = &p->act;

	memset(a, 0, sizeof(*a));
	a->db = p->db;
	a->keeper = &p->keeper;
	a->cache = p->cache;
	a->config = p->config;
	caller_fill(rq, a);
	return a;
}

/*
 * A cached session serves the pages of applicants, whose transactions compare
 * it.  What asks the database nothing more (public pages, the edge's question)
 * asks it for the session.
 */
int
portal_load_session(struct request *rq)
{
	struct act *a = portal_act(rq);

	(void)db_session_over(a->db);
	if (rq->route == NULL || (rq->route->roles & ROLE_PUBLIC) || rq->session.uncached)
		a->cache = NULL;
	return caller_load(rq, a);
}

bool
portal_session_over(struct request *rq)
{
	if (!db_session_over(portal_of(rq)->db))
		return false;
	login_forget(portal_act(rq));
	return true;
}

#define OFFICE_SECONDS 60

const struct province *
portal_office(struct request *rq, int id)
{
	static struct kept {
		struct province	p;
		int64_t		until;
	} offices[PROVINCE_NATIONAL + 1];
	int64_t now = clock_mono_ms();
	struct kept *o;

	if (id <= 0 || id > PROVINCE_NATIONAL)
		return NULL;
	o = &offices[id];
	if (now >= o->until) {
		if (province_get(portal_act(rq), id, &o->p) != 0)
			return NULL;
		o->until = now + OFFICE_SECONDS * 1000;
	}
	return &o->p;
}

static void
matter_of(struct request *rq, struct view_page *page, const struct province *p, const char *number)
{
	struct view_page_matter *m = arena_new(&rq->arena, struct view_page_matter);

	if (m == NULL || p == NULL)
		return;
	m->number = number;
	m->province = p->name;
	m->telephone = p->telephone;
	m->hours = p->hours;
	page->matter = m;
}

void
portal_frame(struct request *rq, struct view_page *page)
{
	page->public_menu = true;
	if (rq->response->status < 500)
		matter_of(rq, page, portal_office(rq, PROVINCE_NATIONAL), NULL);
}

int
portal_denied(struct request *rq)
{
	const char *next = caller_local_path(route_page(rq, rq->app->routes));
	const char *why = "needed";

	/* Files that the edge did not read stay on the person's device. */
	if (rq->refusal != NULL)
		why = "files";
	/* Whoever took long at the gateway must not think that the payment was lost. */
	else if (strcmp(rq->route->pattern, PORTAL_RETURN) == 0)
		why = "paying";
	else if (rq->session.state == SESSION_LOCKED)
		why = rq->method == METHOD_POST ? "undone" : "expired";
	return response_redirect(rq, "/entrar?motivo=%s%s%s", why,
	    next != NULL ? "&next=" : "", next != NULL ? next : "");
}

int
portal_park(struct request *rq)
{
	struct view_portal_expired v = { .next = "/mi-tramite" };
	int rv;

	if (rq->form_body == NULL)
		return portal_denied(rq);
	if ((rv = parked_add(portal_act(rq), rq->path, rq->form_body, strlen(rq->form_body))) < 0)
		return rv;
	response_header(rq->response, "WWW-Authenticate", "Cookie realm=\"icert\"");
	return page_send(rq, 401, portal_expired, &v);
}

void
portal_matter(struct request *rq, const struct province *p, const char *number)
{
	if (p != NULL)
		matter_of(rq, page_frame(rq), p, number);
}

static void
case_matter(struct request *rq, const struct application *a)
{
	portal_matter(rq, portal_office(rq, a->province), a->number);
}

static bool
still_open(enum application_state s, bool drafts)
{
	return (s >= APPLICATION_SUBMITTED && s < APPLICATION_ACTIVE) || (drafts && s == APPLICATION_DRAFT);
}

const struct application *
portal_open_case(struct request *rq, const char *except, const char *id_number, bool drafts)
{
	size_t n = 32;
	struct application *list = arena_array(&rq->arena, struct application, n);

	if (list == NULL || application_mine(portal_act(rq), list, &n) != 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!still_open(list[i].state, drafts) || (except != NULL && strcmp(list[i].id, except) == 0))
			continue;
		if (id_number == NULL || strcmp(list[i].form.id_number, id_number) == 0)
			return &list[i];
	}
	return NULL;
}

int
portal_case(struct request *rq, struct application **out)
{
	struct application *a = arena_new(&rq->arena, struct application);
	int rv;

	if (a == NULL)
		return ICERT_E_MEMORY;
	if ((rv = application_get(portal_act(rq), rq->id[0], a)) != 0)
		return rv;
	case_matter(rq, a);
	*out = a;
	return 0;
}
