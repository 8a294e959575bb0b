#include <string.h>

#include "libicert/error.h"
#include "procedure/clock/breaker.h"
#include "web/desk/desk.h"

/* The national office's page of automatic deadlines: what stopped them, and what waits. */

#define BREAKERS	8
#define ROWS		200

static int
fill_breakers(struct request *rq, struct view_desk_clocks *v)
{
	struct breaker *list = arena_array(&rq->arena, struct breaker, BREAKERS);
	struct view_desk_clocks_breakers *rows = arena_array(&rq->arena, struct view_desk_clocks_breakers, BREAKERS);
	size_t n = BREAKERS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = breaker_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].id = list[i].id;
		rows[i].cause = list[i].cause;
		rows[i].amount = list[i].amount;
		rows[i].at = list[i].tripped_at;
		rows[i].first = list[i].first_by[0] != '\0' ? list[i].first_name : NULL;
		rows[i].first_at = list[i].first_at;
		rows[i].may = (rq->session.roles & ROLE_NATIONAL) && strcmp(list[i].first_by, rq->session.person) != 0;
	}
	v->breakers = rows;
	v->nbreakers = n;
	return 0;
}

static int
clocks_page(struct request *rq, int status)
{
	struct view_desk_clocks v = { 0 };
	struct breaker_waiting *list = arena_array(&rq->arena, struct breaker_waiting, ROWS);
	struct view_desk_clocks_rows *rows = arena_array(&rq->arena, struct view_desk_clocks_rows, ROWS);
	size_t n = ROWS;
	int64_t total;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = fill_breakers(rq, &v)) != 0 || (rv = breaker_waiting(desk_act(rq), list, &n, &total)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].number = list[i].number;
		rows[i].href = arena_printf(&rq->arena, "/caso/%s", list[i].application);
		rows[i].kind = list[i].kind;
		rows[i].province = list[i].province;
		rows[i].due = list[i].due_at;
	}
	v.national = (rq->session.roles & ROLE_NATIONAL) != 0;
	v.code = page_field(rq, "code", NULL);
	v.rows = rows;
	v.nrows = n;
	v.total = total;
	v.more = total > (int64_t)n;
	return page_send(rq, status, desk_clocks, &v);
}

static int
clocks_show(struct request *rq)
{
	return clocks_page(rq, 200);
}

static int
release(struct request *rq)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_DENIED, 403, NULL, "desk.clocks.same" },
		{ ICERT_E_NOT_FOUND, 409, NULL, "desk.clocks.gone" },
		{ 0 }
	};
	int status, released, rv = breaker_release(desk_act(rq), rq->id[0], desk_code(rq), &released);

	if (rv == 0)
		return response_redirect(rq, "/plazos?aviso=%s", released ? "desk-clocks-released" : "desk-clocks-first");
	status = desk_code_error(rq, rv) ? 422 : desk_refused(rq, refusals, rv);
	return status != 0 ? clocks_page(rq, status) : rv;
}

const struct route desk_clocks_routes[] = {
	{ METHOD_GET, "/plazos", ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_ALL, 0, clocks_show },
	{ METHOD_POST, "/plazos/{id}/liberar", ROLE_NATIONAL, PROVINCE_ALL, 0, release },
	{ 0 }
};
