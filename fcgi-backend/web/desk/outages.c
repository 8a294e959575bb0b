#include <string.h>

#include "libicert/error.h"
#include "procedure/clock/outage.h"
#include "web/desk/desk.h"

/* Outages: what was noticed, what somebody enters, and what another confirms. */

#define ROWS 100

static int
outages_page(struct request *rq, int status)
{
	struct view_desk_outages v = { 0 };
	struct outage *list = arena_array(&rq->arena, struct outage, ROWS);
	struct view_desk_outages_rows *rows = arena_array(&rq->arena, struct view_desk_outages_rows, ROWS);
	size_t n = ROWS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = outage_list(desk_act(rq), list, &n)) != 0)
		return rv;
	v.national = (rq->session.roles & ROLE_NATIONAL) != 0;
	for (size_t i = 0; i < n; i++) {
		rows[i].id = list[i].q.id;
		rows[i].part = list[i].part;
		rows[i].from = list[i].from_at;
		rows[i].to = list[i].to_at;
		rows[i].state = list[i].q.state;
		rows[i].open = v.national && strcmp(list[i].q.state, "open") == 0;
		rows[i].may = rows[i].open && list[i].q.other;
		rows[i].by = list[i].q.requested_name[0] != '\0' ? list[i].q.requested_name : NULL;
		rows[i].decided = list[i].q.decided_name[0] != '\0' ? list[i].q.decided_name : NULL;
		rows[i].added = list[i].applied_at;
	}
	v.rows = rows;
	v.nrows = n;
	v.part = page_field(rq, "part", NULL);
	v.parts = desk_options(rq, outage_parts, "desk.outage.", v.part.value, &v.nparts);
	v.from_day = page_field(rq, "from_day", NULL);
	v.from_hour = page_field(rq, "from_hour", NULL);
	v.to_day = page_field(rq, "to_day", NULL);
	v.to_hour = page_field(rq, "to_hour", NULL);
	v.code = page_field(rq, "code", NULL);
	return page_send(rq, status, desk_outages, &v);
}

static int
outages_show(struct request *rq)
{
	return outages_page(rq, 200);
}

static int
outages_ask(struct request *rq)
{
	const char *part = request_form(rq, "part");
	int64_t from = desk_moment(request_form(rq, "from_day"), request_form(rq, "from_hour"));
	int64_t to = desk_moment(request_form(rq, "to_day"), request_form(rq, "to_hour"));
	int rv;

	if (part == NULL || part[0] == '\0')
		page_field_error(rq, "part", "desk.outage.part_missing");
	if (from < 0)
		page_field_error(rq, "from_hour", "desk.outage.moment");
	if (to < 0)
		page_field_error(rq, "to_hour", "desk.outage.moment");
	if (page_has_errors(rq))
		return outages_page(rq, 422);
	rv = outage_request(desk_act(rq), part, from, to);
	if (rv == ICERT_E_INVALID) {
		page_field_error(rq, "to_hour", "desk.outage.range");
		return outages_page(rq, 422);
	}
	return rv != 0 ? rv : response_redirect(rq, "/plazos/interrupciones?aviso=desk-outage-asked");
}

static int
outages_wrong(struct request *rq, int rv)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_DENIED, 403, NULL, "desk.outage.same" },
		{ ICERT_E_NOT_FOUND, 409, NULL, "desk.outage.gone" },
		{ ICERT_E_CONFLICT, 409, NULL, "desk.outage.gone" },
		{ 0 }
	};
	int status = desk_code_error(rq, rv) ? 422 : desk_refused(rq, refusals, rv);

	return status != 0 ? outages_page(rq, status) : rv;
}

static int
outages_confirm(struct request *rq)
{
	int rv = outage_confirm(desk_act(rq), rq->id[0], desk_code(rq));

	return rv != 0 ? outages_wrong(rq, rv) : response_redirect(rq, "/plazos/interrupciones?aviso=desk-outage-done");
}

static int
outages_withdraw(struct request *rq)
{
	int rv = outage_withdraw(desk_act(rq), rq->id[0]);

	return rv != 0 ? outages_wrong(rq, rv) : response_redirect(rq, "/plazos/interrupciones?aviso=desk-outage-withdrawn");
}

const struct route desk_outages_routes[] = {
	{ METHOD_GET, "/plazos/interrupciones", ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_ALL, 0, outages_show },
	{ METHOD_POST, "/plazos/interrupciones", ROLE_NATIONAL, PROVINCE_ALL, ROUTE_PARK | ROUTE_ONCE, outages_ask },
	{ METHOD_POST, "/plazos/interrupciones/{id}/confirmar", ROLE_NATIONAL, PROVINCE_ALL, 0, outages_confirm },
	{ METHOD_POST, "/plazos/interrupciones/{id}/retirar", ROLE_NATIONAL, PROVINCE_ALL, 0, outages_withdraw },
	{ 0 }
};
