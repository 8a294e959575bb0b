#include <string.h>

#include "libicert/error.h"
#include "procedure/application/fields.h"
#include "procedure/certificate/token.h"
#include "web/desk/desk.h"
#include "web/token_file.h"

/* The key in the token: its request comes in, the certificate goes back to be written beside it. */

static int
token_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_token v = { 0 };
	struct token_key *key = arena_new(&rq->arena, struct token_key);
	int rv;

	if (key == NULL)
		return ICERT_E_MEMORY;
	rv = token_key_of(desk_act(rq), a->id, key);
	if (rv != 0 && rv != ICERT_E_NOT_FOUND)
		return rv;
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.version = a->version;
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.request = page_field(rq, "request", NULL);
	if (rv == 0) {
		v.fingerprint = page_grouped(rq, key->spki_sha256);
		v.bits = key->bits;
		v.at = key->at;
		v.by = key->by_name;
	}
	return page_send(rq, status, desk_token, &v);
}

/* A token's case after the identification; 1: the answer was sent. */
static int
token_case(struct request *rq, struct application **a)
{
	int rv = desk_case(rq, a);

	if (rv == 0 && strcmp((*a)->container, CONTAINER_TOKEN) != 0)
		return ICERT_E_NOT_FOUND;
	if (rv == 0 && (*a)->state != APPLICATION_IDENTIFIED)
		return response_redirect(rq, "/caso/%s", (*a)->id) == 0 ? 1 : ICERT_E_INVALID;
	return rv;
}

static int
show(struct request *rq)
{
	struct application *a;
	int rv = token_case(rq, &a);

	return rv != 0 ? (rv > 0 ? 0 : rv) : token_page(rq, 200, a);
}

/* What is wrong with a request, as a sentence that says what to do; NULL: nothing of the request. */
static const char *
fault(struct request *rq, int rv, const char *why)
{
	switch (rv) {
	case ICERT_E_MALFORMED:
	case ICERT_E_TOO_LARGE:
		return "desk.token.malformed";
	case ICERT_E_UNSUPPORTED:
		return "desk.token.unsupported";
	case ICERT_E_FORGED:
		return "desk.token.forged";
	case ICERT_E_EXISTS:
		return "desk.token.exists";
	case ICERT_E_INVALID:
		return arena_printf(&rq->arena, "desk.token.%s", why != NULL ? why : "weak");
	default:
		return NULL;
	}
}

static int
send(struct request *rq)
{
	const char *text = request_form(rq, "request"), *why = NULL, *code;
	struct application *a;
	int rv = token_case(rq, &a);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	if (text == NULL || text[strspn(text, " \t\r\n")] == '\0') {
		page_field_error(rq, "request", "desk.token.missing");
		return token_page(rq, 422, a);
	}
	rv = token_request_add(desk_act(rq), a->id, request_version(rq), text, strlen(text), &why);
	if ((code = fault(rq, rv, why)) != NULL) {
		page_field_error(rq, "request", code);
		return token_page(rq, 422, a);
	}
	if (rv != 0)
		return desk_done(rq, a->id, rv, "desk-token");
	return response_redirect(rq, "/caso/%s/emitir?aviso=desk-token", a->id);
}

static int
download(struct request *rq, bool chain)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : token_file(rq, desk_act(rq), a, chain);
}

static int
download_cer(struct request *rq)
{
	return download(rq, false);
}

static int
download_pem(struct request *rq)
{
	return download(rq, true);
}

const struct route desk_token_routes[] = {
	{ METHOD_GET, "/caso/{id}/token", DESK_WORKS, PROVINCE_CASE, 0, show },
	{ METHOD_POST, "/caso/{id}/token", DESK_WORKS, PROVINCE_CASE, 0, send },
	{ METHOD_GET, "/caso/{id}/certificado.cer", DESK_WORKS, PROVINCE_CASE, 0, download_cer },
	{ METHOD_GET, "/caso/{id}/certificado.pem", DESK_WORKS, PROVINCE_CASE, 0, download_pem },
	{ 0 }
};
