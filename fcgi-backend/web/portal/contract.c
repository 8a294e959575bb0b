#include "libicert/error.h"
#include "procedure/contract.h"
#include "web/portal/portal.h"

/* The contract: its file for the applicant, and the page of its QR code for anybody. */

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
	{ METHOD_GET, "/firmar-contrato", ROLE_PUBLIC, PROVINCE_NONE, 0, how_to_sign },
	{ METHOD_GET, "/contrato/{number}", ROLE_PUBLIC, PROVINCE_NONE, 0, verify },
	{ 0 }
};
