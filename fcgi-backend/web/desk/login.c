#include <string.h>

#include "libicert/error.h"
#include "procedure/login.h"
#include "web/desk/desk.h"

/* Staff: a password and a TOTP code, 15 idle minutes. */

static int
login_page(struct request *rq, int status)
{
	struct view_desk_login v = { 0 };
	const char *next = rq->method == METHOD_POST ? request_form(rq, "next") : request_query(rq, "next");
	const char *why = request_query(rq, "motivo");

	v.user = page_field(rq, "user", NULL);
	v.error = page_error_of(rq, "password");
	v.next = desk_local_path(next);
	v.why = why != NULL && strcmp(why, "needed") == 0 ? catalogue("desk.login.needed") : NULL;
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

static int
login_send(struct request *rq)
{
	const char *user = request_form(rq, "user"), *password = request_form(rq, "password");
	const char *next = desk_local_path(request_form(rq, "next"));
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
		return response_redirect(rq, "/ordenes");
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
