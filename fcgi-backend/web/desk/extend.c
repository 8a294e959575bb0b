#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/clock/deadline.h"
#include "procedure/clock/extension.h"
#include "web/desk/desk.h"

/* The 120 hours of a contract: who is near or past the end, and two people lengthen it. */

#define ROWS		200
#define NEAR_S		(48 * 3600)
#define ENDED_S		(30 * 86400)

static int
fill_waits(struct request *rq, struct view_desk_waits *v)
{
	struct contract_wait *list = arena_array(&rq->arena, struct contract_wait, ROWS);
	struct view_desk_waits_rows *rows = arena_array(&rq->arena, struct view_desk_waits_rows, ROWS);
	size_t n = ROWS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = extension_waiting(desk_act(rq), NEAR_S, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].number = list[i].number;
		rows[i].href = arena_printf(&rq->arena, "/caso/%s", list[i].application);
		rows[i].extend = arena_printf(&rq->arena, "/caso/%s/prorroga", list[i].application);
		rows[i].province = list[i].province;
		rows[i].state = list[i].state;
		rows[i].due = list[i].due_at;
		rows[i].stopped = list[i].stopped_at;
		rows[i].past = list[i].stopped_at == 0 && list[i].due_at < clock_business();
		rows[i].asked = strcmp(list[i].extension, "open") == 0;
		rows[i].extended = strcmp(list[i].extension, "confirmed") == 0;
		rows[i].bounced = list[i].bounced;
	}
	v->rows = rows;
	v->nrows = n;
	return 0;
}

static int
fill_ended(struct request *rq, struct view_desk_waits *v)
{
	struct contract_wait *list = arena_array(&rq->arena, struct contract_wait, ROWS);
	struct view_desk_waits_ended *rows = arena_array(&rq->arena, struct view_desk_waits_ended, ROWS);
	size_t n = ROWS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = extension_ended(desk_act(rq), ENDED_S, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].number = list[i].number;
		rows[i].href = arena_printf(&rq->arena, "/caso/%s", list[i].application);
		rows[i].province = list[i].province;
		rows[i].due = list[i].due_at;
		rows[i].revoked = list[i].revoked_at;
	}
	v->ended = rows;
	v->nended = n;
	return 0;
}

static int
waits(struct request *rq)
{
	struct view_desk_waits v = { .national = (rq->session.roles & ROLE_NATIONAL) != 0 };
	int rv;

	if ((rv = fill_waits(rq, &v)) != 0 || (rv = fill_ended(rq, &v)) != 0)
		return rv;
	return page_send(rq, 200, desk_waits, &v);
}

static int
extend_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_extend v = { 0 };
	struct deadline_clock clock = { .due_at = 0 };
	struct extension *e = arena_new(&rq->arena, struct extension);
	struct view_desk_extend_asked *asked = arena_new(&rq->arena, struct view_desk_extend_asked);
	int rv;

	if (e == NULL || asked == NULL)
		return ICERT_E_MEMORY;
	rv = deadline_clock(desk_act(rq), a->id, &clock);
	if (rv != 0 && rv != ICERT_E_NOT_FOUND)
		return rv;
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.due = clock.due_at;
	v.stopped = clock.stopped_at;
	v.reasons = desk_options(rq, extension_reasons, "desk.extension.", request_form(rq, "reason"), &v.nreasons);
	v.reason = page_field(rq, "reason", NULL);
	v.code = page_field(rq, "code", NULL);
	v.code.value = NULL;
	rv = extension_of(desk_act(rq), a->id, e);
	if (rv != 0 && rv != ICERT_E_NOT_FOUND)
		return rv;
	if (rv == 0) {
		asked->reason = e->reason;
		asked->hours = e->hours;
		asked->by = e->q.requested_name;
		asked->at = e->q.requested_at;
		asked->mine = strcmp(e->q.requested_by, rq->session.person) == 0;
		asked->done = e->moved_to != 0;
		asked->decided = e->q.decided_name;
		asked->decided_at = e->q.decided_at;
		v.asked = asked;
	}
	return page_send(rq, status, desk_extend, &v);
}

static int
extend_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : extend_page(rq, 200, a);
}

/* What the person sees of a refusal; the rest is the framework's. */
static int
extend_wrong(struct request *rq, const struct application *a, int rv)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_DENIED, 403, NULL, "desk.extension.same" },
		{ ICERT_E_OWN_CASE, 403, NULL, "desk.extension.own" },
		{ ICERT_E_EXISTS, 409, NULL, "desk.extension.exists" },
		{ ICERT_E_STATE, 409, NULL, "desk.extension.state" },
		{ ICERT_E_CONFLICT, 409, NULL, "desk.extension.gone" },
		{ ICERT_E_NOT_FOUND, 409, NULL, "desk.extension.gone" },
		{ 0 }
	};
	int status = desk_code_error(rq, rv) ? 422 : desk_refused(rq, refusals, rv);

	return status != 0 ? extend_page(rq, status, a) : rv;
}

static int
extend_ask(struct request *rq)
{
	const char *reason = request_form(rq, "reason");
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (reason == NULL || reason[0] == '\0') {
		page_field_error(rq, "reason", "desk.extension.reason_missing");
		return extend_page(rq, 422, a);
	}
	if ((rv = extension_request(desk_act(rq), a->id, reason)) != 0)
		return extend_wrong(rq, a, rv);
	return response_redirect(rq, "/caso/%s/prorroga?aviso=desk-extension-asked", a->id);
}

static int
extend_confirm(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if ((rv = extension_confirm(desk_act(rq), a->id, desk_code(rq))) != 0)
		return extend_wrong(rq, a, rv);
	return response_redirect(rq, "/caso/%s/prorroga?aviso=desk-extension-done", a->id);
}

static int
extend_withdraw(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if ((rv = extension_withdraw(desk_act(rq), a->id)) != 0)
		return extend_wrong(rq, a, rv);
	return response_redirect(rq, "/caso/%s/prorroga?aviso=desk-extension-withdrawn", a->id);
}

const struct route desk_extend_routes[] = {
	{ METHOD_GET, "/plazos/contratos", ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_ALL, 0, waits },
	{ METHOD_GET, "/caso/{id}/prorroga", ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_CASE, 0, extend_show },
	{ METHOD_POST, "/caso/{id}/prorroga", ROLE_NATIONAL, PROVINCE_CASE, ROUTE_PARK, extend_ask },
	{ METHOD_POST, "/caso/{id}/prorroga/confirmar", ROLE_NATIONAL, PROVINCE_CASE, 0, extend_confirm },
	{ METHOD_POST, "/caso/{id}/prorroga/retirar", ROLE_NATIONAL, PROVINCE_CASE, 0, extend_withdraw },
	{ 0 }
};
