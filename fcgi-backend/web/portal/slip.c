#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/order/slip.h"
#include "web/portal/portal.h"
#include "web/upload.h"

/* What a payer shows of a deposit or transfer. */

static int
order_of(struct request *rq, struct purchase **out)
{
	*out = arena_new(&rq->arena, struct purchase);
	return *out == NULL ? ICERT_E_MEMORY : purchase_get(portal_act(rq), rq->id[0], *out);
}

static int
slip_page(struct request *rq, int status, const struct purchase *p)
{
	struct slip *list = arena_array(&rq->arena, struct slip, SLIPS_MAX);
	struct view_portal_slip_rows *rows = arena_array(&rq->arena, struct view_portal_slip_rows, SLIPS_MAX);
	struct view_portal_slip v = { 0 };
	size_t n = SLIPS_MAX;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = slip_list(portal_act(rq), p->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].at = list[i].at;
		rows[i].kb = (list[i].size + 1023) / 1024;
	}
	v.rows = rows;
	v.nrows = n;
	v.id = p->id;
	v.back = arena_printf(&rq->arena, "/orden/%s", p->id);
	v.number = p->number;
	v.total = p->total;
	v.more = n < SLIPS_MAX && slip_wanted(p);
	v.error = page_error_of(rq, "file");
	return page_send(rq, status, portal_slip, &v);
}

static int
slip_show(struct request *rq)
{
	struct purchase *p;
	int rv = order_of(rq, &p);

	if (rv != 0)
		return rv;
	/* A refusal of the edge that names no field belongs to the only one. */
	if (rq->refusal != NULL && page_error_of(rq, "file") == NULL) {
		rq->nerrors = 0;
		page_field_error(rq, "file", page_refusal_code(rq));
	}
	return slip_page(rq, 200, p);
}

/* Parsed, encrypted and stored; the row is added after, so a crash leaves a file without one. */
static int
keep(struct request *rq, const struct purchase *p, const struct upload *u, const char **reason)
{
	struct portal *portal = portal_of(rq);
	uint64_t limit = (uint64_t)config_int(portal->config, "limits", "document_bytes", 2097152, 1, 64 << 20);
	struct slip *s = arena_new(&rq->arena, struct slip);
	struct accepted got;
	int rv;

	if (s == NULL)
		return ICERT_E_MEMORY;
	rv = upload_store(portal_act(rq), &portal->files, &portal->checker, p->key, u, CHECK_DOCUMENT, limit, &got);
	if (rv != 0) {
		*reason = rv == ICERT_E_INVALID ? got.reason : NULL;
		return rv;
	}
	memcpy(s->file, got.file, sizeof(s->file));
	snprintf(s->type, sizeof(s->type), "%s", got.type);
	s->size = (int64_t)got.size;
	memcpy(s->sha256, got.sha256, sizeof(s->sha256));
	memcpy(s->original_sha256, got.original_sha256, sizeof(s->original_sha256));
	if ((rv = slip_add(portal_act(rq), p, s)) != 0)
		upload_undo(&portal->files, &got, rv);
	*reason = rv == ICERT_E_CEILING ? "slip.many" : rv == ICERT_E_BUSY ? "slip.busy" : NULL;
	return rv;
}

static int
slip_save(struct request *rq)
{
	const struct upload *u = request_upload(rq, "file");
	const char *reason = "upload.missing";
	struct purchase *p;
	int rv = order_of(rq, &p);

	if (rv != 0)
		return rv;
	if (!slip_wanted(p))
		return response_redirect(rq, "/orden/%s", p->id);
	rv = u != NULL ? keep(rq, p, u, &reason) : ICERT_E_INVALID;
	/* Sent twice, it ends as the first time did. */
	if (rv == 0 || rv == ICERT_E_EXISTS || rv == ICERT_E_STATE)
		return response_redirect(rq, rv == ICERT_E_STATE ? "/orden/%s" : "/orden/%s?aviso=slip", p->id);
	if (reason == NULL)
		return rv;
	page_field_error(rq, "file", reason);
	return slip_page(rq, strcmp(reason, "upload.too_large") == 0 ? 413 : rv == ICERT_E_INVALID ? 422 : 409, p);
}

const struct route portal_slip_routes[] = {
	{ METHOD_GET, "/orden/{id}/comprobante", ROLE_CONTACT, PROVINCE_OWN, 0, slip_show },
	{ METHOD_POST, "/orden/{id}/comprobante", ROLE_CONTACT, PROVINCE_OWN, ROUTE_UPLOAD, slip_save },
	{ 0 }
};
