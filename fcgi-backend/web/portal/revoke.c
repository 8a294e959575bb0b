#include <string.h>

#include "libicert/error.h"
#include "procedure/certificate/certificate.h"
#include "web/portal/portal.h"

/* Revocation by the holder, at any hour: by session, or by the code of the envelope. */

static bool
known_reason(const char *reason)
{
	for (const char *const *r = certificate_holder_reasons; reason != NULL && *r != NULL; r++)
		if (strcmp(*r, reason) == 0)
			return true;
	return false;
}

static int
certificate_for(struct request *rq, struct application **a, struct certificate **c)
{
	int rv = portal_case(rq, a);

	if (rv != 0)
		return rv;
	*c = arena_new(&rq->arena, struct certificate);
	return *c == NULL ? ICERT_E_MEMORY : certificate_of(portal_act(rq), (*a)->id, *c);
}

static int
session_page(struct request *rq, int status, const struct application *a, const struct certificate *c)
{
	struct view_portal_revoke v = { 0 };

	v.id = a->id;
	v.serial = c->serial;
	v.reason = page_field(rq, "reason", NULL);
	v.sure = page_field(rq, "sure", NULL);
	return page_send(rq, status, portal_revoke, &v);
}

static int
session_show(struct request *rq)
{
	struct application *a;
	struct certificate *c;
	int rv = certificate_for(rq, &a, &c);

	if (rv != 0)
		return rv;
	if (strcmp(c->state, "good") != 0)
		return response_redirect(rq, "/tramite/%s", a->id);
	return session_page(rq, 200, a, c);
}

static int
session_revoke(struct request *rq)
{
	const char *reason = request_form(rq, "reason");
	struct application *a;
	struct certificate *c;
	int rv = certificate_for(rq, &a, &c);

	if (rv != 0)
		return rv;
	if (!known_reason(reason))
		page_field_error(rq, "reason", "revoke.reason");
	if (request_form(rq, "sure") == NULL)
		page_field_error(rq, "sure", "revoke.sure");
	if (page_has_errors(rq))
		return session_page(rq, 422, a, c);
	rv = certificate_revoke(portal_act(rq), c->id, reason);
	/* Sent twice at the same moment: the other one has done it, and a repeat is no error. */
	if (rv == ICERT_E_CONFLICT || rv == ICERT_E_STATE)
		rv = certificate_revoke(portal_act(rq), c->id, reason);
	if (rv != 0)
		return rv;
	return response_redirect(rq, "/tramite/%s?aviso=revoked", a->id);
}

static int
code_page(struct request *rq, int status)
{
	struct view_portal_revoke_code v = { 0 };

	v.code = page_field(rq, "code", NULL);
	v.reason = page_field(rq, "reason", NULL);
	return page_send(rq, status, portal_revoke_code, &v);
}

static int
code_show(struct request *rq)
{
	return code_page(rq, 200);
}

static int
code_revoke(struct request *rq)
{
	struct view_portal_revoked v = { 0 };
	const char *code = request_form(rq, "code");
	const char *reason = request_form(rq, "reason");
	char serial[33] = "";
	int rv;

	if (code == NULL || *code == '\0')
		page_field_error(rq, "code", "revoke.code.missing");
	if (!known_reason(reason))
		page_field_error(rq, "reason", "revoke.reason");
	if (page_has_errors(rq))
		return code_page(rq, 422);
	rv = certificate_revoke_by_code(portal_act(rq), code, reason, serial);
	if (rv == ICERT_E_CODE_WRONG || rv == ICERT_E_NOT_FOUND || rv == ICERT_E_INVALID) {
		page_field_error(rq, "code", "revoke.code.wrong");
		return code_page(rq, 422);
	}
	if (rv != 0)
		return rv;
	v.serial = serial;
	return page_send(rq, 200, portal_revoked, &v);
}

const struct route portal_revoke_routes[] = {
	{ METHOD_GET, "/revocar", ROLE_PUBLIC, PROVINCE_NONE, 0, code_show },
	{ METHOD_POST, "/revocar", ROLE_PUBLIC, PROVINCE_NONE, 0, code_revoke },
	{ METHOD_GET, "/tramite/{id}/revocar", ROLE_CONTACT, PROVINCE_OWN, 0, session_show },
	{ METHOD_POST, "/tramite/{id}/revocar", ROLE_CONTACT, PROVINCE_OWN, 0, session_revoke },
	{ 0 }
};
