#include <string.h>

#include "libicert/error.h"
#include "procedure/certificate/certificate.h"
#include "procedure/application/fields.h"
#include "procedure/certificate/token.h"
#include "web/caller.h"
#include "web/desk/desk.h"

/* The button: under the exact fields, which the applicant accepted, with a fresh code. */

#define EVENTS_MAX 200

static int
fill_fields(struct request *rq, const struct application *a, struct view_desk_issue *v)
{
	struct fields *f = arena_new(&rq->arena, struct fields);
	struct view_desk_issue_rows *rows = arena_array(&rq->arena, struct view_desk_issue_rows, CERT_FIELDS_COUNT);
	int rv;

	if (f == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = fields_make(desk_act(rq), a, f)) != 0)
		return rv;
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++) {
		if (*cert_fields_get(&f->f, i) == '\0')
			continue;
		rows[v->nrows].label = cert_fields_name(i);
		rows[v->nrows].value = cert_fields_get(&f->f, i);
		if (rows[v->nrows].value == f->f.spki_sha256_hex)
			rows[v->nrows].value = page_grouped(rq, f->f.spki_sha256_hex);
		v->nrows++;
	}
	v->rows = rows;
	return 0;
}

/* Why the signer or the lint refused last time; NULL when they did not. */
static const char *
refusal_of(struct request *rq, const struct application *a)
{
	struct application_event *list = arena_array(&rq->arena, struct application_event, EVENTS_MAX);
	size_t n = EVENTS_MAX;

	if (list == NULL || application_events(desk_act(rq), a->id, list, &n) != 0)
		return NULL;
	for (size_t i = n; i-- > 0;)
		if (strcmp(list[i].action, "application.refused") == 0)
			return list[i].reason;
	return NULL;
}

static int
issue_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_issue v = { 0 };
	int rv;

	v.id = a->id;
	v.back = desk_href(rq, a);
	v.version = a->version;
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.accepted = a->fields_accepted;
	v.token = strcmp(a->container, CONTAINER_TOKEN) == 0;
	v.refused = refusal_of(rq, a);
	v.code = page_field(rq, "code", NULL);
	v.code.value = NULL;
	if ((rv = fill_fields(rq, a, &v)) != 0)
		return rv;
	/* While the applicant reads, the page asks again by itself; nothing is typed on it then. */
	if (!v.accepted)
		response_header(rq->response, "Refresh", arena_printf(&rq->arena, "6; url=/caso/%s/emitir?" CALLER_WAITING "=1", a->id));
	return page_send(rq, status, desk_issue, &v);
}

/* Issued, or on the way there. */
static bool
was_issued(const struct application *a)
{
	return a->state == APPLICATION_ISSUING || application_is_issued(a->state);
}

static int
issue_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (was_issued(a))
		return response_redirect(rq, "/caso/%s/emitido", a->id);
	if (a->state != APPLICATION_IDENTIFIED)
		return response_redirect(rq, "/caso/%s", a->id);
	/* The exact fields name the token's key: it comes first. */
	if (!fields_complete(a))
		return response_redirect(rq, "/caso/%s/token", a->id);
	return issue_page(rq, 200, a);
}

static int
issue_wrong(struct request *rq, const struct application *a, int rv)
{
	switch (rv) {
	case ICERT_E_CODE_WRONG:
		page_field_error(rq, "code", "desk.issue.code_wrong");
		break;
	case ICERT_E_CODE_REPLAYED:
		page_field_error(rq, "code", "desk.issue.code_used");
		break;
	case ICERT_E_CODE_SPENT:
		page_field_error(rq, "code", "desk.issue.code_spent");
		break;
	case ICERT_E_MISSING:
		page_field_error(rq, NULL, "desk.issue.not_accepted");
		break;
	case ICERT_E_STALE:
		page_field_error(rq, NULL, "desk.issue.stale");
		break;
	case ICERT_E_STATE:
		/* The case is where it was: it is its money that is not. */
		if (a->state == APPLICATION_IDENTIFIED) {
			page_field_error(rq, NULL, "desk.issue.unpaid");
			break;
		}
		/* FALLTHROUGH */
	default:
		return desk_done(rq, a->id, rv, "desk-issuing");
	}
	return issue_page(rq, 422, a);
}

static int
issue_send(struct request *rq)
{
	const char *typed = request_form(rq, "code");
	char code[8];
	struct application *a;
	size_t n = 0;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	/* The same button twice: the first press has begun it. */
	if (was_issued(a))
		return response_redirect(rq, "/caso/%s/emitido", a->id);
	for (; typed != NULL && *typed != '\0' && n < 7; typed++)
		if (*typed != ' ')
			code[n++] = *typed;
	code[n] = '\0';
	if (n != 6 || strspn(code, "0123456789") != 6) {
		page_field_error(rq, "code", "desk.issue.code_missing");
		return issue_page(rq, 422, a);
	}
	rv = fields_issue(desk_act(rq), a->id, request_version(rq), code);
	/* Pressed twice at the same moment: the code is used up because it is being issued. */
	if ((rv == ICERT_E_CODE_REPLAYED || rv == ICERT_E_CONFLICT || rv == ICERT_E_STATE || rv == ICERT_E_EXISTS) &&
	    desk_case(rq, &a) == 0 && (a->state == APPLICATION_ISSUING || a->state == APPLICATION_ISSUED))
		rv = 0;
	if (rv != 0)
		return issue_wrong(rq, a, rv);
	return response_redirect(rq, "/caso/%s/emitido", a->id);
}

static int
send_back(struct request *rq)
{
	int rv = application_send_back(desk_act(rq), rq->id[0], request_version(rq), "operator");

	return desk_done(rq, rq->id[0], rv, "desk-sent-back");
}

/* ---- afterwards ---- */

static int
issued_page(struct request *rq, int status, const struct application *a, const char *code)
{
	struct view_desk_issued v = { 0 };
	struct certificate *c = arena_new(&rq->arena, struct certificate);
	int rv;

	if (c == NULL)
		return ICERT_E_MEMORY;
	rv = certificate_of(desk_act(rq), a->id, c);
	if (rv != 0 && rv != ICERT_E_NOT_FOUND)
		return rv;
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.envelope = a->envelope;
	v.token = strcmp(a->container, CONTAINER_TOKEN) == 0;
	v.email = a->email_masked;
	v.code = code;
	/* Told already: the button would only say so again. */
	v.mine = desk_mine(rq, a) && !page_has_errors(rq);
	v.issued = rv == 0 && c->issued_at != 0;
	v.serial = v.issued ? c->serial : NULL;
	v.published = v.issued && c->published;
	v.revoked = strcmp(c->state, "revoked") == 0;
	if (code == NULL && !v.published && !page_has_errors(rq))
		response_header(rq->response, "Refresh", arena_printf(&rq->arena, "2; url=/caso/%s/emitido?" CALLER_WAITING "=1", a->id));
	return page_send(rq, status, desk_issued, &v);
}

static int
issued_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	/* The signer or the lint refused: back at the button, with the reason. */
	if (a->state == APPLICATION_IDENTIFIED)
		return response_redirect(rq, "/caso/%s/emitir", a->id);
	if (!was_issued(a))
		return response_redirect(rq, "/caso/%s", a->id);
	return issued_page(rq, 200, a, NULL);
}

/* Read aloud in the call; whoever asks a minute later finds it gone. */
static int
opening_code(struct request *rq)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_STATE, 409, NULL, "desk.code.not_yet" },
		{ ICERT_E_DENIED, 403, NULL, "desk.code.other" },
		{ ICERT_E_DESTROYED, 409, NULL, "desk.code.shown" },
		{ ICERT_E_CODE_SPENT, 409, NULL, "desk.code.locked" },
		{ 0 }
	};
	struct application *a;
	char code[9] = "";
	int status, rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	rv = fields_opening_code(desk_act(rq), a->id, code);
	if ((status = desk_refused(rq, refusals, rv)) != 0)
		return issued_page(rq, status, a, NULL);
	if (rv == 0)
		rv = issued_page(rq, 200, a, arena_printf(&rq->arena, "%.4s %.4s", code, code + 4));
	bytes_wipe(code, sizeof(code));
	return rv;
}

const struct route desk_issue_routes[] = {
	{ METHOD_GET, "/caso/{id}/emitir", DESK_WORKS, PROVINCE_CASE, 0, issue_show },
	{ METHOD_POST, "/caso/{id}/emitir", DESK_WORKS, PROVINCE_CASE, 0, issue_send },
	{ METHOD_POST, "/caso/{id}/devolver", DESK_WORKS, PROVINCE_CASE, 0, send_back },
	{ METHOD_GET, "/caso/{id}/emitido", DESK_WORKS, PROVINCE_CASE, 0, issued_show },
	{ METHOD_POST, "/caso/{id}/codigo", DESK_WORKS, PROVINCE_CASE, 0, opening_code },
	{ 0 }
};
