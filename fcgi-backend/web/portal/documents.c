#include <string.h>

#include "libicert/error.h"
#include "procedure/application/anew.h"
#include "procedure/application/document.h"
#include "web/portal/portal.h"
#include "web/upload.h"

/* The three documents of the application, and the second cédula. */

#define DOCUMENTS_MAX 16

static const char *const asked[] = { DOCUMENT_CEDULA, DOCUMENT_VOTING, DOCUMENT_UTILITY };
#define ASKED (sizeof(asked) / sizeof(asked[0]))

static int
list_of(struct request *rq, const struct application *a, struct document **list, size_t *n)
{
	*n = DOCUMENTS_MAX;
	if ((*list = arena_array(&rq->arena, struct document, *n)) == NULL)
		return ICERT_E_MEMORY;
	return document_list(portal_act(rq), a->id, *list, n);
}

static const struct document *
of_kind(const struct document *list, size_t n, const char *kind)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].kind, kind) == 0)
			return &list[i];
	return NULL;
}

static int
list_show(struct request *rq)
{
	struct view_portal_documents v = { 0 };
	struct view_portal_documents_tasks *tasks = arena_array(&rq->arena, struct view_portal_documents_tasks, ASKED);
	struct document *list;
	struct application *a;
	size_t n;
	int rv = portal_case(rq, &a);

	if (rv == 0)
		rv = list_of(rq, a, &list, &n);
	if (rv != 0)
		return rv;
	if (tasks == NULL)
		return ICERT_E_MEMORY;
	if (a->state != APPLICATION_DRAFT)
		return response_redirect(rq, "/tramite/%s", a->id);
	v.id = a->id;
	v.back = arena_printf(&rq->arena, "/solicitud/%s/privacidad", a->id);
	v.ready = true;
	for (size_t i = 0; i < ASKED; i++) {
		const struct document *d = of_kind(list, n, asked[i]);

		tasks[i].kind = asked[i];
		tasks[i].done = d != NULL;
		tasks[i].size_kb = d != NULL ? (d->size + 1023) / 1024 : 0;
		tasks[i].href = arena_printf(&rq->arena, "/tramite/%s/documento/%s", a->id, asked[i]);
		v.ready = v.ready && d != NULL;
	}
	v.tasks = tasks;
	v.ntasks = ASKED;
	return page_send(rq, 200, portal_documents, &v);
}

/* The page's kind, or NULL: the face is the operator's. */
static const char *
kind_of(const struct request *rq)
{
	for (size_t i = 0; i < ASKED; i++)
		if (strcmp(asked[i], rq->id[1]) == 0)
			return asked[i];
	return strcmp(rq->id[1], DOCUMENT_SECOND_CEDULA) == 0 ? DOCUMENT_SECOND_CEDULA : NULL;
}

static const char *
back_of(struct request *rq, const struct application *a)
{
	return arena_printf(&rq->arena, a->state == APPLICATION_DRAFT ? "/solicitud/%s/documentos" : "/tramite/%s",
	    a->id);
}

/* One passport serves as identification and as what justifies not voting. */
static bool
may_share(const struct application *a, const char *kind, const struct document *list, size_t n)
{
	return strcmp(kind, DOCUMENT_VOTING) == 0 && a->state == APPLICATION_DRAFT &&
	    strcmp(a->form.id_kind, "passport") == 0 && strcmp(a->form.voting_paper, "passport") == 0 &&
	    of_kind(list, n, DOCUMENT_CEDULA) != NULL;
}

static int
upload_page(struct request *rq, int status, const char *kind, struct application *a)
{
	struct view_portal_upload v = { 0 };
	const struct document *d;
	struct document *list, *old;
	size_t n;
	int rv = list_of(rq, a, &list, &n);

	if (rv != 0)
		return rv;
	d = of_kind(list, n, kind);
	v.id = a->id;
	v.kind = kind;
	v.back = back_of(rq, a);
	v.asked = portal_asked(rq, a, arena_printf(&rq->arena, "document.%s", kind));
	v.error = page_error_of(rq, "file");
	v.current = d != NULL ? arena_printf(&rq->arena, "%lld KB", (long long)(d->size + 1023) / 1024) : NULL;
	v.may_share = may_share(a, kind, list, n);
	if (d == NULL && (old = arena_new(&rq->arena, struct document)) != NULL &&
	    anew_document(portal_act(rq), a->id, kind, old) == 0)
		v.earlier = old->at;
	return page_send(rq, status, portal_upload, &v);
}

static int
upload_show(struct request *rq)
{
	const char *kind = kind_of(rq);
	struct application *a;
	int rv = kind != NULL ? portal_case(rq, &a) : ICERT_E_NOT_FOUND;

	if (rv != 0)
		return rv;
	/* A refusal of the edge that names no field belongs to the only one. */
	if (rq->refusal != NULL && page_error_of(rq, "file") == NULL) {
		rq->nerrors = 0;
		page_field_error(rq, "file", page_refusal_code(rq));
	}
	return upload_page(rq, 200, kind, a);
}

/* Parsed, encrypted and stored; the row is added after, so a crash leaves a file without one. */
static int
store(struct request *rq, const struct application *a, const struct upload *u, struct accepted *got)
{
	struct portal *p = portal_of(rq);
	uint64_t limit = (uint64_t)config_int(p->config, "limits", "document_bytes", 2097152, 1, 64 << 20);

	return upload_store(portal_act(rq), &p->files, &p->checker, a->key, u, CHECK_DOCUMENT, limit, got);
}

static int
add_row(struct request *rq, const struct application *a, const char *kind, const struct accepted *got)
{
	struct document *d = upload_row(rq, a, kind, got);
	int rv = d != NULL ? document_add(portal_act(rq), d) : ICERT_E_MEMORY;

	if (rv != 0)
		upload_undo(&portal_of(rq)->files, got, rv);
	return rv;
}

static int
upload_save(struct request *rq)
{
	const struct upload *u = request_upload(rq, "file");
	const char *kind = kind_of(rq);
	struct accepted got;
	struct application *a;
	int rv = kind != NULL ? portal_case(rq, &a) : ICERT_E_NOT_FOUND;

	if (rv != 0)
		return rv;
	if (u == NULL) {
		page_field_error(rq, "file", "upload.missing");
		return upload_page(rq, 422, kind, a);
	}
	rv = store(rq, a, u, &got);
	if (rv == ICERT_E_INVALID && got.reason != NULL) {
		page_field_error(rq, "file", got.reason);
		return upload_page(rq, strcmp(got.reason, "upload.too_large") == 0 ? 413 : 422, kind, a);
	}
	if (rv == 0)
		rv = add_row(rq, a, kind, &got);
	if (rv == ICERT_E_DENIED || rv == ICERT_E_STATE)
		return response_redirect(rq, "/tramite/%s", a->id);
	if (rv != 0)
		return rv;
	return response_redirect(rq, "%s?aviso=uploaded", back_of(rq, a));
}

static int
share(struct request *rq)
{
	const struct document *d;
	struct document *list;
	struct application *a;
	char id[ID_TEXT];
	size_t n;
	int rv = portal_case(rq, &a);

	if (rv == 0)
		rv = list_of(rq, a, &list, &n);
	if (rv != 0)
		return rv;
	if (!may_share(a, DOCUMENT_VOTING, list, n))
		return ICERT_E_STATE;
	d = of_kind(list, n, DOCUMENT_CEDULA);
	if ((rv = document_same(portal_act(rq), d->id, DOCUMENT_VOTING, id)) != 0)
		return rv;
	return response_redirect(rq, "/solicitud/%s/documentos?aviso=uploaded", a->id);
}

/* The paper of the earlier case, which the person has just been asked about. */
static int
take_earlier(struct request *rq)
{
	const char *kind = kind_of(rq);
	struct application *a;
	int rv = kind != NULL ? portal_case(rq, &a) : ICERT_E_NOT_FOUND;

	if (rv != 0)
		return rv;
	rv = anew_document_take(portal_act(rq), &portal_of(rq)->files, a->id, kind);
	if (rv == ICERT_E_NOT_FOUND || rv == ICERT_E_DESTROYED) {
		page_field_error(rq, "file", "upload.earlier_gone");
		return upload_page(rq, 409, kind, a);
	}
	return rv != 0 ? rv : response_redirect(rq, "/solicitud/%s/documentos?aviso=uploaded", a->id);
}

const struct route portal_document_routes[] = {
	{ METHOD_GET, "/solicitud/{id}/documentos", ROLE_CONTACT, PROVINCE_OWN, 0, list_show },
	{ METHOD_GET, "/tramite/{id}/documento/{kind}", ROLE_CONTACT, PROVINCE_OWN, 0, upload_show },
	{ METHOD_POST, "/tramite/{id}/documento/{kind}", ROLE_CONTACT, PROVINCE_OWN, ROUTE_UPLOAD, upload_save },
	{ METHOD_POST, "/tramite/{id}/documento/{kind}/anterior", ROLE_CONTACT, PROVINCE_OWN, 0, take_earlier },
	{ METHOD_POST, "/tramite/{id}/mismo-pasaporte", ROLE_CONTACT, PROVINCE_OWN, 0, share },
	{ 0 }
};
