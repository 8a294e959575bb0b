#include <string.h>
#include <time.h>

#include "libicert/error.h"
#include "procedure/contract/contract.h"
#include "procedure/contract/contract_copy.h"
#include "procedure/clock/deadline.h"
#include "web/portal/portal.h"
#include "web/upload.h"

/* The contract: its file for the applicant, what comes back, and the page of its QR code for anybody. */

#define VERDICT_MS	3000	/* of the clerk, waited for by the page that takes the file */
#define VERDICT_STEP_MS	50

static int
download(struct request *rq)
{
	struct contract *c = arena_new(&rq->arena, struct contract);
	struct buf file = BUF_INIT;
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (c == NULL)
		return ICERT_E_MEMORY;
	if ((rv = contract_of(portal_act(rq), a->id, c)) == 0)
		rv = contract_file(portal_act(rq), &portal_of(rq)->files, c, &file);
	if (rv == 0)
		rv = response_file(rq, "application/pdf", arena_printf(&rq->arena, "contrato-%s.pdf", c->number), file.p,
		    file.len);
	buf_free(&file);
	return rv;
}

/* The copy that stands: with both signatures, or with the applicant's. */
static int
download_signed(struct request *rq)
{
	struct contract_copy *list = arena_array(&rq->arena, struct contract_copy, CONTRACT_COPIES), *found = NULL;
	struct buf file = BUF_INIT;
	struct application *a;
	size_t n = CONTRACT_COPIES;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = contract_copies(portal_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].state, "valid") == 0 && (found == NULL || strcmp(list[i].source, "director") == 0))
			found = &list[i];
	rv = found != NULL ? contract_copy_file(portal_act(rq), &portal_of(rq)->files, found, &file) : ICERT_E_NOT_FOUND;
	if (rv == 0)
		rv = response_file(rq, "application/pdf", arena_printf(&rq->arena, "contrato-%s-firmado.pdf", a->number), file.p,
		    file.len);
	buf_free(&file);
	return rv;
}

static int
fill_copies(struct request *rq, const struct application *a, struct view_portal_contract_upload *v)
{
	struct contract_copy *list = arena_array(&rq->arena, struct contract_copy, CONTRACT_COPIES);
	struct view_portal_contract_upload_copies *rows =
	    arena_array(&rq->arena, struct view_portal_contract_upload_copies, CONTRACT_COPIES);
	size_t n = CONTRACT_COPIES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = contract_copies(portal_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		struct view_portal_contract_upload_copies *r = &rows[v->ncopies];

		if (strcmp(list[i].source, "director") == 0)
			continue;
		r->at = list[i].arrived_at;
		r->source = list[i].source;
		r->state = list[i].state;
		r->fault = list[i].fault;
		r->words = list[i].words;
		v->ncopies++;
	}
	v->copies = rows;
	/* What was found in the newest one is said above all else. */
	if (v->open && v->ncopies > 0 && v->error == NULL) {
		v->last_fault = rows[0].fault;
		v->last_words = rows[0].words;
	}
	return 0;
}

static int
return_page(struct request *rq, int status, const struct application *a)
{
	struct view_portal_contract_upload v = { 0 };
	struct deadline_clock clock;
	int rv;

	v.id = a->id;
	v.back = arena_printf(&rq->arena, "/tramite/%s", a->id);
	v.number = a->number;
	v.open = a->state == APPLICATION_CONTRACT_SENT;
	v.waiting = a->state == APPLICATION_CONTRACT_RECEIVED;
	v.signed_by_holder = a->state == APPLICATION_CONTRACT_SIGNED || a->state == APPLICATION_COUNTERSIGNED ||
	    a->state == APPLICATION_ACTIVE;
	v.complete = a->state == APPLICATION_ACTIVE;
	v.limit = (int64_t)contract_bytes_max(portal_act(rq));
	v.error = page_error_of(rq, "file");
	if (v.open && deadline_clock(portal_act(rq), a->id, &clock) == 0) {
		v.stands = clock.stopped_at != 0;
		v.due = v.stands ? 0 : clock.due_at;
	}
	if ((rv = fill_copies(rq, a, &v)) != 0)
		return rv;
	return page_send(rq, status, portal_contract_upload, &v);
}

static int
return_show(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (a->state != APPLICATION_CLOSED_REVOKED && (a->state < APPLICATION_CONTRACT_SENT || a->state > APPLICATION_ACTIVE))
		return response_redirect(rq, "/tramite/%s", a->id);
	/* A refusal of the edge that names no field belongs to the only one. */
	if (rq->refusal != NULL && page_error_of(rq, "file") == NULL) {
		rq->nerrors = 0;
		page_field_error(rq, "file", page_refusal_code(rq));
	}
	return return_page(rq, 200, a);
}

/* The word on the file comes in a moment; when it does not, the page that follows says so. */
static const char *
verdict(struct request *rq, const char *application)
{
	const struct timespec step = { .tv_nsec = VERDICT_STEP_MS * 1000000L };
	struct contract_copy *newest = arena_new(&rq->arena, struct contract_copy);
	size_t n;

	for (int waited = 0; newest != NULL && waited < VERDICT_MS; waited += VERDICT_STEP_MS) {
		n = 1;
		if (contract_copies(portal_act(rq), application, newest, &n) != 0 || n == 0)
			break;
		if (strcmp(newest->state, "waiting") != 0)
			return strcmp(newest->state, "valid") == 0 ? "?aviso=contract-signed" : "";
		nanosleep(&step, NULL);
	}
	return "?aviso=contract-received";
}

static int
return_save(struct request *rq)
{
	const struct upload *u = request_upload(rq, "file");
	struct buf bytes = BUF_INIT;
	const char *reason = "upload.missing";
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	rv = u == NULL ? ICERT_E_INVALID :
	    upload_pdf(&portal_of(rq)->files, u, contract_bytes_max(portal_act(rq)), &bytes, &reason);
	if (rv == 0 && (rv = contract_receive(portal_act(rq), &portal_of(rq)->files, a->id, bytes.p, bytes.len, 0)) == ICERT_E_INVALID)
		rv = ICERT_E_STATE;
	buf_free(&bytes);
	if (rv == ICERT_E_INVALID) {
		page_field_error(rq, "file", reason);
		return return_page(rq, strcmp(reason, "upload.too_large") == 0 ? 413 : 422, a);
	}
	/* Sent twice, or ended meanwhile: the page says how it stands. */
	if (rv == ICERT_E_STATE || rv == ICERT_E_CONFLICT || rv == ICERT_E_EXISTS)
		return response_redirect(rq, "/tramite/%s/contrato", a->id);
	return rv != 0 ? rv : response_redirect(rq, "/tramite/%s/contrato%s", a->id, verdict(rq, a->id));
}

static int
how_to_sign(struct request *rq)
{
	struct view_portal_sign v = { .signed_in = rq->session.state == SESSION_LIVE };

	return page_send(rq, 200, portal_sign, &v);
}

/* Says that it exists, of when it is and whether the certificate holds: nothing of the person. */
static int
verify(struct request *rq)
{
	struct contract_public *c = arena_new(&rq->arena, struct contract_public);
	struct view_portal_contract v = { 0 };
	int rv;

	if (c == NULL)
		return ICERT_E_MEMORY;
	rv = contract_look(portal_act(rq), rq->id[0], c);
	if (rv != 0 && rv != ICERT_E_NOT_FOUND)
		return rv;
	v.found = rv == 0;
	v.number = c->number;
	v.made_at = c->made_at;
	v.state = c->certificate;
	v.not_after = c->not_after;
	v.revoked_at = c->revoked_at;
	v.sha256 = c->sha256;
	return page_send(rq, v.found ? 200 : 404, portal_contract, &v);
}

const struct route portal_contract_routes[] = {
	{ METHOD_GET, "/tramite/{id}/contrato.pdf", ROLE_CONTACT, PROVINCE_OWN, 0, download },
	{ METHOD_GET, "/tramite/{id}/contrato-firmado.pdf", ROLE_CONTACT, PROVINCE_OWN, 0, download_signed },
	{ METHOD_GET, "/tramite/{id}/contrato", ROLE_CONTACT, PROVINCE_OWN, 0, return_show },
	{ METHOD_POST, "/tramite/{id}/contrato", ROLE_CONTACT, PROVINCE_OWN, ROUTE_UPLOAD, return_save },
	{ METHOD_GET, "/firmar-contrato", ROLE_PUBLIC, PROVINCE_NONE, 0, how_to_sign },
	{ METHOD_GET, "/contrato/{number}", ROLE_PUBLIC, PROVINCE_NONE, 0, verify },
	{ 0 }
};
