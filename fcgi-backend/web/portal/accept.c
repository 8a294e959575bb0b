#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/fields.h"
#include "procedure/certificate/token.h"
#include "web/caller.h"
#include "web/portal/portal.h"

/* The exact fields of the certificate, accepted by the applicant on their own page. */

static int
fields_page(struct request *rq, int status, struct application *a)
{
	struct view_portal_fields v = { 0 };
	struct fields *f = arena_new(&rq->arena, struct fields);
	struct view_portal_fields_rows *rows =
	    arena_array(&rq->arena, struct view_portal_fields_rows, CERT_FIELDS_COUNT);
	char *hash = arena_alloc(&rq->arena, 65);
	int rv;

	if (f == NULL || rows == NULL || hash == NULL)
		return ICERT_E_MEMORY;
	if ((rv = fields_make(portal_act(rq), a, f)) != 0)
		return rv;
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++) {
		const char *value = cert_fields_get(&f->f, i);

		if (*value == '\0')
			continue;
		rows[v.nrows].label = cert_fields_name(i);
		rows[v.nrows].value = value == f->f.spki_sha256_hex ? page_grouped(rq, value) : value;
		v.nrows++;
	}
	bytes_to_hex(hash, f->hash, sizeof(f->hash));
	v.id = a->id;
	v.version = a->version;
	v.hash = hash;
	v.rows = rows;
	v.understood = page_field(rq, "understood", NULL);
	v.token = strcmp(a->container, CONTAINER_TOKEN) == 0;
	v.waits = !fields_complete(a);
	/* The key is being made in the token while this is read. */
	if (v.waits)
		response_header(rq->response, "Refresh", arena_printf(&rq->arena, "6; url=/tramite/%s/aceptar?" CALLER_WAITING "=1", a->id));
	return page_send(rq, status, portal_fields, &v);
}

static bool
open_for_acceptance(const struct application *a)
{
	return a->state == APPLICATION_SCHEDULED || a->state == APPLICATION_IDENTIFIED;
}

static int
show(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (!open_for_acceptance(a))
		return response_redirect(rq, "/tramite/%s", a->id);
	return fields_page(rq, 200, a);
}

static int
accept(struct request *rq)
{
	const char *hash = request_form(rq, "hash");
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (!open_for_acceptance(a) || a->fields_accepted)
		return response_redirect(rq, "/tramite/%s", a->id);
	if (request_form(rq, "understood") == NULL) {
		page_field_error(rq, "understood", "fields.understood");
		return fields_page(rq, 422, a);
	}
	rv = fields_accept(portal_act(rq), a->id, request_version(rq), hash != NULL ? hash : "");
	if (rv == ICERT_E_MISSING)
		return response_redirect(rq, "/tramite/%s/aceptar", a->id);
	if (rv == ICERT_E_CONFLICT && portal_case(rq, &a) == 0 && a->fields_accepted)
		rv = 0;
	/* What is accepted is what the page showed: anything newer is shown first. */
	if (rv == ICERT_E_MISMATCH || rv == ICERT_E_CONFLICT) {
		page_field_error(rq, NULL, "fields.changed");
		return fields_page(rq, 409, a);
	}
	if (rv != 0)
		return rv;
	return response_redirect(rq, "/tramite/%s?aviso=accepted", a->id);
}

const struct route portal_accept_routes[] = {
	{ METHOD_GET, "/tramite/{id}/aceptar", ROLE_CONTACT, PROVINCE_OWN, 0, show },
	{ METHOD_POST, "/tramite/{id}/aceptar", ROLE_CONTACT, PROVINCE_OWN, 0, accept },
	{ 0 }
};
