#include <string.h>

#include "libicert/error.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/revocation_office.h"
#include "web/desk/desk.h"

/* Revocation by the national office: one asks, another confirms. */

#define ROWS 100

static int
fill_asked(struct request *rq, const struct application *a, struct view_desk_revoke *v)
{
	struct view_desk_revoke_asked *out = arena_new(&rq->arena, struct view_desk_revoke_asked);
	struct revocation *q = arena_new(&rq->arena, struct revocation);
	int rv;

	if (out == NULL || q == NULL)
		return ICERT_E_MEMORY;
	if ((rv = revocation_of(desk_act(rq), a->id, q)) != 0)
		return rv == ICERT_E_NOT_FOUND ? 0 : rv;
	out->reason = q->reason;
	out->words = q->words;
	out->by = q->q.requested_name;
	out->at = q->q.requested_at;
	out->mine = strcmp(q->q.requested_by, rq->session.person) == 0;
	v->asked = out;
	return 0;
}

static int
revoke_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_revoke v = { 0 };
	struct certificate *c = arena_new(&rq->arena, struct certificate);
	int rv;

	if (c == NULL)
		return ICERT_E_MEMORY;
	if ((rv = certificate_of(desk_act(rq), a->id, c)) != 0)
		return rv;
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.serial = c->serial;
	v.reasons = desk_options(rq, revocation_reasons, "desk.revocation.", request_form(rq, "reason"), &v.nreasons);
	v.reason = page_field(rq, "reason", NULL);
	v.words = page_field(rq, "words", NULL);
	v.code = page_field(rq, "code", NULL);
	v.code.value = NULL;
	if ((rv = fill_asked(rq, a, &v)) != 0)
		return rv;
	return page_send(rq, status, desk_revoke, &v);
}

static int
revoke_show(struct request *rq)
{
	struct application *a;
	struct certificate c;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (certificate_of(desk_act(rq), a->id, &c) != 0 || strcmp(c.state, "good") != 0)
		return response_redirect(rq, "/caso/%s", a->id);
	return revoke_page(rq, 200, a);
}

/* What the person sees of a refusal; the rest is the framework's. */
static int
revoke_wrong(struct request *rq, const struct application *a, int rv)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_DENIED, 403, NULL, "desk.revocation.same" },
		{ ICERT_E_OWN_CASE, 403, NULL, "desk.revocation.own" },
		{ ICERT_E_EXISTS, 409, NULL, "desk.revocation.exists" },
		{ ICERT_E_STATE, 409, NULL, "desk.revocation.state" },
		{ ICERT_E_CONFLICT, 409, NULL, "desk.revocation.state" },
		{ ICERT_E_NOT_FOUND, 409, NULL, "desk.revocation.gone" },
		{ 0 }
	};
	int status = desk_code_error(rq, rv) ? 422 : desk_refused(rq, refusals, rv);

	return status != 0 ? revoke_page(rq, status, a) : rv;
}

static int
revoke_ask(struct request *rq)
{
	const char *reason = request_form(rq, "reason"), *words = request_form(rq, "words");
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (reason == NULL || reason[0] == '\0')
		page_field_error(rq, "reason", "desk.revocation.reason_missing");
	if (words == NULL || words[strspn(words, " \t\r\n")] == '\0')
		page_field_error(rq, "words", "desk.revocation.words_missing");
	else if (strlen(words) > REVOCATION_WORDS)
		page_field_error(rq, "words", "field.too_long");
	if (page_has_errors(rq))
		return revoke_page(rq, 422, a);
	if ((rv = revocation_request(desk_act(rq), a->id, reason, words)) != 0)
		return revoke_wrong(rq, a, rv);
	return response_redirect(rq, "/caso/%s?aviso=desk-revocation-asked", a->id);
}

static int
revoke_confirm(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if ((rv = revocation_confirm(desk_act(rq), a->id, desk_code(rq))) != 0)
		return revoke_wrong(rq, a, rv);
	return response_redirect(rq, "/caso/%s?aviso=desk-revocation-done", a->id);
}

static int
revoke_withdraw(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if ((rv = revocation_withdraw(desk_act(rq), a->id)) != 0)
		return revoke_wrong(rq, a, rv);
	return response_redirect(rq, "/caso/%s?aviso=desk-revocation-withdrawn", a->id);
}

static int
revocations(struct request *rq)
{
	struct view_desk_revocations v = { 0 };
	struct revocation *list = arena_array(&rq->arena, struct revocation, ROWS);
	struct view_desk_revocations_rows *rows = arena_array(&rq->arena, struct view_desk_revocations_rows, ROWS);
	size_t n = ROWS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = revocation_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].number = list[i].number;
		rows[i].href = arena_printf(&rq->arena, "/caso/%s", list[i].application);
		rows[i].reason = list[i].reason;
		rows[i].state = list[i].q.state;
		rows[i].open = strcmp(list[i].q.state, "open") == 0;
		rows[i].by = list[i].q.requested_name;
		rows[i].at = list[i].q.requested_at;
		rows[i].decided = list[i].q.decided_name[0] != '\0' ? list[i].q.decided_name : NULL;
		rows[i].decided_at = list[i].q.decided_at;
	}
	v.rows = rows;
	v.nrows = n;
	return page_send(rq, 200, desk_revocations, &v);
}

const struct route desk_revoke_routes[] = {
	{ METHOD_GET, "/caso/{id}/revocar", ROLE_NATIONAL, PROVINCE_CASE, 0, revoke_show },
	{ METHOD_POST, "/caso/{id}/revocar", ROLE_NATIONAL, PROVINCE_CASE, ROUTE_PARK, revoke_ask },
	{ METHOD_POST, "/caso/{id}/revocar/confirmar", ROLE_NATIONAL, PROVINCE_CASE, 0, revoke_confirm },
	{ METHOD_POST, "/caso/{id}/revocar/retirar", ROLE_NATIONAL, PROVINCE_CASE, 0, revoke_withdraw },
	{ METHOD_GET, "/revocaciones", ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_ALL, 0, revocations },
	{ 0 }
};
