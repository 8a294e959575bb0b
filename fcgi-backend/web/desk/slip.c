#include <string.h>

#include "libicert/error.h"
#include "procedure/order/slip.h"
#include "web/desk/desk.h"

/* What payers showed of their transfers, for who compares it with the statement. */

#define OPENS	(ROLE_FINANCE | ROLE_NATIONAL)

int
desk_slips(struct request *rq, const char *order, const struct view_slip **out, size_t *n)
{
	struct slip *list = arena_array(&rq->arena, struct slip, SLIPS_MAX);
	struct view_slip *rows = arena_array(&rq->arena, struct view_slip, SLIPS_MAX);
	int rv;

	*n = SLIPS_MAX;
	*out = rows;
	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if (!(rq->session.roles & OPENS)) {
		*n = 0;
		return 0;
	}
	if ((rv = slip_list(desk_act(rq), order, list, n)) != 0)
		return rv;
	for (size_t i = 0; i < *n; i++) {
		struct view_slip *one = &rows[i];

		one->href = arena_printf(&rq->arena, "/orden/%s/comprobante/%s", order, list[i].id);
		one->picture = strcmp(list[i].type, "application/pdf") != 0 ? arena_printf(&rq->arena, "%s/imagen", one->href) : NULL;
		one->kb = (list[i].size + 1023) / 1024;
		one->at = list[i].at;
	}
	return 0;
}

static int
send(struct request *rq, bool picture)
{
	struct slip *s = arena_new(&rq->arena, struct slip);
	struct buf out = BUF_INIT;
	const char *end;
	int rv = s == NULL ? ICERT_E_MEMORY :
	    slip_read(desk_act(rq), &desk_of(rq)->files, rq->id[0], rq->id[1], s, &out);

	if (rv == 0) {
		end = strcmp(s->type, "application/pdf") == 0 ? "pdf" : strcmp(s->type, "image/png") == 0 ? "png" : "jpg";
		if (!picture)
			rv = response_file(rq, s->type, arena_printf(&rq->arena, "comprobante-%.8s.%s", s->id, end), out.p, out.len);
		else
			rv = strcmp(end, "pdf") != 0 ? response_picture(rq, s->type, out.p, out.len) : ICERT_E_NOT_FOUND;
	}
	buf_free(&out);
	return rv;
}

static int
slip_download(struct request *rq)
{
	return send(rq, false);
}

static int
slip_picture(struct request *rq)
{
	return send(rq, true);
}

const struct route desk_slip_routes[] = {
	{ METHOD_GET, "/orden/{id}/comprobante/{id2}", OPENS, PROVINCE_ALL, 0, slip_download },
	{ METHOD_GET, "/orden/{id}/comprobante/{id2}/imagen", OPENS, PROVINCE_ALL, 0, slip_picture },
	{ 0 }
};
