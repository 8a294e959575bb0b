#include "libicert/error.h"
#include "procedure/contract/evidence.h"
#include "web/portal/portal.h"

/* What an applicant keeps: the evidence of their filed contract, and the receipt of the log for their case. */

static int
evidence(struct request *rq)
{
	struct buf file = BUF_INIT;
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv == 0)
		rv = evidence_read(portal_act(rq), &portal_of(rq)->files, a->id, &file);
	if (rv == 0)
		rv = response_file(rq, "application/zip", arena_printf(&rq->arena, "evidencia-%s.zip", a->number), file.p, file.len);
	buf_free(&file);
	return rv;
}

static int
receipt(struct request *rq)
{
	struct buf file = BUF_INIT;
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv == 0 && a->number[0] == '\0')
		rv = ICERT_E_NOT_FOUND;
	if (rv == 0)
		rv = evidence_receipt(portal_act(rq), a->id, a->number, &file);
	if (rv == 0)
		rv = response_file(rq, "application/json", arena_printf(&rq->arena, "constancia-%s.json", a->number), file.p, file.len);
	buf_free(&file);
	return rv;
}

const struct route portal_evidence_routes[] = {
	{ METHOD_GET, "/tramite/{id}/evidencia.zip", ROLE_CONTACT, PROVINCE_OWN, 0, evidence },
	{ METHOD_GET, "/tramite/{id}/constancia.json", ROLE_CONTACT, PROVINCE_OWN, 0, receipt },
	{ 0 }
};
