#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/form.h"
#include "procedure/people/login.h"
#include "web/caller.h"
#include "web/portal/portal.h"

/* An applicant is a proved mailbox: an address, a mailed code, a session. */

static const char *
why(const char *code)
{
	char key[64];

	if (code == NULL)
		return NULL;
	if (strcmp(code, "guardado") == 0)
		return catalogue("login.why.saved");
	if ((size_t)snprintf(key, sizeof(key), "login.why.%s", code) >= sizeof(key))
		return NULL;
	return catalogue(key);
}

static int
email_page(struct request *rq, int status)
{
	struct view_portal_login v = { 0 };
	const char *next = rq->method == METHOD_POST ? request_form(rq, "next") : request_query(rq, "next");

	v.email = page_field(rq, "email", NULL);
	v.next = caller_local_path(next);
	v.why = why(request_query(rq, "motivo"));
	return page_send(rq, status, portal_login, &v);
}

static int
email_show(struct request *rq)
{
	return email_page(rq, 200);
}

static int
code_page(struct request *rq, int status, const char *masked, const char *next, bool resent, bool busy)
{
	struct view_portal_code v = { .masked = masked, .next = next, .resent = resent, .busy = busy };

	v.code = page_field(rq, "code", NULL);
	/* A wrong code is typed anew, not mended. */
	v.code.value = NULL;
	return page_send(rq, status, portal_code, &v);
}

/* The answer to a POST that mailed a code is the page that asks for it: nothing
 * of the address goes into a URL. */
static int
after_sending(struct request *rq, int rv, const struct login_sent *sent, const char *next)
{
	if (rv == 0 || rv == ICERT_E_BUSY)
		return code_page(rq, 200, sent->masked, next, sent->resent, rv == ICERT_E_BUSY);
	if (rv != ICERT_E_INVALID)
		return rv;
	page_field_error(rq, "email", "login.email.invalid");
	return email_page(rq, 422);
}

static int
email_send(struct request *rq)
{
	const char *email = request_form(rq, "email");
	struct login_sent *sent = arena_new(&rq->arena, struct login_sent);
	int rv;

	if (sent == NULL)
		return ICERT_E_MEMORY;
	rv = login_code_send(portal_act(rq), email != NULL ? email : "", rq->session.identity, sent);
	return after_sending(rq, rv, sent, caller_local_path(request_form(rq, "next")));
}

/* Digits of what was typed, spaces and hyphens dropped; false for another form. */
static bool
digits(const char *text, char *out, size_t n)
{
	size_t len = 0;

	for (; text != NULL && *text != '\0'; text++) {
		if (*text == ' ' || *text == '-')
			continue;
		if (*text < '0' || *text > '9' || len == n)
			return false;
		out[len++] = *text;
	}
	out[len] = '\0';
	return len == n;
}

/* A form that was sent after the session had locked is done now. */
static bool
replay(struct request *rq)
{
	struct buf body = BUF_INIT;
	struct form form;
	struct form_field field;
	char path[256];
	char *copy;

	if (parked_take(portal_act(rq), path, &body) != 0) {
		buf_free(&body);
		return false;
	}
	copy = arena_strndup(&rq->arena, buf_str(&body), body.len);
	buf_free(&body);
	if (copy == NULL)
		return false;
	rq->nform = 0;
	form_init(&form, copy, strlen(copy), WEB_FIELDS_MAX);
	while (form_next(&form, &field) == 1)
		if (request_text_ok(field.value, field.value_len))
			request_add_field(rq, field.name, field.value);
	worker_replay(rq, arena_strdup(&rq->arena, path));
	return true;
}

/* Another mailbox was proved where one was signed in: that session ends. */
static int
leave(struct request *rq, const struct session *before)
{
	struct session now = rq->session;
	int rv;

	if (before->state != SESSION_LIVE)
		return 0;
	rq->session = *before;
	rv = login_logout(portal_act(rq));
	rq->session = now;
	return rv;
}

static int
signed_in(struct request *rq, const char *person, const char *next)
{
	rq->session.state = SESSION_LIVE;
	rq->session.roles = ROLE_CONTACT;
	rq->session.generation = 0;
	snprintf(rq->session.person, sizeof(rq->session.person), "%s", person);
	if (replay(rq))
		return 0;
	return response_redirect(rq, "%s", next != NULL ? next : "/mi-tramite");
}

static int
code_wrong(struct request *rq, int rv)
{
	const char *masked = request_form(rq, "masked");
	const char *next = caller_local_path(request_form(rq, "next"));

	switch (rv) {
	case ICERT_E_CODE_WRONG:
		page_field_error(rq, "code", "login.code.wrong");
		return code_page(rq, 422, masked, next, false, true);
	case ICERT_E_CODE_SPENT:
		page_field_error(rq, "code", "login.code.spent");
		return code_page(rq, 429, masked, next, false, true);
	case ICERT_E_EXPIRED:
		page_field_error(rq, "email", "login.code.expired");
		return email_page(rq, 422);
	case ICERT_E_NOT_FOUND:
		page_field_error(rq, "email", "login.code.unknown");
		return email_page(rq, 422);
	default:
		return rv;
	}
}

static int
code_check(struct request *rq)
{
	const char *next = caller_local_path(request_form(rq, "next"));
	struct session before = rq->session;
	struct act *act = portal_act(rq);
	char code[7], person[ID_TEXT];
	int rv, left = 0;

	if (!digits(request_form(rq, "code"), code, 6)) {
		page_field_error(rq, "code", "login.code.missing");
		return code_page(rq, 422, request_form(rq, "masked"), next, false, true);
	}
	if ((rv = session_secret_new(rq)) != 0)
		return rv;
	rv = login_code_check(act, before.identity, code, rq->session.identity, &left);
	if (rv != 0) {
		rq->session = before;
		/* The same form sent twice: the first one has signed in already. */
		if (rv == ICERT_E_NOT_FOUND && before.state == SESSION_LIVE)
			return response_redirect(rq, "%s", next != NULL ? next : "/mi-tramite");
		return code_wrong(rq, rv);
	}
	memcpy(person, act->id, sizeof(person));
	if ((rv = leave(rq, &before)) != 0 || (rv = session_send(rq)) != 0)
		return rv;
	return signed_in(rq, person, next);
}

static int
link_find(struct request *rq, struct login_link **out)
{
	*out = arena_new(&rq->arena, struct login_link);
	return *out == NULL ? ICERT_E_MEMORY : login_link_find(portal_act(rq), rq->id[0], *out);
}

static const char *
link_target(struct request *rq, const struct login_link *link)
{
	if (link->application[0] != '\0')
		return arena_printf(&rq->arena, "/tramite/%s", link->application);
	if (link->purchase[0] != '\0')
		return arena_printf(&rq->arena, "/orden/%s", link->purchase);
	return "/mi-tramite";
}

/* A mailed link changes nothing by itself: mail scanners follow links. */
static int
link_show(struct request *rq)
{
	struct view_portal_link v = { 0 };
	struct login_link *link;
	int rv = link_find(rq, &link);

	if (rv != 0)
		return rv;
	if (rq->session.state == SESSION_LIVE && strcmp(rq->session.person, link->contact) == 0)
		return response_redirect(rq, "%s", link_target(rq, link));
	v.masked = link->masked;
	v.token = rq->id[0];
	return page_send(rq, 200, portal_link, &v);
}

static int
link_send(struct request *rq)
{
	struct login_sent *sent = arena_new(&rq->arena, struct login_sent);
	struct login_link *link;
	int rv = link_find(rq, &link);

	if (rv != 0)
		return rv;
	if (sent == NULL)
		return ICERT_E_MEMORY;
	rv = login_code_send_link(portal_act(rq), rq->id[0], rq->session.identity, sent);
	return after_sending(rq, rv, sent, link_target(rq, link));
}

static int
logout(struct request *rq)
{
	int rv = 0;

	if (rq->session.state != SESSION_VISITOR)
		rv = login_logout(portal_act(rq));
	if (rv < 0)
		return rv;
	session_forget(rq);
	return response_redirect(rq, "/?aviso=signed-out");
}

static int
code_show(struct request *rq)
{
	return response_redirect(rq, "/entrar");
}

const struct route portal_login_routes[] = {
	{ METHOD_GET, "/entrar", ROLE_PUBLIC, PROVINCE_NONE, 0, email_show },
	{ METHOD_POST, "/entrar", ROLE_PUBLIC, PROVINCE_NONE, 0, email_send },
	{ METHOD_GET, "/entrar/codigo", ROLE_PUBLIC, PROVINCE_NONE, 0, code_show },
	{ METHOD_POST, "/entrar/codigo", ROLE_PUBLIC, PROVINCE_NONE, 0, code_check },
	{ METHOD_GET, "/enlace/{token}", ROLE_PUBLIC, PROVINCE_NONE, 0, link_show },
	{ METHOD_POST, "/enlace/{token}", ROLE_PUBLIC, PROVINCE_NONE, 0, link_send },
	{ METHOD_POST, "/salir", ROLE_PUBLIC, PROVINCE_NONE, 0, logout },
	{ 0 }
};
