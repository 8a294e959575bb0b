#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/contract/contract_copy.h"
#include "procedure/contract/contract_director.h"
#include "procedure/people/authority.h"
#include "procedure/people/staff.h"
#include "procedure/people/staff_certificate.h"
#include "procedure/people/substitute.h"
#include "web/desk/desk.h"

/* The provincial director: the queue of contracts, the signature, the return, and who stands in. */

#define CONTRACTS	50
#define SUBSTITUTES	100
#define PROVINCES	32

/* What awaits the director's signature: contracts that their holders have signed. */
static int
contracts(struct request *rq)
{
	struct application_filter f = { .states = 1u << APPLICATION_CONTRACT_SIGNED };
	struct view_desk_contracts v = { 0 };
	struct application *list = arena_array(&rq->arena, struct application, CONTRACTS);
	struct view_desk_contracts_rows *rows = arena_array(&rq->arena, struct view_desk_contracts_rows, CONTRACTS);
	size_t n = CONTRACTS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = application_queue(desk_act(rq), &f, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].number = list[i].number;
		rows[i].name = desk_name(rq, &list[i]);
		rows[i].since = list[i].state_since;
		rows[i].href = arena_printf(&rq->arena, "/contratos/%s", list[i].id);
	}
	v.rows = rows;
	v.nrows = n;
	return page_send(rq, 200, desk_contracts, &v);
}

/* A case that this person may look at as a director; an operator's rights show none here. */
static int
director_case(struct request *rq, struct application **a)
{
	int rv = desk_case(rq, a);

	if (rv != 0)
		return rv;
	return (*a)->state == APPLICATION_CONTRACT_SIGNED || (*a)->state == APPLICATION_COUNTERSIGNED ||
	    (*a)->state == APPLICATION_CONTRACT_SENT || (*a)->state == APPLICATION_ACTIVE ? 0 : ICERT_E_NOT_FOUND;
}

static int
fill_signer(struct request *rq, struct view_desk_countersign *v)
{
	struct view_desk_countersign_signer *out = arena_new(&rq->arena, struct view_desk_countersign_signer);
	struct staff_certificate *s = arena_new(&rq->arena, struct staff_certificate);
	int rv;

	if (out == NULL || s == NULL)
		return ICERT_E_MEMORY;
	rv = staff_certificate_of(desk_act(rq), rq->session.person, s);
	if (rv == 0)
		out->stranger = authority_check(desk_act(rq), s->der.p, s->der.len) != 0;
	staff_certificate_free(s);
	if (rv != 0)
		return rv == ICERT_E_NOT_FOUND ? 0 : rv;
	out->subject = s->subject;
	out->until = s->not_after;
	out->good = strcmp(s->standing, "good") == 0 && s->not_after > clock_real();
	v->signer = out;
	return 0;
}

/* A fault's sentence as a director needs it: some speak of the holder's own certificate. */
static const char *
fault_text(struct request *rq, const char *fault)
{
	const char *text = catalogue(arena_printf(&rq->arena, "desk.contract_fault.%s", fault));

	return text != NULL ? text : catalogue(arena_printf(&rq->arena, "contract_fault.%s", fault));
}

/* The files that were refused here are kept; the director sees why each was. */
static int
fill_tries(struct request *rq, const struct application *a, struct view_desk_countersign *v)
{
	struct contract_copy *list = arena_array(&rq->arena, struct contract_copy, CONTRACT_COPIES);
	struct view_desk_countersign_tries *rows = arena_array(&rq->arena, struct view_desk_countersign_tries, CONTRACT_COPIES);
	size_t n = CONTRACT_COPIES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = contract_copies(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].source, "director") != 0 || strcmp(list[i].state, "refused") != 0)
			continue;
		rows[v->ntries].at = list[i].uploaded_at;
		rows[v->ntries++].fault = fault_text(rq, list[i].fault);
	}
	v->tries = rows;
	return 0;
}

static int
countersign_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_countersign v = { 0 };
	int rv;

	v.id = a->id;
	v.version = a->version;
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.state = application_state_name(a->state);
	v.open = a->state == APPLICATION_CONTRACT_SIGNED;
	v.since = a->state_since;
	v.limit = (int64_t)contract_bytes_max(desk_act(rq));
	v.error = page_error_of(rq, "file");
	v.words = page_field(rq, "words", NULL);
	if ((rv = fill_signer(rq, &v)) != 0 || (v.open && (rv = fill_tries(rq, a, &v)) != 0))
		return rv;
	return page_send(rq, status, desk_countersign, &v);
}

static int
countersign_show(struct request *rq)
{
	struct application *a;
	int rv = director_case(rq, &a);

	if (rv != 0)
		return rv;
	desk_paper_refusal(rq);
	return countersign_page(rq, 200, a);
}

static int
signed_download(struct request *rq)
{
	struct application *a;
	int rv = director_case(rq, &a);

	return rv != 0 ? rv : desk_paper_send(rq, a, NULL, a->number);
}

/* What the person sees of a refusal, on the page as the case now stands; the rest is the framework's. */
static int
wrong(struct request *rq, const struct application *a, int rv, const char *fault)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_MISSING, 422, NULL, "desk.contract.no_certificate" },
		{ ICERT_E_STALE, 422, NULL, "desk.contract.certificate_ended" },
		{ ICERT_E_FORGED, 422, NULL, "desk.contract.authority" },
		{ ICERT_E_OWN_CASE, 403, NULL, "desk.contract.own" },
		{ ICERT_E_STATE, 409, NULL, "desk.contract.moved" },
		{ ICERT_E_CONFLICT, 409, NULL, "desk.contract.moved" },
		{ 0 }
	};
	struct application *now;
	int status;

	if (rv == ICERT_E_MISMATCH) {
		page_field_text(rq, "file", fault_text(rq, fault));
		return countersign_page(rq, 422, a);
	}
	if ((status = desk_refused(rq, refusals, rv)) == 0)
		return rv;
	return director_case(rq, &now) == 0 ? countersign_page(rq, status, now) : ICERT_E_NOT_FOUND;
}

static int
countersign_save(struct request *rq)
{
	const char *fault = NULL;
	struct desk *k = desk_of(rq);
	struct buf bytes = BUF_INIT;
	struct application *a;
	int status, rv = director_case(rq, &a);

	if (rv != 0)
		return rv;
	if ((status = desk_paper(rq, &bytes)) == 0)
		rv = contract_countersign(desk_act(rq), &k->files, &k->checker, a->id, request_version(rq), bytes.p, bytes.len, &fault);
	buf_free(&bytes);
	if (status != 0)
		return status > 0 ? countersign_page(rq, status, a) : status;
	if (rv != 0)
		return wrong(rq, a, rv, fault);
	return response_redirect(rq, "/contratos?aviso=desk-countersigned");
}

static int
return_save(struct request *rq)
{
	const char *words = request_form(rq, "words");
	struct application *a;
	int rv = director_case(rq, &a);

	if (rv != 0)
		return rv;
	if (words == NULL || words[strspn(words, " \t\r\n")] == '\0')
		page_field_error(rq, "words", "desk.contract.words_missing");
	else if (strlen(words) > CONTRACT_WORDS)
		page_field_error(rq, "words", "field.too_long");
	if (page_has_errors(rq))
		return countersign_page(rq, 422, a);
	if ((rv = contract_return(desk_act(rq), a->id, request_version(rq), words)) != 0)
		return wrong(rq, a, rv, NULL);
	return response_redirect(rq, "/contratos?aviso=desk-contract-returned");
}

/* ---- substitutes ---- */

static int
fill_provinces(struct request *rq, struct view_desk_substitutes *v)
{
	struct province *all = arena_array(&rq->arena, struct province, PROVINCES);
	struct view_option *options = arena_array(&rq->arena, struct view_option, PROVINCES);
	const char *chosen = request_form(rq, "province");
	int mine[PROVINCES], rv;
	size_t n = PROVINCES, nall = PROVINCES;
	bool national = (rq->session.roles & ROLE_NATIONAL) != 0;

	if (all == NULL || options == NULL)
		return ICERT_E_MEMORY;
	if ((rv = province_list(desk_act(rq), all, &nall)) != 0 || (rv = staff_provinces(desk_act(rq), mine, &n)) != 0)
		return rv;
	for (size_t i = 0; i < nall; i++) {
		bool show = national && all[i].id != PROVINCE_NATIONAL;

		for (size_t k = 0; k < n; k++)
			show = show || mine[k] == all[i].id;
		if (!show)
			continue;
		options[v->nprovinces].value = arena_printf(&rq->arena, "%d", all[i].id);
		options[v->nprovinces].text = all[i].name;
		options[v->nprovinces].selected = chosen != NULL && atoi(chosen) == all[i].id;
		v->nprovinces++;
	}
	if (v->nprovinces == 1)
		options[0].selected = true;
	v->provinces = options;
	return 0;
}

static int
substitutes_page(struct request *rq, int status)
{
	struct view_desk_substitutes v = { 0 };
	struct substitute *list = arena_array(&rq->arena, struct substitute, SUBSTITUTES);
	struct view_desk_substitutes_rows *rows = arena_array(&rq->arena, struct view_desk_substitutes_rows, SUBSTITUTES);
	size_t n = SUBSTITUTES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = substitute_list(desk_act(rq), list, &n)) != 0 || (rv = fill_provinces(rq, &v)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].id = list[i].id;
		rows[i].name = list[i].name;
		rows[i].province = list[i].province_name;
		rows[i].from = list[i].from_at;
		rows[i].to = list[i].to_at;
		rows[i].state = list[i].state;
		rows[i].by = list[i].named_by;
		rows[i].may = list[i].may_end;
	}
	v.rows = rows;
	v.nrows = n;
	v.login = page_field(rq, "login", NULL);
	v.province_error = page_error_of(rq, "province");
	v.from_day = page_field(rq, "from_day", NULL);
	v.from_hour = page_field(rq, "from_hour", "00:00");
	v.to_day = page_field(rq, "to_day", NULL);
	v.to_hour = page_field(rq, "to_hour", "23:59");
	return page_send(rq, status, desk_substitutes, &v);
}

static int
substitutes_show(struct request *rq)
{
	return substitutes_page(rq, 200);
}

static int
substitutes_save(struct request *rq)
{
	const char *login = request_form(rq, "login"), *province = request_form(rq, "province");
	int64_t from = desk_moment(request_form(rq, "from_day"), request_form(rq, "from_hour"));
	int64_t to = desk_moment(request_form(rq, "to_day"), request_form(rq, "to_hour"));
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_INVALID, 422, "to_day", "desk.substitute.order" },
		{ ICERT_E_NOT_FOUND, 422, "login", "desk.substitute.unknown" },
		{ ICERT_E_EXISTS, 422, "login", "desk.substitute.exists" },
		{ ICERT_E_DENIED, 403, "login", "desk.substitute.denied" },
		{ 0 }
	};
	int status, rv;

	if (login == NULL || login[0] == '\0')
		page_field_error(rq, "login", "desk.substitute.login_missing");
	if (province == NULL || atoi(province) == 0)
		page_field_error(rq, "province", "desk.substitute.province_missing");
	if (from < 0)
		page_field_error(rq, "from_day", "desk.substitute.moment");
	if (to < 0)
		page_field_error(rq, "to_day", "desk.substitute.moment");
	if (page_has_errors(rq))
		return substitutes_page(rq, 422);
	rv = substitute_name(desk_act(rq), login, atoi(province), from, to);
	if (rv == 0)
		return response_redirect(rq, "/contratos/sustitutos?aviso=desk-substitute-named");
	return (status = desk_refused(rq, refusals, rv)) != 0 ? substitutes_page(rq, status) : rv;
}

static int
substitutes_end(struct request *rq)
{
	int rv = substitute_end(desk_act(rq), rq->id[0]);

	return rv != 0 ? rv : response_redirect(rq, "/contratos/sustitutos?aviso=desk-substitute-ended");
}

const struct route desk_director_routes[] = {
	{ METHOD_GET, "/contratos", ROLE_DIRECTOR, PROVINCE_CASE, 0, contracts },
	{ METHOD_GET, "/contratos/{id}", ROLE_DIRECTOR, PROVINCE_CASE, 0, countersign_show },
	{ METHOD_POST, "/contratos/{id}", ROLE_DIRECTOR, PROVINCE_CASE, ROUTE_UPLOAD, countersign_save },
	{ METHOD_GET, "/contratos/{id}/archivo", ROLE_DIRECTOR, PROVINCE_CASE, 0, signed_download },
	{ METHOD_POST, "/contratos/{id}/devolver", ROLE_DIRECTOR, PROVINCE_CASE, 0, return_save },
	{ METHOD_GET, "/contratos/sustitutos", ROLE_DIRECTOR | ROLE_NATIONAL, PROVINCE_CASE, 0, substitutes_show },
	{ METHOD_POST, "/contratos/sustitutos", ROLE_DIRECTOR | ROLE_NATIONAL, PROVINCE_CASE, 0, substitutes_save },
	{ METHOD_POST, "/contratos/sustitutos/{id}/terminar", ROLE_DIRECTOR | ROLE_NATIONAL, PROVINCE_CASE, 0, substitutes_end },
	{ 0 }
};
