#include "libicert/error.h"
#include "procedure/trouble.h"
#include "web/desk/desk.h"

/* What the system could not finish by itself, for those who look after it. */

#define TROUBLES	200

static int
troubles(struct request *rq)
{
	struct view_desk_troubles v = { 0 };
	struct trouble *list = arena_array(&rq->arena, struct trouble, TROUBLES);
	struct view_desk_troubles_rows *rows = arena_array(&rq->arena, struct view_desk_troubles_rows, TROUBLES);
	size_t n = TROUBLES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = trouble_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].part = list[i].part;
		rows[i].subject = list[i].subject;
		rows[i].detail = list[i].detail[0] != '\0' ? list[i].detail : NULL;
		rows[i].code = list[i].code;
		rows[i].tries = list[i].tries;
		rows[i].since = list[i].since;
		rows[i].next = list[i].next_at;
	}
	v.rows = rows;
	v.nrows = n;
	v.more = n == TROUBLES;
	return page_send(rq, 200, desk_troubles, &v);
}

const struct route desk_troubles_routes[] = {
	{ METHOD_GET, "/pendientes", ROLE_ADMIN | ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_ALL, 0, troubles },
	{ 0 }
};
