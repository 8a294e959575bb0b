#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/application/appointment.h"
#include "procedure/clock/bounce.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/envelope.h"
#include "procedure/application/contact_attempt.h"
#include "procedure/clock/deadline.h"
#include "procedure/application/document.h"
#include "procedure/application/fields.h"
#include "procedure/application/identification.h"
#include "procedure/certificate/renewal.h"
#include "procedure/people/staff.h"
#include "web/desk/desk.h"
#include "web/observed.h"

/* One case as the staff sees it: what to do now, and everything known about it. */

#define LIST_MAX	64
#define EVENTS_MAX	100

static int
fill_rows(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct view_desk_case_rows *rows = arena_array(&rq->arena, struct view_desk_case_rows, FORM_FIELDS);

	if (rows == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const char *name = application_fields[i].name;
		const char *value = desk_value(a, name);

		if (strcmp(name, "privacy") == 0 || value[0] == '\0')
			continue;
		rows[v->nrows].label = name;
		rows[v->nrows].value = strcmp(name, "province") == 0 ? v->province : value;
		v->nrows++;
	}
	v->rows = rows;
	return 0;
}

static void
fill_document(struct request *rq, struct view_desk_case *v, struct view_desk_case_documents *row,
    const struct document *d)
{
	row->kind = d->kind;
	row->href = arena_printf(&rq->arena, "/caso/%s/archivo/%s", d->application, d->id);
	row->type = d->type;
	row->kb = (d->size + 1023) / 1024;
	row->pages = d->pages;
	row->width = d->width;
	row->height = d->height;
	row->at = d->at;
	row->by_staff = d->by_staff;
	v->ndocuments++;
}

static int
fill_documents(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct view_desk_case_documents *rows = arena_array(&rq->arena, struct view_desk_case_documents, DESK_DOCUMENTS);
	struct desk_documents *all;
	int rv = desk_documents(rq, a, &all);

	if (rv != 0)
		return rv;
	if (rows == NULL)
		return ICERT_E_MEMORY;
	v->has_evidence = all->evidence;
	for (size_t i = 0; i < all->n; i++)
		fill_document(rq, v, &rows[i], all->list[i]);
	v->documents = rows;
	return 0;
}

static int
fill_slot(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct view_desk_case_slot *slot = arena_new(&rq->arena, struct view_desk_case_slot);
	struct appointment *s = arena_new(&rq->arena, struct appointment);
	int rv;

	if (slot == NULL || s == NULL)
		return ICERT_E_MEMORY;
	rv = appointment_current(desk_act(rq), a->id, s);
	if (rv == ICERT_E_NOT_FOUND)
		return 0;
	if (rv != 0)
		return rv;
	slot->at = s->starts_at;
	slot->until = s->ends_at;
	slot->mode = s->mode;
	slot->meeting = s->meeting;
	slot->proposed = strcmp(s->state, "proposed") == 0;
	slot->by_telephone = strcmp(s->agreed_by, "telephone") == 0;
	slot->past = s->ends_at < clock_business();
	v->waits = a->state == APPLICATION_ACCEPTED && slot->proposed && !slot->past;
	v->slot = slot;
	return 0;
}

static int
fill_attempts(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct contact_attempt *list = arena_array(&rq->arena, struct contact_attempt, LIST_MAX);
	struct view_desk_case_attempts *rows = arena_array(&rq->arena, struct view_desk_case_attempts, LIST_MAX);
	size_t n = LIST_MAX;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = contact_attempt_list(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].at = list[i].at;
		rows[i].channel = list[i].channel;
		rows[i].outcome = list[i].outcome;
		rows[i].note = list[i].note;
		rows[i].by = list[i].by_name;
	}
	v->attempts = rows;
	v->nattempts = n;
	return 0;
}

static int
fill_observations(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct view_desk_case_observations *rows =
	    arena_array(&rq->arena, struct view_desk_case_observations, OBSERVATIONS_MAX);
	struct observed *list;
	size_t n;
	int rv = rows != NULL ? observed_read(rq, desk_act(rq), a->id, &list, &n) : ICERT_E_MEMORY;

	if (rv != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].kind = list[i].kind;
		rows[i].label = list[i].label;
		rows[i].reason = list[i].o.reason;
		rows[i].mended = list[i].o.mended;
	}
	v->observations = rows;
	v->nobservations = n;
	return 0;
}

/* What came back stays marked until it was sent again. */
static int
fill_bounces(struct request *rq, const struct application *a, struct view_desk_case *v,
    struct view_desk_case_mails *rows)
{
	struct bounce *list = arena_array(&rq->arena, struct bounce, LIST_MAX);
	size_t n = LIST_MAX;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = bounce_list(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	v->bounced = n > 0;
	for (size_t i = 0; i < v->nmails; i++)
		for (size_t k = 0; k < n; k++)
			if (strcmp(rows[i].id, list[k].outbox) == 0) {
				rows[i].bounced = true;
				rows[i].may_bounce = false;
			}
	return 0;
}

static int
fill_mails(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct application_mail *list = arena_array(&rq->arena, struct application_mail, LIST_MAX);
	struct view_desk_case_mails *rows = arena_array(&rq->arena, struct view_desk_case_mails, LIST_MAX);
	size_t n = LIST_MAX;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = application_mails(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].id = list[i].id;
		rows[i].may_bounce = v->works && strcmp(list[i].state, "sent") == 0;
		rows[i].name = list[i].template;
		rows[i].state = list[i].state;
		rows[i].at = list[i].sent_at != 0 ? list[i].sent_at : list[i].at;
		rows[i].again = v->works && (strcmp(list[i].template, "pkcs12") == 0 ||
		    strcmp(list[i].template, "token_certificate") == 0 ||
		    strcmp(list[i].template, "envelope") == 0 || strcmp(list[i].template, "application_received") == 0 ||
		    strcmp(list[i].template, "contract") == 0);
	}
	v->mails = rows;
	v->nmails = n;
	return fill_bounces(rq, a, v, rows);
}

static int
fill_clock(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct view_desk_case_clock *out = arena_new(&rq->arena, struct view_desk_case_clock);
	struct deadline_clock clock;
	int rv;

	if (a->state < APPLICATION_ISSUED || a->state >= APPLICATION_ACTIVE)
		return 0;
	if (out == NULL)
		return ICERT_E_MEMORY;
	rv = deadline_clock(desk_act(rq), a->id, &clock);
	if (rv != 0)
		return rv == ICERT_E_NOT_FOUND ? 0 : rv;
	out->due = clock.due_at;
	out->stopped = clock.stopped_at;
	out->past = clock.stopped_at == 0 && clock.due_at < clock_business();
	out->extend = (rq->session.roles & ROLE_NATIONAL) != 0;
	v->clock = out;
	return 0;
}

static int
fill_events(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct application_event *list = arena_array(&rq->arena, struct application_event, EVENTS_MAX);
	struct view_desk_case_events *rows = arena_array(&rq->arena, struct view_desk_case_events, EVENTS_MAX);
	size_t n = EVENTS_MAX;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = application_events(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const struct application_event *e = &list[n - 1 - i];

		rows[i].at = e->at;
		rows[i].action = e->action;
		rows[i].refused = strcmp(e->outcome, "refused") == 0;
		rows[i].kind = e->actor_kind;
		rows[i].by = e->actor_name;
	}
	v->events = rows;
	v->nevents = n;
	return 0;
}

static int
fill_certificate(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct view_desk_case_certificate *out = arena_new(&rq->arena, struct view_desk_case_certificate);
	struct certificate *c = arena_new(&rq->arena, struct certificate);
	struct envelope_standing *s = arena_new(&rq->arena, struct envelope_standing);
	int rv;

	if (out == NULL || c == NULL || s == NULL)
		return ICERT_E_MEMORY;
	rv = certificate_of(desk_act(rq), a->id, c);
	if (rv == ICERT_E_NOT_FOUND)
		return 0;
	if (rv != 0)
		return rv;
	out->serial = c->serial;
	out->state = c->state;
	out->not_before = c->not_before;
	out->not_after = c->not_after;
	out->revoked_at = c->revoked_at;
	out->published = c->published;
	out->pkcs12 = c->has_pkcs12;
	out->envelope = c->has_envelope;
	if (c->has_envelope) {
		if ((rv = envelope_standing(desk_act(rq), a->id, s)) != 0 && rv != ICERT_E_NOT_FOUND)
			return rv;
		out->locked = rv == 0 ? s->locked_at : 0;
	}
	v->can_code = (rq->session.roles & DESK_WORKS) && c->published && c->has_envelope && strcmp(c->state, "good") == 0;
	v->can_revoke = (rq->session.roles & ROLE_NATIONAL) && strcmp(c->state, "good") == 0;
	v->state = application_state_seen(a->state, c->state);
	v->certificate = out;
	return 0;
}

/* Colleagues of the province to whom the case may be given. */
static int
fill_operators(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct staff *list = arena_array(&rq->arena, struct staff, LIST_MAX);
	struct view_option *options = arena_array(&rq->arena, struct view_option, LIST_MAX);
	size_t n = LIST_MAX;
	int rv;

	if (list == NULL || options == NULL)
		return ICERT_E_MEMORY;
	if ((rv = staff_operators(desk_act(rq), a->province, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].id, a->operator) == 0)
			continue;
		options[v->noperators].value = list[i].id;
		options[v->noperators].text = list[i].name;
		v->noperators++;
	}
	v->operators = options;
	return 0;
}

/* A renewal that was signed needs no video conference. */
static int
fill_renewal(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	struct renewal *w = arena_new(&rq->arena, struct renewal);
	int rv;

	if (strcmp(a->kind, "renewal") != 0)
		return 0;
	if (w == NULL)
		return ICERT_E_MEMORY;
	rv = renewal_of(desk_act(rq), a->id, w);
	if (rv != 0)
		return rv == ICERT_E_NOT_FOUND ? 0 : rv;
	v->signs = a->state == APPLICATION_ACCEPTED && strcmp(w->state, "unfit") != 0;
	v->renewal = w->identified_at != 0 ? "identified" : w->state;
	v->can_renew = v->mine && a->state == APPLICATION_ACCEPTED && strcmp(w->state, "signed") == 0;
	return 0;
}

#define CAN(action) ((possible & (1u << (action))) != 0)

/* Only what would not be refused is offered; the acts check it all again. */
static void
fill_acts(struct request *rq, const struct application *a, struct view_desk_case *v)
{
	uint32_t possible = transition_possible(a->state, rq->session.roles);
	bool mine = desk_mine(rq, a), works = (rq->session.roles & DESK_WORKS) != 0;

	v->works = works;
	v->mine = mine;
	v->can_take = CAN(ACTION_ASSIGN) && works;
	v->can_release = CAN(ACTION_RELEASE) && mine;
	v->can_give = CAN(ACTION_REASSIGN) || (CAN(ACTION_ASSIGN) && !works);
	v->can_observe = CAN(ACTION_OBSERVE) && mine;
	v->can_accept = CAN(ACTION_ACCEPT) && mine;
	v->can_reject = CAN(ACTION_REJECT) && mine;
	v->can_slot = CAN(ACTION_PROPOSE_SLOT) && mine;
	v->can_unschedule = CAN(ACTION_UNSCHEDULE) && mine;
	v->can_identify = CAN(ACTION_IDENTIFY) && mine;
	v->can_issue = CAN(ACTION_ISSUE) && mine && fields_complete(a);
	v->can_key = CAN(ACTION_ISSUE) && mine && !fields_complete(a);
	v->can_log = works && (a->state == APPLICATION_IN_REVIEW || a->state == APPLICATION_ACCEPTED ||
	    a->state == APPLICATION_SCHEDULED || a->state == APPLICATION_IDENTIFIED || a->state == APPLICATION_OBSERVED);
	v->has_contract = application_is_issued(a->state) && a->state != APPLICATION_ISSUED;
	v->can_receive = CAN(ACTION_RECEIVE_CONTRACT) && works;
	v->issuing = a->state == APPLICATION_ISSUING || application_is_issued(a->state);
}

int
desk_case_page(struct request *rq, int status, struct application *a)
{
	struct view_desk_case v = { 0 };
	struct province *p = arena_new(&rq->arena, struct province);
	int rv;

	if (p == NULL)
		return ICERT_E_MEMORY;
	if ((rv = province_get(desk_act(rq), a->province, p)) != 0)
		return rv;
	v.id = a->id;
	v.version = a->version;
	v.number = a->number;
	v.state = application_state_name(a->state);
	v.name = desk_name(rq, a);
	v.province = p->name;
	v.galapagos = p->galapagos;
	v.operator = a->operator_name;
	v.email = a->email;
	v.container = a->container;
	v.kind = a->kind;
	v.years = a->years;
	v.envelope = a->envelope;
	v.submitted_at = a->submitted_at;
	v.closes_at = transition_possible(a->state, ROLE_CONTACT) & (1u << ACTION_CANCEL) ? a->closes_at : 0;
	v.since = a->state_since;
	v.twin = a->also_open && (a->state == APPLICATION_SUBMITTED || a->state == APPLICATION_IN_REVIEW);
	v.fields_accepted = a->fields_accepted;
	/* The code of an ending; in other states it says how the last step came about. */
	if (a->reason[0] != '\0' && (a->state == APPLICATION_REJECTED || a->state == APPLICATION_CANCELLED ||
	    a->state == APPLICATION_CLOSED_REVOKED))
		v.reason = a->reason;
	fill_acts(rq, a, &v);
	if ((rv = fill_rows(rq, a, &v)) != 0 || (rv = fill_documents(rq, a, &v)) != 0 ||
	    (rv = fill_slot(rq, a, &v)) != 0 || (rv = fill_attempts(rq, a, &v)) != 0 ||
	    (rv = fill_observations(rq, a, &v)) != 0 || (rv = fill_mails(rq, a, &v)) != 0 ||
	    (rv = fill_events(rq, a, &v)) != 0 || (rv = fill_certificate(rq, a, &v)) != 0 ||
	    (rv = fill_clock(rq, a, &v)) != 0 || (rv = fill_renewal(rq, a, &v)) != 0 ||
	    (v.can_give && (rv = fill_operators(rq, a, &v)) != 0))
		return rv;
	return page_send(rq, status, desk_case, &v);
}

static int
case_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : desk_case_page(rq, 200, a);
}

static int
mail_again(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	rv = application_mail_again(desk_act(rq), a->id, rq->id[1]);
	if (rv == ICERT_E_BUSY) {
		page_field_error(rq, NULL, "mail.busy");
		return desk_case_page(rq, 429, a);
	}
	return desk_done(rq, a->id, rv, "sent-again");
}

static int
renewal_taken(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : desk_done(rq, a->id, renewal_identify(desk_act(rq), a->id, request_version(rq)), "desk-renewal");
}

static int
bounced(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : desk_done(rq, a->id, bounce_mark(desk_act(rq), a->id, rq->id[1]), "desk-bounce");
}

const struct route desk_case_routes[] = {
	{ METHOD_GET, "/caso/{id}", DESK_READS, PROVINCE_CASE, 0, case_show },
	{ METHOD_POST, "/caso/{id}/correo/{template}", DESK_WORKS, PROVINCE_CASE, 0, mail_again },
	{ METHOD_POST, "/caso/{id}/renovacion", DESK_WORKS, PROVINCE_CASE, 0, renewal_taken },
	{ METHOD_POST, "/caso/{id}/devuelto/{outbox}", DESK_WORKS, PROVINCE_CASE, 0, bounced },
	{ 0 }
};
