#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/document.h"
#include "procedure/policy.h"
#include "web/desk/desk.h"
#include "web/upload.h"

/* The operator's own files: the second cédula that came by mail, the capture of the face. */

#define BACKGROUND_MEAN		160	/* of 255: at least so light */
#define BACKGROUND_DEVIATION	45	/* at most so uneven */

static const char *
kind_of(const struct request *rq)
{
	if (strcmp(rq->id[1], DOCUMENT_SECOND_CEDULA) == 0)
		return DOCUMENT_SECOND_CEDULA;
	return strcmp(rq->id[1], DOCUMENT_FACE) == 0 ? DOCUMENT_FACE : NULL;
}

static int
upload_page(struct request *rq, int status, const char *kind, const struct application *a)
{
	struct view_desk_upload v = { 0 };

	v.id = a->id;
	v.back = desk_href(rq, a);
	v.kind = kind;
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.identification = a->form.id_number;
	v.envelope = a->envelope;
	v.face = strcmp(kind, DOCUMENT_FACE) == 0;
	v.limit = config_int(desk_of(rq)->config, "limits", v.face ? "photo_bytes" : "document_bytes",
	    v.face ? 5242880 : 2097152, 1, 64 << 20);
	v.error = page_error_of(rq, "file");
	v.override = page_field(rq, "override", NULL);
	return page_send(rq, status, desk_upload, &v);
}

static int
upload_show(struct request *rq)
{
	const char *kind = kind_of(rq);
	struct application *a;
	int rv = kind != NULL ? desk_case(rq, &a) : ICERT_E_NOT_FOUND;

	if (rv != 0)
		return rv;
	/* A refusal of the edge that names no field belongs to the only one. */
	desk_paper_refusal(rq);
	return upload_page(rq, 200, kind, a);
}

static int
store(struct request *rq, const struct application *a, const struct upload *u, bool face, struct accepted *got)
{
	struct desk *k = desk_of(rq);
	uint64_t limit = (uint64_t)config_int(k->config, "limits", face ? "photo_bytes" : "document_bytes",
	    face ? 5242880 : 2097152, 1, 64 << 20);

	return upload_store(desk_act(rq), &k->files, &k->checker, a->key, u, face ? CHECK_FACE : CHECK_DOCUMENT, limit, got);
}

/* What the checker measured, against the policy: light and even, or the operator says why not. */
static bool
background_good(struct request *rq, const struct accepted *got, struct document *d)
{
	const char *why = request_form(rq, "override");
	bool light = got->background_mean >= policy_int(desk_act(rq), "photo.background_mean", BACKGROUND_MEAN);
	bool even = got->background_deviation <=
	    policy_int(desk_act(rq), "photo.background_deviation", BACKGROUND_DEVIATION);

	d->background = light && even ? 1 : -1;
	if (d->background == 1)
		return true;
	why = why != NULL ? why + strspn(why, " \t\r\n") : "";
	if (*why == '\0') {
		page_field_error(rq, "file", light ? "desk.photo.uneven" : "desk.photo.dark");
		return false;
	}
	if (strlen(why) >= sizeof(d->override_reason)) {
		page_field_error(rq, "override", "field.too_long");
		return false;
	}
	snprintf(d->override_reason, sizeof(d->override_reason), "%s", why);
	return true;
}

static int
refused(struct request *rq, const char *kind, const struct application *a, const char *reason)
{
	if (page_error_of(rq, "file") == NULL)
		page_field_error(rq, "file", reason);
	return upload_page(rq, strcmp(reason, "upload.too_large") == 0 ? 413 : 422, kind, a);
}

static int
upload_save(struct request *rq)
{
	const struct upload *u = request_upload(rq, "file");
	const char *kind = kind_of(rq);
	struct accepted got = { 0 };
	struct application *a;
	struct document *d;
	bool face;
	int rv = kind != NULL ? desk_case(rq, &a) : ICERT_E_NOT_FOUND;

	if (rv != 0)
		return rv;
	if (u == NULL)
		return refused(rq, kind, a, "upload.missing");
	face = strcmp(kind, DOCUMENT_FACE) == 0;
	rv = store(rq, a, u, face, &got);
	if (rv == ICERT_E_INVALID && got.reason != NULL)
		return refused(rq, kind, a, got.reason);
	if (rv != 0)
		return rv;
	if ((d = upload_row(rq, a, kind, &got)) == NULL)
		rv = ICERT_E_MEMORY;
	else if (face && strcmp(got.type, "application/pdf") == 0) {
		document_drop(&desk_of(rq)->files, got.file);
		return refused(rq, kind, a, "upload.kind");
	} else if (face && !background_good(rq, &got, d)) {
		document_drop(&desk_of(rq)->files, got.file);
		return upload_page(rq, 422, kind, a);
	} else
		rv = document_add(desk_act(rq), d);
	if (rv != 0)
		upload_undo(&desk_of(rq)->files, &got, rv);
	if (rv == ICERT_E_INVALID && face)
		return refused(rq, kind, a, "upload.photo_size");
	if (rv == 0 && a->state == APPLICATION_SCHEDULED)
		return response_redirect(rq, "/caso/%s/identificacion?aviso=uploaded", a->id);
	return desk_done(rq, a->id, rv, "uploaded");
}

const struct route desk_upload_routes[] = {
	{ METHOD_GET, "/caso/{id}/documento/{kind}", DESK_WORKS, PROVINCE_CASE, 0, upload_show },
	{ METHOD_POST, "/caso/{id}/documento/{kind}", DESK_WORKS, PROVINCE_CASE, ROUTE_UPLOAD, upload_save },
	{ 0 }
};
