#include <string.h>

#include "libicert/error.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/envelope.h"
#include "procedure/certificate/token.h"
#include "procedure/clock/deadline.h"
#include "procedure/people/staff.h"
#include "web/portal/portal.h"
#include "web/token_file.h"

/* The PKCS#12 file and the credential envelope that holds its password; a token's certificate. */

#define CODE_DIGITS 8

static int
download(struct request *rq)
{
	struct certificate *c = arena_new(&rq->arena, struct certificate);
	struct buf file = BUF_INIT;
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (c == NULL)
		return ICERT_E_MEMORY;
	if ((rv = certificate_of(portal_act(rq), a->id, c)) == 0)
		rv = certificate_pkcs12(portal_act(rq), c->id, &file);
	if (rv == 0)
		rv = response_file(rq, "application/x-pkcs12",
		    arena_printf(&rq->arena, "certificado-%s.p12", a->number), file.p, file.len);
	buf_free(&file);
	return rv;
}

static int
download_cer(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	return rv != 0 ? rv : token_file(rq, portal_act(rq), a, false);
}

static int
download_pem(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	return rv != 0 ? rv : token_file(rq, portal_act(rq), a, true);
}

static int
code_page(struct request *rq, int status, const struct application *a, int tries)
{
	struct view_portal_envelope v = { 0 };

	v.id = a->id;
	v.number = a->number;
	v.code = page_field(rq, "code", NULL);
	v.code.value = NULL;
	v.tries = tries;
	v.token = strcmp(a->container, CONTAINER_TOKEN) == 0;
	return page_send(rq, status, portal_envelope, &v);
}

static int
opened_page(struct request *rq, const struct application *a, const struct envelope *e)
{
	struct view_portal_envelope_open v = { 0 };
	char *name = arena_alloc(&rq->arena, 320);

	if (name == NULL)
		return ICERT_E_MEMORY;
	application_full_name(&a->form, name, 320);
	v.id = a->id;
	v.number = a->number;
	v.envelope_number = a->envelope;
	v.name = name;
	v.password = e->password;
	v.revocation_code = e->revocation_code;
	return page_send(rq, 200, portal_envelope_open, &v);
}

/* What happened, and what to do. */
static int
locked_page(struct request *rq, int status, const struct application *a)
{
	struct view_portal_envelope_locked v = { 0 };
	const struct province *p = portal_office(rq, a->province);
	struct deadline_clock clock;

	portal_matter(rq, p, a->number);
	v.id = a->id;
	v.number = a->number;
	if (p != NULL) {
		v.telephone = p->telephone;
		v.hours = p->hours;
		v.province = p->name;
	}
	v.stands = deadline_clock(portal_act(rq), a->id, &clock) == 0 && clock.stopped_at != 0;
	return page_send(rq, status, portal_envelope_locked, &v);
}

/* What stands in the way of opening, as a page. */
static int
refused(struct request *rq, int rv, const struct application *a, int tries)
{
	switch (rv) {
	case ICERT_E_CODE_WRONG:
		page_field_error(rq, "code", "envelope.code.wrong");
		return code_page(rq, 422, a, tries);
	case ICERT_E_CODE_SPENT:
		page_field_error(rq, NULL, "envelope.code.spent");
		return locked_page(rq, 409, a);
	case ICERT_E_DENIED:
		return page_error(rq, 403, "envelope.other_session");
	case ICERT_E_EXPIRED:
	case ICERT_E_DESTROYED:
		return page_error(rq, 410, "envelope.gone");
	case ICERT_E_STATE:
		return page_error(rq, 409, "envelope.not_yet");
	default:
		return rv;
	}
}

/* Opened in this session within the last 30 minutes: shown again. */
static int
show(struct request *rq)
{
	struct envelope e;
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	rv = envelope_open(portal_act(rq), a->id, NULL, &e, NULL);
	if (rv == 0)
		rv = opened_page(rq, a, &e);
	else if (rv == ICERT_E_STATE)
		rv = code_page(rq, 200, a, 0);
	else if (rv == ICERT_E_CODE_SPENT)
		rv = locked_page(rq, 200, a);
	else
		rv = refused(rq, rv, a, 0);
	bytes_wipe(&e, sizeof(e));
	return rv;
}

/* Eight digits, with whatever spaces they were read aloud in; a typing error
 * costs no try. */
static bool
code_of(const char *text, char out[CODE_DIGITS + 1])
{
	size_t n = 0;

	for (; text != NULL && *text != '\0'; text++) {
		if (*text == ' ' || *text == '-')
			continue;
		if (*text < '0' || *text > '9' || n == CODE_DIGITS)
			return false;
		out[n++] = *text;
	}
	out[n] = '\0';
	return n == CODE_DIGITS;
}

static int
open_it(struct request *rq)
{
	char code[CODE_DIGITS + 1];
	struct envelope e;
	struct application *a;
	int tries = 0;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (!code_of(request_form(rq, "code"), code)) {
		page_field_error(rq, "code", "envelope.code.missing");
		return code_page(rq, 422, a, 0);
	}
	rv = envelope_open(portal_act(rq), a->id, code, &e, &tries);
	bytes_wipe(&e, sizeof(e));
	bytes_wipe(code, sizeof(code));
	/* The keys are shown by a GET, so that a reload does not send the code again. */
	return rv == 0 ? response_redirect(rq, "/tramite/%s/sobre", a->id) : refused(rq, rv, a, tries);
}

static int
done(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv == 0)
		rv = envelope_done(portal_act(rq), a->id);
	if (rv == ICERT_E_DESTROYED || rv == ICERT_E_EXPIRED)
		rv = 0;
	return rv != 0 ? rv : response_redirect(rq, "/tramite/%s?aviso=envelope-done", a->id);
}

const struct route portal_envelope_routes[] = {
	{ METHOD_GET, "/tramite/{id}/certificado.p12", ROLE_CONTACT, PROVINCE_OWN, 0, download },
	{ METHOD_GET, "/tramite/{id}/certificado.cer", ROLE_CONTACT, PROVINCE_OWN, 0, download_cer },
	{ METHOD_GET, "/tramite/{id}/certificado.pem", ROLE_CONTACT, PROVINCE_OWN, 0, download_pem },
	{ METHOD_GET, "/tramite/{id}/sobre", ROLE_CONTACT, PROVINCE_OWN, 0, show },
	{ METHOD_POST, "/tramite/{id}/sobre", ROLE_CONTACT, PROVINCE_OWN, 0, open_it },
	{ METHOD_POST, "/tramite/{id}/sobre/guardado", ROLE_CONTACT, PROVINCE_OWN, 0, done },
	{ 0 }
};
