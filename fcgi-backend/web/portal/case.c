#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/anew.h"
#include "procedure/application/appointment.h"
#include "procedure/application/document.h"
#include "procedure/application/fields.h"
#include "procedure/application/identification.h"
#include "procedure/application/overview.h"
#include "procedure/certificate/renewal.h"
#include "procedure/certificate/revocation_row.h"
#include "procedure/certificate/token.h"
#include "web/observed.h"
#include "web/portal/portal.h"

/* The applicant's own case: what comes next, who acts, by when, whom to call. */

#define RENEWAL_ASK_S	(366 * 86400)	/* before its end nobody need ask whether it may be renewed */

/* ---- one case ---- */

static const char *
who_acts(enum application_state s)
{
	switch (s) {
	case APPLICATION_DRAFT:
	case APPLICATION_OBSERVED:
	case APPLICATION_SCHEDULED:
	case APPLICATION_ISSUED:
	case APPLICATION_CONTRACT_SENT:
		return "applicant";
	case APPLICATION_SUBMITTED:
	case APPLICATION_IN_REVIEW:
	case APPLICATION_ACCEPTED:
	case APPLICATION_IDENTIFIED:
		return "operator";
	case APPLICATION_ISSUING:
	case APPLICATION_CONTRACT_RECEIVED:
	case APPLICATION_COUNTERSIGNED:
		return "system";
	case APPLICATION_CONTRACT_SIGNED:
		return "director";
	default:
		return "nobody";
	}
}

/* The path in eight steps; the state says where on it the case is. */
static int
step_of_state(enum application_state s)
{
	switch (s) {
	case APPLICATION_DRAFT:
		return 1;
	case APPLICATION_SUBMITTED:
	case APPLICATION_IN_REVIEW:
	case APPLICATION_OBSERVED:
		return 2;
	case APPLICATION_ACCEPTED:
		return 3;
	case APPLICATION_SCHEDULED:
		return 4;
	case APPLICATION_IDENTIFIED:
	case APPLICATION_ISSUING:
		return 5;
	case APPLICATION_ISSUED:
	case APPLICATION_CONTRACT_SENT:
	case APPLICATION_CONTRACT_RECEIVED:
	case APPLICATION_CONTRACT_SIGNED:
	case APPLICATION_COUNTERSIGNED:
		return 6;
	case APPLICATION_ACTIVE:
		return 7;
	default:
		return -1;
	}
}

static void
fill_steps(struct request *rq, const struct application *a, struct view_portal_case *v)
{
	static const char *const names[] = { "pay", "submit", "review", "schedule", "identify", "issue",
		"contract", "active" };
	size_t n = sizeof(names) / sizeof(names[0]);
	struct view_portal_case_steps *rows = arena_array(&rq->arena, struct view_portal_case_steps, n);
	int now = step_of_state(a->state);

	if (rows == NULL || now < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		rows[i].text = names[i];
		rows[i].place = (int)i < now ? "done" : (int)i == now ? "now" : "later";
	}
	v->steps = rows;
	v->nsteps = n;
}

static int
fill_observations(struct request *rq, const struct application *a, struct view_portal_case *v)
{
	struct view_portal_case_observations *rows =
	    arena_array(&rq->arena, struct view_portal_case_observations, OBSERVATIONS_MAX);
	struct observed *list;
	size_t n;
	int rv;

	if (a->state != APPLICATION_OBSERVED)
		return 0;
	if ((rv = rows != NULL ? observed_read(rq, portal_act(rq), a->id, &list, &n) : ICERT_E_MEMORY) != 0)
		return rv;
	v->can_mend = n > 0;
	for (size_t i = 0; i < n; i++) {
		rows[i].kind = list[i].kind;
		rows[i].label = list[i].label;
		rows[i].reason = list[i].o.reason;
		rows[i].mended = list[i].o.mended;
		rows[i].href = strcmp(list[i].kind, "document.") == 0 ?
		    arena_printf(&rq->arena, "/tramite/%s/documento/%s", a->id, list[i].label) :
		    portal_step_of_field(rq, a->id, list[i].label);
		v->can_mend = v->can_mend && list[i].o.mended;
	}
	v->observations = rows;
	v->nobservations = n;
	return 0;
}

static int
fill_slot(struct request *rq, const struct overview *o, struct view_portal_case *v)
{
	const struct application *a = &o->a;
	struct appointment *s = arena_new(&rq->arena, struct appointment);
	struct view_portal_case_slot *slot = arena_new(&rq->arena, struct view_portal_case_slot);
	const struct province *office;
	int rv;

	if (a->state != APPLICATION_ACCEPTED && a->state != APPLICATION_SCHEDULED)
		return 0;
	if (s == NULL || slot == NULL)
		return ICERT_E_MEMORY;
	rv = appointment_current(portal_act(rq), a->id, s);
	if (rv == ICERT_E_NOT_FOUND)
		return 0;
	if (rv != 0)
		return rv;
	slot->id = s->id;
	slot->at = s->starts_at;
	slot->proposed = strcmp(s->state, "proposed") == 0;
	slot->past = s->starts_at < portal_now();
	slot->mode = s->mode;
	slot->meeting = s->meeting;
	if ((office = portal_office(rq, a->province)) != NULL) {
		slot->galapagos = office->galapagos;
		slot->place = office->address;
		slot->hours = office->hours;
		slot->telephone = office->telephone;
	}
	slot->office = strcmp(s->mode, "in_person") == 0;
	v->slot = slot;
	if (slot->office && !slot->proposed)
		v->asked = "scheduled_office";
	if (slot->proposed && !slot->past) {
		v->who = "applicant";
		v->asked = "proposed";
	}
	if (!slot->past) {
		v->by = s->starts_at;
		v->closes = false;
	}
	return 0;
}

static int
fill_tasks(struct request *rq, const struct application *a, struct view_portal_case *v)
{
	struct view_portal_case_tasks *t = arena_new(&rq->arena, struct view_portal_case_tasks);
	struct identification *i = arena_new(&rq->arena, struct identification);
	struct renewal w;
	int rv;

	if (a->state != APPLICATION_SCHEDULED && a->state != APPLICATION_IDENTIFIED)
		return 0;
	if (t == NULL || i == NULL)
		return ICERT_E_MEMORY;
	if ((rv = identification_get(portal_act(rq), a->id, i)) != 0)
		return rv;
	t->second = i->has_second_cedula;
	t->second_href = arena_printf(&rq->arena, "/tramite/%s/documento/%s", a->id, DOCUMENT_SECOND_CEDULA);
	t->consent = i->consent;
	t->fields = a->fields_accepted;
	t->office = strcmp(a->container, CONTAINER_TOKEN) == 0;
	/* Who signed instead of being seen has nothing else to bring. */
	t->by_signature = strcmp(a->kind, "renewal") == 0 && renewal_of(portal_act(rq), a->id, &w) == 0 && w.identified_at != 0;
	if (a->state == APPLICATION_IDENTIFIED && t->fields)
		v->asked = t->office ? "fields_accepted_office" : t->by_signature ? "fields_accepted_signed" : "fields_accepted";
	else if (a->state == APPLICATION_IDENTIFIED && !fields_complete(a)) {
		v->asked = "token_key";
		v->who = "operator";
	}
	t->fields_href = arena_printf(&rq->arena, "/tramite/%s/aceptar", a->id);
	v->tasks = t;
	return 0;
}

static void
fill_certificate(struct request *rq, const struct overview *o, struct view_portal_case *v)
{
	struct view_portal_case_certificate *out = arena_new(&rq->arena, struct view_portal_case_certificate);
	const struct certificate *c = &o->certificate;

	if (out == NULL || c->issued_at == 0)
		return;
	out->serial = c->serial;
	out->state = c->state;
	out->not_before = c->not_before;
	out->not_after = c->not_after;
	out->ready = c->published;
	out->pkcs12 = c->has_pkcs12;
	out->token = strcmp(c->container, CONTAINER_TOKEN) == 0;
	out->envelope = c->has_envelope;
	out->locked = o->locked;
	/* A token's envelope is no proof of anything: it stays until it is opened, or its time is over. */
	out->delivered = !out->token && o->a.state >= APPLICATION_CONTRACT_SIGNED && o->a.state <= APPLICATION_ACTIVE;
	out->until = c->delivery_until;
	out->revoked_at = c->revoked_at;
	/* A file's contract cannot be signed meanwhile, and its clock stands. */
	out->stands = o->locked && !out->token && o->contract_by != 0;
	if (out->stands) {
		v->by = 0;
		v->closes = false;
	} else if (o->contract_by != 0) {
		/* Past and not revoked: the clock stands, or what ends cases does.  It is taken while the page says so. */
		out->late = o->contract_by < portal_now();
		v->by = out->contract_by = out->late ? 0 : o->contract_by;
		v->closes = false;
	}
	v->certificate = out;
}

static char *
lower(struct request *rq, const char *text)
{
	char *copy = arena_printf(&rq->arena, "%s", text);

	for (char *p = copy; p != NULL && *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return copy;
}

/* In contract_sent the last such mail says what became of the file that came back last. */
static const char *
last_word(const struct overview *o)
{
	for (size_t i = 0; i < o->n_mails; i++)
		if (strcmp(o->mails[i].template, "contract_invalid") == 0 || strcmp(o->mails[i].template, "contract_returned") == 0)
			return o->mails[i].template;
	return "";
}

static void
fill_contract(struct request *rq, const struct overview *o, struct view_portal_case *v)
{
	struct view_portal_case_contract *out = arena_new(&rq->arena, struct view_portal_case_contract);
	const struct contract *c = &o->contract;

	if (out == NULL || c->number[0] == '\0' || !application_is_issued(o->a.state))
		return;
	out->number = c->number;
	out->href = arena_printf(&rq->arena, "/tramite/%s/contrato.pdf", o->a.id);
	out->verify_href = lower(rq, arena_printf(&rq->arena, "/contrato/%s", c->number));
	out->made_at = c->made_at;
	out->open = o->a.state == APPLICATION_CONTRACT_SENT;
	out->waiting = o->a.state == APPLICATION_CONTRACT_RECEIVED;
	out->complete = o->a.state == APPLICATION_ACTIVE;
	out->signed_by_holder = o->a.state == APPLICATION_CONTRACT_SIGNED || o->a.state == APPLICATION_COUNTERSIGNED || out->complete;
	out->return_href = arena_printf(&rq->arena, "/tramite/%s/contrato", o->a.id);
	out->signed_href = arena_printf(&rq->arena, "/tramite/%s/contrato-firmado.pdf", o->a.id);
	out->refused = out->open && strcmp(last_word(o), "contract_invalid") == 0;
	out->returned = out->open && strcmp(last_word(o), "contract_returned") == 0;
	out->late = v->certificate != NULL && v->certificate->late;
	out->due = v->certificate != NULL && v->certificate->stands ? 0 : out->late ? 0 : o->contract_by;
	v->contract = out;
}

static bool
can_send_again(const char *template)
{
	return strcmp(template, "pkcs12") == 0 || strcmp(template, "token_certificate") == 0 || strcmp(template, "envelope") == 0 ||
	    strcmp(template, "contract") == 0 || strcmp(template, "application_received") == 0;
}

static void
fill_mails(struct request *rq, const struct overview *o, struct view_portal_case *v)
{
	struct view_portal_case_mails *rows = arena_array(&rq->arena, struct view_portal_case_mails, OVERVIEW_MAILS);

	if (rows == NULL)
		return;
	for (size_t i = 0; i < o->n_mails; i++) {
		rows[i].id = o->mails[i].id;
		rows[i].name = o->mails[i].template;
		rows[i].state = o->mails[i].state;
		rows[i].at = o->mails[i].sent_at;
		rows[i].again = strcmp(o->mails[i].state, "sent") == 0 && can_send_again(o->mails[i].template);
	}
	v->mails = rows;
	v->nmails = o->n_mails;
}

static const char *
reason_text(const struct application *a)
{
	char code[96];

	if (a->reason[0] == '\0')
		return NULL;
	snprintf(code, sizeof(code), "reason.%s", a->reason);
	return catalogue(code);
}

static bool
ended(const struct application *a)
{
	return a->state == APPLICATION_CANCELLED || a->state == APPLICATION_REJECTED || a->state == APPLICATION_CLOSED_REVOKED;
}

/* docs/money.md: what a bank holds, and what goes back, whatever the case says; for the page of an ending, as its mail says it; NULL while it goes on. */
static const char *
money_of(const struct application *a, const struct certificate *c, const char *order)
{
	if (strcmp(order, "disputed") == 0 || strcmp(order, "refunding") == 0 || strcmp(order, "refunded") == 0)
		return order;
	if (strcmp(c->state, "revoked") == 0)
		return revocation_money(c->reason_code);
	switch (a->state) {
	case APPLICATION_CANCELLED:
		return "cancelled";
	case APPLICATION_REJECTED:
		return "rejected";
	default:
		return NULL;
	}
}

/* What ended is begun anew; a certificate that is in use is renewed towards its end. */
static int
fill_again(struct request *rq, const struct application *a, struct view_portal_case *v)
{
	struct anew again = { .kind = "new" };
	int rv;

	if (a->state == APPLICATION_ACTIVE) {
		if (v->certificate == NULL || v->certificate->not_after - portal_now() > RENEWAL_ASK_S)
			return 0;
		if ((rv = anew_of(portal_act(rq), a->id, &again)) != 0)
			return rv;
	} else if (!ended(a))
		return 0;
	if (again.kind[0] == '\0')
		return 0;
	v->again = arena_printf(&rq->arena, "/tramite/%s/de-nuevo", a->id);
	v->renews = strcmp(again.kind, "renewal") == 0;
	return 0;
}

/* An accepted renewal whose holder may sign instead of being seen. */
static int
fill_renewal(struct request *rq, const struct application *a, struct view_portal_case *v)
{
	struct renewal w;
	int rv;

	if (a->state != APPLICATION_ACCEPTED)
		return 0;
	rv = renewal_of(portal_act(rq), a->id, &w);
	if (rv == ICERT_E_NOT_FOUND || (rv == 0 && w.document[0] == '\0'))
		return 0;
	if (rv != 0)
		return rv;
	v->asked = strcmp(w.state, "made") == 0 ? "renewal_made" : strcmp(w.state, "signed") == 0 ? "renewal_signed" :
	    "renewal_received";
	v->who = strcmp(w.state, "made") == 0 ? "applicant" : strcmp(w.state, "signed") == 0 ? "operator" : "system";
	v->renewal = arena_printf(&rq->arena, "/tramite/%s/renovacion", a->id);
	v->to_sign = strcmp(w.state, "made") == 0;
	return 0;
}

/* States whose page shows what is sealed, or compares with it. */
static bool
needs_form(enum application_state s)
{
	return s == APPLICATION_SCHEDULED || s == APPLICATION_IDENTIFIED;
}

static int
fill_case(struct request *rq, struct overview *o, struct view_portal_case *v)
{
	struct application *a = &o->a;
	int rv;

	if (needs_form(a->state) && (rv = application_get(portal_act(rq), a->id, a)) != 0)
		return rv;
	v->id = a->id;
	v->version = a->version;
	v->number = a->number;
	v->state = application_state_seen(a->state, o->certificate.state);
	v->who = who_acts(a->state);
	v->email = rq->session.name;	/* the mailbox of the case is the session's */
	if (a->state < APPLICATION_ISSUING)
		v->by = a->closes_at;
	v->closes = v->by != 0;
	if (a->state == APPLICATION_IDENTIFIED && !a->fields_accepted)
		v->who = "applicant";
	v->reason = reason_text(a);
	v->money = money_of(a, &o->certificate, o->order);
	v->can_cancel = (transition_possible(a->state, ROLE_CONTACT) & (1u << ACTION_CANCEL)) != 0;
	fill_steps(rq, a, v);
	fill_certificate(rq, o, v);
	fill_contract(rq, o, v);
	fill_mails(rq, o, v);
	if ((rv = fill_observations(rq, a, v)) != 0 || (rv = fill_slot(rq, o, v)) != 0)
		return rv;
	if ((rv = fill_tasks(rq, a, v)) != 0)
		return rv;
	if ((rv = fill_again(rq, a, v)) != 0)
		return rv;
	return fill_renewal(rq, a, v);
}

static int
case_page(struct request *rq, int status)
{
	struct overview *o = arena_new(&rq->arena, struct overview);
	struct view_portal_case v = { 0 };
	int rv;

	if (o == NULL)
		return ICERT_E_MEMORY;
	if ((rv = overview_read(portal_act(rq), rq->id[0], o)) != 0)
		return rv;
	if (o->a.state == APPLICATION_DRAFT)
		return response_redirect(rq, "/solicitud/%s", o->a.id);
	portal_matter(rq, portal_office(rq, o->a.province), o->a.number);
	if ((rv = fill_case(rq, o, &v)) != 0)
		return rv;
	if (o->a.state == APPLICATION_ISSUING)
		v.watch = "issuing";
	else if (o->a.state == APPLICATION_ISSUED)
		v.watch = "contract";
	else if (o->a.state == APPLICATION_CONTRACT_RECEIVED || o->a.state == APPLICATION_COUNTERSIGNED)
		v.watch = application_state_name(o->a.state);
	else if (v.certificate != NULL && !v.certificate->ready && strcmp(v.certificate->state, "good") == 0)
		v.watch = "publishing";
	return page_send(rq, status, portal_case, &v);
}

static int
case_show(struct request *rq)
{
	return case_page(rq, 200);
}

static int
mend(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (a->state != APPLICATION_OBSERVED)
		return response_redirect(rq, "/tramite/%s", a->id);
	rv = application_mend(portal_act(rq), a->id, request_version(rq));
	if (rv == ICERT_E_MISSING) {
		page_field_error(rq, NULL, "mend.missing");
		return case_page(rq, 422);
	}
	/* Sent twice at the same moment: the other one has sent it in. */
	if ((rv == ICERT_E_CONFLICT || rv == ICERT_E_STATE) && portal_case(rq, &a) == 0 && a->state != APPLICATION_OBSERVED)
		rv = 0;
	if (rv == ICERT_E_CONFLICT) {
		page_field_error(rq, NULL, "error.conflict");
		return case_page(rq, 409);
	}
	if (rv != 0)
		return rv;
	return response_redirect(rq, "/tramite/%s?aviso=mended", a->id);
}

static int
mail_again(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (!can_send_again(rq->id[1]))
		return ICERT_E_NOT_FOUND;
	rv = application_mail_again(portal_act(rq), a->id, rq->id[1]);
	if (rv == ICERT_E_BUSY) {
		page_field_error(rq, NULL, "mail.busy");
		return case_page(rq, 429);
	}
	return rv != 0 ? rv : response_redirect(rq, "/tramite/%s?aviso=sent-again", a->id);
}

const struct route portal_case_routes[] = {
	{ METHOD_GET, "/tramite/{id}", ROLE_CONTACT, PROVINCE_OWN, 0, case_show },
	{ METHOD_POST, "/tramite/{id}/corregido", ROLE_CONTACT, PROVINCE_OWN, 0, mend },
	{ METHOD_POST, "/tramite/{id}/correo/{template}", ROLE_CONTACT, PROVINCE_OWN, 0, mail_again },
	{ 0 }
};
