#include <string.h>

#include "libicert/error.h"
#include "procedure/people/authority.h"
#include "procedure/people/staff.h"
#include "procedure/people/staff_certificate.h"
#include "web/desk/desk.h"

/* Certificates with which staff sign contracts: one administrator enters one, another approves it. */

#define CERTIFICATES 200

static int
list_page(struct request *rq, int status)
{
	struct view_desk_signers v = { 0 };
	struct staff_certificate *list = arena_array(&rq->arena, struct staff_certificate, CERTIFICATES);
	struct view_desk_signers_rows *rows = arena_array(&rq->arena, struct view_desk_signers_rows, CERTIFICATES);
	size_t n = CERTIFICATES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = staff_certificates(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].id = list[i].id;
		rows[i].name = list[i].name;
		rows[i].login = list[i].login;
		rows[i].subject = list[i].subject;
		rows[i].until = list[i].not_after;
		rows[i].state = list[i].state;
		rows[i].asked = strcmp(list[i].state, "asked") == 0;
		rows[i].ended = strcmp(list[i].standing, "good") != 0;
		rows[i].by = list[i].asked_name;
		rows[i].may = list[i].other;
	}
	v.rows = rows;
	v.nrows = n;
	v.unchecked = !authority_listed(desk_act(rq));
	v.login = page_field(rq, "login", NULL);
	v.pem = page_field(rq, "pem", NULL);
	v.code_error = page_error_of(rq, "code");
	return page_send(rq, status, desk_signers, &v);
}

static int
list_show(struct request *rq)
{
	return list_page(rq, 200);
}

static int
ask(struct request *rq)
{
	const char *login = request_form(rq, "login"), *pem = request_form(rq, "pem");
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_NOT_FOUND, 422, "login", "desk.substitute.unknown" },
		{ ICERT_E_MALFORMED, 422, "pem", "desk.signer.pem" },
		{ ICERT_E_INVALID, 422, "pem", "desk.signer.unfit" },
		{ ICERT_E_FORGED, 422, "pem", "desk.signer.authority" },
		{ ICERT_E_EXISTS, 422, "login", "desk.signer.exists" },
		{ 0 }
	};
	int status, rv;

	if (login == NULL || login[0] == '\0')
		page_field_error(rq, "login", "desk.substitute.login_missing");
	if (pem == NULL || strstr(pem, "BEGIN CERTIFICATE") == NULL)
		page_field_error(rq, "pem", "desk.signer.pem");
	if (page_has_errors(rq))
		return list_page(rq, 422);
	if ((rv = staff_certificate_ask(desk_act(rq), login, pem, strlen(pem))) == 0)
		return response_redirect(rq, "/personal/certificados?aviso=desk-signer-asked");
	return (status = desk_refused(rq, refusals, rv)) != 0 ? list_page(rq, status) : rv;
}

static int
decide(struct request *rq)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_DENIED, 403, NULL, "desk.signer.same" },
		{ ICERT_E_NOT_FOUND, 409, NULL, "desk.signer.gone" },
		{ ICERT_E_CONFLICT, 409, NULL, "desk.signer.gone" },
		{ 0 }
	};
	bool approve = request_form(rq, "approve") != NULL;
	int status, rv = 0;

	if (approve && (rv = staff_factor(desk_act(rq), desk_code(rq))) != 0 && desk_code_error(rq, rv))
		return list_page(rq, 422);
	if (rv == 0)
		rv = staff_certificate_decide(desk_act(rq), rq->id[0], approve);
	if ((status = desk_refused(rq, refusals, rv)) != 0)
		return list_page(rq, status);
	if (rv != 0)
		return rv;
	return response_redirect(rq, "/personal/certificados?aviso=%s", approve ? "desk-signer-registered" : "desk-signer-refused");
}

const struct route desk_signer_routes[] = {
	{ METHOD_GET, "/personal/certificados", ROLE_ADMIN, PROVINCE_NONE, 0, list_show },
	{ METHOD_POST, "/personal/certificados", ROLE_ADMIN, PROVINCE_NONE, 0, ask },
	{ METHOD_POST, "/personal/certificados/{id}", ROLE_ADMIN, PROVINCE_NONE, 0, decide },
	{ 0 }
};
