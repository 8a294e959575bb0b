#include <string.h>

#include "libicert/error.h"
#include "procedure/people/login.h"
#include "web/caller.h"
#include "web/csrf.h"
#include "web/desk/desk.h"

/*
 * Staff: a password and a TOTP code, 15 idle minutes.  A form sent after them
 * travels with the log-in page and is sent again when the person is back.
 */

#define KEPT	"k."	/* before the names of a form that waits */

/* A form that came too late (from its own page), or that an earlier log-in page brought along. */
static void
fill_kept(struct request *rq, struct view_desk_login *v)
{
	struct view_desk_login_kept *kept = arena_array(&rq->arena, struct view_desk_login_kept, rq->nform + 1);
	bool here = strcmp(rq->path, "/entrar") == 0;

	v->replay = here ? caller_local_path(request_form(rq, "replay")) : rq->path;
	if (kept == NULL || v->replay == NULL || rq->method != METHOD_POST)
		return;
	for (size_t i = 0; i < rq->nform; i++) {
		const char *name = rq->form[i].name;

		if (here && strncmp(name, KEPT, strlen(KEPT)) != 0)
			continue;
		if (!here && strcmp(name, CSRF_FIELD) == 0)
			continue;
		kept[v->nkept].name = here ? name : arena_printf(&rq->arena, KEPT "%s", name);
		kept[v->nkept].value = rq->form[i].value;
		v->nkept++;
	}
	v->kept = kept;
}

static int
login_page(struct request *rq, int status)
{
	struct view_desk_login v = { 0 };
	const char *next = rq->method == METHOD_POST ? request_form(rq, "next") : request_query(rq, "next");
	const char *why = request_query(rq, "motivo");

	v.user = page_field(rq, "user", NULL);
	v.error = page_error_of(rq, "password");
	v.next = caller_local_path(next);
	v.why = why != NULL ? catalogue(arena_printf(&rq->arena, "desk.login.why.%s", why)) : NULL;
	fill_kept(rq, &v);
	if (v.nkept > 0)
		v.why = catalogue("desk.login.why.kept");
	return page_send(rq, status, desk_login, &v);
}

static int
login_show(struct request *rq)
{
	if (rq->session.state == SESSION_LIVE)
		return response_redirect(rq, "/");
	return login_page(rq, 200);
}

/* The digits of what was typed; spaces are how people read a code aloud. */
static void
digits(const char *text, char out[8])
{
	size_t n = 0;

	for (; text != NULL && *text != '\0' && n < 7; text++)
		if (*text != ' ')
			out[n++] = *text;
	out[n] = '\0';
}

static int
login_wrong(struct request *rq, int rv)
{
	switch (rv) {
	case ICERT_E_DENIED:
	case ICERT_E_CODE_WRONG:
	case ICERT_E_CODE_REPLAYED:
		page_field_error(rq, "user", "desk.login.wrong");
		return login_page(rq, 422);
	case ICERT_E_CODE_SPENT:
		page_field_error(rq, "user", "desk.login.spent");
		response_header(rq->response, "Retry-After", "900");
		return login_page(rq, 429);
	default:
		return rv;
	}
}

int
desk_login_again(struct request *rq)
{
	response_header(rq->response, "WWW-Authenticate", "Cookie realm=\"icert\"");
	return login_page(rq, 401);
}

/* The form that waited, sent again for the person who is back. */
static bool
replay(struct request *rq)
{
	const char *path = caller_local_path(request_form(rq, "replay"));
	struct field *form = arena_array(&rq->arena, struct field, rq->nform + 1);
	size_t n = 0;

	if (path == NULL || form == NULL)
		return false;
	for (size_t i = 0; i < rq->nform; i++)
		if (strncmp(rq->form[i].name, KEPT, strlen(KEPT)) == 0)
			form[n++] = rq->form[i];
	if (n == 0 || desk_load_session(rq) != 0 || rq->session.state != SESSION_LIVE)
		return false;
	rq->nform = 0;
	for (size_t i = 0; i < n; i++)
		request_add_field(rq, form[i].name + strlen(KEPT), form[i].value);
	worker_replay(rq, path);
	return true;
}

static int
login_send(struct request *rq)
{
	const char *user = request_form(rq, "user"), *password = request_form(rq, "password");
	const char *next = caller_local_path(request_form(rq, "next"));
	struct session before = rq->session;
	char code[8];
	int rv;

	/* The same form sent twice: the first one has signed in already. */
	if (rq->session.state == SESSION_LIVE)
		return response_redirect(rq, "%s", next != NULL ? next : "/");
	digits(request_form(rq, "code"), code);
	if (user == NULL || password == NULL || user[0] == '\0' || password[0] == '\0' || code[0] == '\0') {
		page_field_error(rq, "user", "desk.login.missing");
		return login_page(rq, 422);
	}
	if ((rv = session_secret_new(rq)) != 0)
		return rv;
	if ((rv = login_staff(desk_act(rq), user, password, code, rq->session.identity)) != 0) {
		rq->session = before;
		return login_wrong(rq, rv);
	}
	if ((rv = session_send(rq)) != 0)
		return rv;
	if (replay(rq))
		return 0;
	return response_redirect(rq, "%s", next != NULL ? next : "/");
}

static int
logout(struct request *rq)
{
	int rv = rq->session.state == SESSION_LIVE ? login_logout(desk_act(rq)) : 0;

	if (rv < 0)
		return rv;
	session_forget(rq);
	return response_redirect(rq, "/entrar?aviso=signed-out");
}

/* Each role begins where its work is. */
static int
home(struct request *rq)
{
	unsigned roles = rq->session.roles;

	if (roles & (ROLE_OPERATOR | ROLE_NATIONAL))
		return response_redirect(rq, "/casos");
	if (roles & ROLE_DIRECTOR)
		return response_redirect(rq, "/contratos");
	if (roles & ROLE_FINANCE)
		return response_redirect(rq, "/finanzas");
	if (roles & ROLE_ADMIN)
		return response_redirect(rq, "/personal");
	return response_redirect(rq, "/registro");
}

const struct route desk_login_routes[] = {
	{ METHOD_GET, "/", ROLE_STAFF, PROVINCE_NONE, 0, home },
	{ METHOD_GET, "/entrar", ROLE_PUBLIC, PROVINCE_NONE, 0, login_show },
	{ METHOD_POST, "/entrar", ROLE_PUBLIC, PROVINCE_NONE, 0, login_send },
	{ METHOD_POST, "/salir", ROLE_PUBLIC, PROVINCE_NONE, 0, logout },
	{ 0 }
};
