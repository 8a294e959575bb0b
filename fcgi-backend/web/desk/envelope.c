#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/fields.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/envelope.h"
#include "procedure/certificate/token.h"
#include "procedure/clock/deadline.h"
#include "web/desk/desk.h"

/* A new opening code for an envelope that is locked, or whose code was never noted. */

static int
fill_files(struct request *rq, const struct application *a, struct view_desk_envelope *v)
{
	struct desk_documents *d;
	int rv = desk_documents(rq, a, &d);

	for (size_t i = 0; rv == 0 && i < d->n; i++) {
		const char *href = arena_printf(&rq->arena, "/caso/%s/archivo/%s", a->id, d->list[i]->id);

		if (strcmp(d->list[i]->kind, DOCUMENT_FACE) == 0)
			v->face = href;
		else if (strcmp(d->list[i]->kind, DOCUMENT_CEDULA) == 0)
			v->cedula = href;
	}
	return rv;
}

static int
fill_given(struct request *rq, const struct envelope_standing *s, struct view_desk_envelope *v)
{
	struct view_desk_envelope_given *rows = arena_array(&rq->arena, struct view_desk_envelope_given, ENVELOPE_RENEWALS);

	if (rows == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < s->n; i++) {
		rows[i].at = s->list[i].at;
		rows[i].by = s->list[i].name;
		rows[i].cause = s->list[i].cause;
		rows[i].seen = s->list[i].seen;
	}
	v->given = rows;
	v->ngiven = s->n;
	v->round = (int64_t)s->n;
	v->left = (int64_t)(ENVELOPE_RENEWALS - s->n);
	v->mine = s->n > 0 && s->locked_at == 0 && strcmp(s->list[s->n - 1].staff, rq->session.person) == 0;
	return 0;
}

static int
envelope_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_envelope v = { 0 };
	struct certificate *c = arena_new(&rq->arena, struct certificate);
	struct envelope_standing *s = arena_new(&rq->arena, struct envelope_standing);
	struct deadline_clock clock;
	int rv;

	if (c == NULL || s == NULL)
		return ICERT_E_MEMORY;
	rv = certificate_of(desk_act(rq), a->id, c);
	if (rv != 0 && rv != ICERT_E_NOT_FOUND)
		return rv;
	if ((rv = envelope_standing(desk_act(rq), a->id, s)) != 0 || (rv = fill_given(rq, s, &v)) != 0 ||
	    (rv = fill_files(rq, a, &v)) != 0)
		return rv;
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.identification = a->form.id_number;
	v.telephone = a->form.telephone;
	v.envelope = a->envelope;
	v.token = strcmp(a->container, CONTAINER_TOKEN) == 0;
	v.possible = c->published && c->has_envelope && strcmp(c->state, "good") == 0;
	v.locked = v.possible ? s->locked_at : 0;
	v.mine = v.mine && v.possible;
	v.stands = v.locked != 0 && deadline_clock(desk_act(rq), a->id, &clock) == 0 && clock.stopped_at != 0;
	v.seens = desk_options(rq, envelope_seen, "desk.seen.", request_form(rq, "seen"), &v.nseens);
	v.seen = page_field(rq, "seen", NULL);
	v.compared = page_field(rq, "compared", NULL);
	v.was_compared = request_form(rq, "compared") != NULL;
	v.code = page_field(rq, "code", NULL);
	v.code.value = NULL;
	return page_send(rq, status, desk_envelope, &v);
}

static int
envelope_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : envelope_page(rq, 200, a);
}

static int
renew_wrong(struct request *rq, const struct application *a, int rv)
{
	static const struct desk_refusal refusals[] = {
		{ ICERT_E_DENIED, 403, NULL, "desk.renew.denied" },
		{ ICERT_E_OWN_CASE, 403, NULL, "desk.renew.own" },
		{ ICERT_E_STATE, 409, NULL, "desk.renew.state" },
		{ ICERT_E_DESTROYED, 410, NULL, "desk.renew.gone" },
		{ ICERT_E_CONFLICT, 409, NULL, "desk.renew.conflict" },
		{ 0 }
	};
	int status;

	if (desk_code_error(rq, rv))
		status = 422;
	else if ((status = desk_refused(rq, refusals, rv)) == 0)
		return rv;
	return envelope_page(rq, status, a);
}

static int
envelope_renew_it(struct request *rq)
{
	const char *seen = request_form(rq, "seen"), *round = request_form(rq, "round");
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (seen == NULL || (strcmp(seen, envelope_seen[0]) != 0 && strcmp(seen, envelope_seen[1]) != 0))
		page_field_error(rq, "seen", "desk.renew.seen_missing");
	if (request_form(rq, "compared") == NULL)
		page_field_error(rq, "compared", "desk.renew.compared_missing");
	if (page_has_errors(rq))
		return envelope_page(rq, 422, a);
	rv = envelope_renew(desk_act(rq), a->id, round != NULL ? strtoul(round, NULL, 10) : 0, seen, desk_code(rq));
	return rv != 0 ? renew_wrong(rq, a, rv) : response_redirect(rq, "/caso/%s/sobre?aviso=desk-code-renewed", a->id);
}

const struct route desk_envelope_routes[] = {
	{ METHOD_GET, "/caso/{id}/sobre", DESK_WORKS, PROVINCE_CASE, 0, envelope_show },
	{ METHOD_POST, "/caso/{id}/sobre", DESK_WORKS, PROVINCE_CASE, 0, envelope_renew_it },
	{ 0 }
};
