#include <string.h>
#include <time.h>

#include "libicert/error.h"
#include "procedure/contract/contract_copy.h"
#include "procedure/certificate/renewal.h"
#include "web/portal/portal.h"
#include "web/upload.h"

/* The request of a renewal: its file, and what comes back signed with the certificate that is renewed. */

#define VERDICT_MS	3000
#define VERDICT_STEP_MS	100

/* The case's request, when there is one to sign; else the case's page. */
static int
of_case(struct request *rq, struct application **a, struct renewal *w)
{
	int rv = portal_case(rq, a);

	if (rv != 0)
		return rv;
	rv = renewal_of(portal_act(rq), (*a)->id, w);
	if (rv == ICERT_E_NOT_FOUND || (rv == 0 && w->document[0] == '\0'))
		return response_redirect(rq, "/tramite/%s", (*a)->id) == 0 ? 1 : ICERT_E_INVALID;
	return rv;
}

/* The faults of a contract in the words of a request; what is rare has one sentence. */
static const char *
fault_text(struct request *rq, const struct renewal *w)
{
	const char *text;

	if (w->fault[0] == '\0' || page_error_of(rq, "file") != NULL)
		return NULL;
	text = catalogue(arena_printf(&rq->arena, "renewal_fault.%s", w->fault));
	return text != NULL ? text : catalogue("renewal_fault.other");
}

static int
renewal_page(struct request *rq, int status, const struct application *a, const struct renewal *w)
{
	struct view_portal_renewal v = { 0 };

	v.id = a->id;
	v.back = arena_printf(&rq->arena, "/tramite/%s", a->id);
	v.number = a->number;
	v.open = a->state == APPLICATION_ACCEPTED && strcmp(w->state, "made") == 0;
	v.waiting = strcmp(w->state, "received") == 0;
	v.done = strcmp(w->state, "signed") == 0;
	v.fault = fault_text(rq, w);
	v.limit = (int64_t)contract_bytes_max(portal_act(rq));
	v.error = page_error_of(rq, "file");
	return page_send(rq, status, portal_renewal, &v);
}

static int
renewal_show(struct request *rq)
{
	struct application *a;
	struct renewal w;
	int rv = of_case(rq, &a, &w);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	/* A refusal of the edge that names no field belongs to the only one. */
	if (rq->refusal != NULL && page_error_of(rq, "file") == NULL) {
		rq->nerrors = 0;
		page_field_error(rq, "file", page_refusal_code(rq));
	}
	return renewal_page(rq, 200, a, &w);
}

static int
download(struct request *rq)
{
	struct buf file = BUF_INIT;
	struct application *a;
	struct renewal w;
	int rv = of_case(rq, &a, &w);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	if ((rv = renewal_file(portal_act(rq), &portal_of(rq)->files, &w, &file)) == 0)
		rv = response_file(rq, "application/pdf", arena_printf(&rq->arena, "renovacion-%s.pdf", a->number), file.p,
		    file.len);
	buf_free(&file);
	return rv;
}

/* The word on the file comes in a moment; when it does not, the page that follows says so. */
static const char *
verdict(struct request *rq, const char *application)
{
	const struct timespec step = { .tv_nsec = VERDICT_STEP_MS * 1000000L };
	struct renewal w;

	for (int waited = 0; waited < VERDICT_MS; waited += VERDICT_STEP_MS) {
		if (renewal_of(portal_act(rq), application, &w) != 0)
			break;
		if (strcmp(w.state, "received") != 0)
			return strcmp(w.state, "signed") == 0 ? "?aviso=renewal-signed" : "";
		nanosleep(&step, NULL);
	}
	return "?aviso=renewal-received";
}

static int
renewal_save(struct request *rq)
{
	const struct upload *u = request_upload(rq, "file");
	const char *reason = "upload.missing";
	struct buf bytes = BUF_INIT;
	struct application *a;
	struct renewal w;
	int rv = of_case(rq, &a, &w);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	rv = u == NULL ? ICERT_E_INVALID :
	    upload_pdf(&portal_of(rq)->files, u, contract_bytes_max(portal_act(rq)), &bytes, &reason);
	if (rv == ICERT_E_INVALID) {
		buf_free(&bytes);
		page_field_error(rq, "file", reason);
		return renewal_page(rq, strcmp(reason, "upload.too_large") == 0 ? 413 : 422, a, &w);
	}
	if (rv == 0)
		rv = renewal_receive(portal_act(rq), &portal_of(rq)->files, a->id, bytes.p, bytes.len);
	buf_free(&bytes);
	/* Sent twice, or not asked any more: the page says how it stands. */
	if (rv == ICERT_E_STATE || rv == ICERT_E_CONFLICT)
		return response_redirect(rq, "/tramite/%s/renovacion", a->id);
	return rv != 0 ? rv : response_redirect(rq, "/tramite/%s/renovacion%s", a->id, verdict(rq, a->id));
}

const struct route portal_renewal_routes[] = {
	{ METHOD_GET, "/tramite/{id}/renovacion", ROLE_CONTACT, PROVINCE_OWN, 0, renewal_show },
	{ METHOD_POST, "/tramite/{id}/renovacion", ROLE_CONTACT, PROVINCE_OWN, ROUTE_UPLOAD, renewal_save },
	{ METHOD_GET, "/tramite/{id}/renovacion.pdf", ROLE_CONTACT, PROVINCE_OWN, 0, download },
	{ 0 }
};
