#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/document.h"
#include "web/desk/desk.h"

/* The review of an application: taken, observed, accepted, rejected. */

static const char *const asked[] = { DOCUMENT_CEDULA, DOCUMENT_VOTING, DOCUMENT_UTILITY };
#define ASKED (sizeof(asked) / sizeof(asked[0]))

static int
take(struct request *rq)
{
	int rv = application_assign(desk_act(rq), rq->id[0], request_version(rq), NULL);

	return desk_done(rq, rq->id[0], rv, "desk-taken");
}

static int
release(struct request *rq)
{
	int rv = application_release(desk_act(rq), rq->id[0], request_version(rq));

	return desk_done(rq, rq->id[0], rv, "desk-released");
}

static int
give(struct request *rq)
{
	const char *staff = request_form(rq, "staff");
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (staff == NULL || !id_valid(staff)) {
		page_field_error(rq, "staff", "desk.give.missing");
		return desk_case_page(rq, 422, a);
	}
	if (a->state == APPLICATION_SUBMITTED)
		rv = application_assign(desk_act(rq), a->id, request_version(rq), staff);
	else
		rv = application_reassign(desk_act(rq), a->id, request_version(rq), staff);
	return desk_done(rq, a->id, rv, "desk-given");
}

static int
accept(struct request *rq)
{
	int rv = application_accept(desk_act(rq), rq->id[0], request_version(rq));

	return desk_done(rq, rq->id[0], rv, "desk-accepted");
}

/* ---- observations: a reason beside each field or document ---- */

static int
observe_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_observe v = { 0 };
	struct view_desk_observe_rows *rows =
	    arena_array(&rq->arena, struct view_desk_observe_rows, FORM_FIELDS + ASKED);

	if (rows == NULL)
		return ICERT_E_MEMORY;
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.version = a->version;
	v.number = a->number;
	v.name = desk_name(rq, a);
	for (size_t i = 0; i < ASKED; i++) {
		rows[v.nrows].target = arena_printf(&rq->arena, "document.%s", asked[i]);
		rows[v.nrows].kind = "document.";
		rows[v.nrows].label = asked[i];
		v.nrows++;
	}
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const char *name = application_fields[i].name;

		/* Another province would be another desk's case. */
		if (strcmp(name, "privacy") == 0 || strcmp(name, "province") == 0)
			continue;
		rows[v.nrows].target = arena_printf(&rq->arena, "form.%s", name);
		rows[v.nrows].kind = "label.";
		rows[v.nrows].label = name;
		rows[v.nrows].value = desk_value(a, name);
		v.nrows++;
	}
	for (size_t i = 0; i < v.nrows; i++)
		rows[i].reason = page_field(rq, rows[i].target, NULL);
	v.rows = rows;
	return page_send(rq, status, desk_observe, &v);
}

static int
observe_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (a->state != APPLICATION_IN_REVIEW && a->state != APPLICATION_SCHEDULED)
		return response_redirect(rq, "/caso/%s", a->id);
	return observe_page(rq, 200, a);
}

/* The reasons typed: fields named like their targets. */
static size_t
read_observations(struct request *rq, struct observation *list, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < rq->nform && n < room; i++) {
		const char *name = rq->form[i].name, *text = rq->form[i].value;

		if (strncmp(name, "form.", 5) != 0 && strncmp(name, "document.", 9) != 0)
			continue;
		text += strspn(text, " \t\r\n");
		if (*text == '\0')
			continue;
		if (strlen(text) >= sizeof(list[n].reason)) {
			page_field_error(rq, name, "field.too_long");
			continue;
		}
		snprintf(list[n].target, sizeof(list[n].target), "%s", name);
		snprintf(list[n].reason, sizeof(list[n].reason), "%s", text);
		n++;
	}
	return n;
}

static int
observe_send(struct request *rq)
{
	struct observation *list = arena_array(&rq->arena, struct observation, OBSERVATIONS_MAX);
	struct application *a;
	size_t n;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (list == NULL)
		return ICERT_E_MEMORY;
	n = read_observations(rq, list, OBSERVATIONS_MAX);
	if (n == 0 && !page_has_errors(rq))
		page_field_error(rq, "document.cedula", "desk.observe.missing");
	if (page_has_errors(rq))
		return observe_page(rq, 422, a);
	rv = application_observe(desk_act(rq), a->id, request_version(rq), list, n);
	return desk_done(rq, a->id, rv, "desk-observed");
}

/* ---- rejection ---- */

static int
reject_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_reject v = { 0 };

	v.id = a->id;
	v.back = desk_href(rq, a);
	v.version = a->version;
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.reasons = desk_options(rq, application_reject_reasons, "desk.reject.because.", request_form(rq, "reason"), &v.nreasons);
	v.reason = page_field(rq, "reason", NULL);
	v.words = page_field(rq, "words", NULL);
	return page_send(rq, status, desk_reject, &v);
}

static int
reject_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (!(transition_possible(a->state, rq->session.roles) & (1u << ACTION_REJECT)))
		return response_redirect(rq, "/caso/%s", a->id);
	return reject_page(rq, 200, a);
}

static int
reject_send(struct request *rq)
{
	const char *reason = request_form(rq, "reason"), *words = request_form(rq, "words");
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (reason == NULL || reason[0] == '\0')
		page_field_error(rq, "reason", "desk.reject.missing");
	if (words != NULL && strlen(words) > 500)
		page_field_error(rq, "words", "field.too_long");
	if (page_has_errors(rq))
		return reject_page(rq, 422, a);
	rv = application_reject(desk_act(rq), a->id, request_version(rq), reason, words != NULL ? words : "");
	return desk_done(rq, a->id, rv, "desk-rejected");
}

const struct route desk_review_routes[] = {
	{ METHOD_POST, "/caso/{id}/tomar", DESK_WORKS, PROVINCE_CASE, 0, take },
	{ METHOD_POST, "/caso/{id}/soltar", DESK_WORKS, PROVINCE_CASE, 0, release },
	{ METHOD_POST, "/caso/{id}/asignar", DESK_WORKS | ROLE_NATIONAL, PROVINCE_CASE, 0, give },
	{ METHOD_POST, "/caso/{id}/admitir", DESK_WORKS, PROVINCE_CASE, 0, accept },
	{ METHOD_GET, "/caso/{id}/corregir", DESK_WORKS, PROVINCE_CASE, 0, observe_show },
	{ METHOD_POST, "/caso/{id}/corregir", DESK_WORKS, PROVINCE_CASE, ROUTE_PARK, observe_send },
	{ METHOD_GET, "/caso/{id}/rechazar", DESK_WORKS, PROVINCE_CASE, 0, reject_show },
	{ METHOD_POST, "/caso/{id}/rechazar", DESK_WORKS, PROVINCE_CASE, ROUTE_PARK, reject_send },
	{ 0 }
};
