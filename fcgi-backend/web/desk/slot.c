#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/application/appointment.h"
#include "procedure/application/contact_attempt.h"
#include "procedure/policy.h"
#include "procedure/people/staff.h"
#include "procedure/certificate/token.h"
#include "web/desk/desk.h"

/* The hour of the video conference, or of the appointment at the office, and the attempts to agree it. */

#define DEFAULT_MINUTES		30

static const char *const modes[] = { "video", "in_person", "remote", NULL };
static const char *const release_reasons[] = { "no_show", "moved", "operator_late", NULL };

static int
slot_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_slot v = { 0 };
	struct province *p = arena_new(&rq->arena, struct province);
	int64_t local = clock_business() + DESK_OFFSET_S + 86400;
	char day[16], minutes[16];
	time_t t = (time_t)local;
	struct tm tm;
	int rv;

	if (p == NULL)
		return ICERT_E_MEMORY;
	if ((rv = province_get(desk_act(rq), a->province, p)) != 0)
		return rv;
	gmtime_r(&t, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	snprintf(minutes, sizeof(minutes), "%lld",
	    (long long)policy_int(desk_act(rq), "appointment.minutes", DEFAULT_MINUTES));
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.version = a->version;
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.telephone = a->form.telephone;
	v.galapagos = p->galapagos;
	v.day = page_field(rq, "day", arena_strdup(&rq->arena, day));
	v.hour = page_field(rq, "hour", NULL);
	v.minutes = page_field(rq, "minutes", arena_strdup(&rq->arena, minutes));
	/* A first token is handed over at the office, and nowhere else. */
	v.office = strcmp(a->container, CONTAINER_TOKEN) == 0 && strcmp(a->kind, "new") == 0;
	v.place = p->address;
	v.mode = page_field(rq, "mode", v.office ? "in_person" : "video");
	v.modes = desk_options(rq, modes, "desk.mode.", v.mode.value, &v.nmodes);
	v.meeting = page_field(rq, "meeting", NULL);
	return page_send(rq, status, desk_slot, &v);
}

/* What an hour stands on: a case that was accepted. */
static int
slot_case(struct request *rq, struct application **a)
{
	int rv = desk_case(rq, a);

	if (rv == 0 && (*a)->state != APPLICATION_ACCEPTED)
		return response_redirect(rq, "/caso/%s", (*a)->id) == 0 ? 1 : ICERT_E_INVALID;
	return rv;
}

static int
slot_show(struct request *rq)
{
	struct application *a;
	int rv = slot_case(rq, &a);

	return rv != 0 ? (rv > 0 ? 0 : rv) : slot_page(rq, 200, a);
}

/* Reads what was typed; faults are noted beside their fields. */
static void
read_slot(struct request *rq, struct appointment *s)
{
	const char *mode = request_form(rq, "mode"), *meeting = request_form(rq, "meeting");
	const char *minutes = request_form(rq, "minutes");
	int length = minutes != NULL ? atoi(minutes) : 0;
	bool person = mode != NULL && strcmp(mode, "in_person") == 0;

	memset(s, 0, sizeof(*s));
	s->starts_at = desk_moment(request_form(rq, "day"), request_form(rq, "hour"));
	if (s->starts_at < 0)
		page_field_error(rq, "hour", "desk.slot.hour");
	else if (s->starts_at <= clock_business())
		page_field_error(rq, "hour", "desk.slot.past");
	if (length < 5 || length > 240)
		page_field_error(rq, "minutes", "desk.slot.minutes");
	s->ends_at = s->starts_at + length * 60;
	snprintf(s->mode, sizeof(s->mode), "%s", mode != NULL ? mode : "");
	if (mode == NULL || (strcmp(mode, "video") != 0 && strcmp(mode, "remote") != 0 && !person))
		page_field_error(rq, "mode", "desk.slot.mode");
	meeting = meeting != NULL ? meeting + strspn(meeting, " ") : "";
	if (!person && (strncmp(meeting, "https://", 8) != 0 || strlen(meeting) >= sizeof(s->meeting) ||
	    strpbrk(meeting, " \"<>\\") != NULL))
		page_field_error(rq, "meeting", "desk.slot.meeting");
	snprintf(s->meeting, sizeof(s->meeting), "%s", person ? "" : meeting);
}

static int
slot_send(struct request *rq)
{
	struct appointment *s = arena_new(&rq->arena, struct appointment);
	const char *how = request_form(rq, "how");
	struct application *a;
	int rv = slot_case(rq, &a);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	if (s == NULL)
		return ICERT_E_MEMORY;
	read_slot(rq, s);
	if (page_has_errors(rq))
		return slot_page(rq, 422, a);
	if (how != NULL && strcmp(how, "agreed") == 0)
		rv = appointment_agreed(desk_act(rq), a->id, request_version(rq), s);
	else
		rv = appointment_propose(desk_act(rq), a->id, request_version(rq), s);
	if (rv == ICERT_E_INVALID && strcmp(a->container, CONTAINER_TOKEN) == 0 && strcmp(s->mode, "in_person") != 0) {
		page_field_error(rq, "mode", "desk.slot.office");
		return slot_page(rq, 422, a);
	}
	if (rv == ICERT_E_INVALID) {
		page_field_error(rq, "day", "desk.slot.far");
		return slot_page(rq, 422, a);
	}
	/* One hour stands at a time: somebody, or the same button pressed twice, has just agreed one. */
	if (rv == ICERT_E_EXISTS)
		rv = ICERT_E_CONFLICT;
	return desk_done(rq, a->id, rv, how != NULL && strcmp(how, "agreed") == 0 ? "desk-agreed" : "desk-proposed");
}

static int
slot_release(struct request *rq)
{
	const char *reason = request_form(rq, "reason");
	struct application *a;
	bool known = false;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	for (size_t i = 0; release_reasons[i] != NULL; i++)
		known = known || (reason != NULL && strcmp(reason, release_reasons[i]) == 0);
	if (!known) {
		page_field_error(rq, "reason", "desk.release.missing");
		return desk_case_page(rq, 422, a);
	}
	rv = appointment_release(desk_act(rq), a->id, request_version(rq), reason);
	return desk_done(rq, a->id, rv, "desk-unscheduled");
}

/* ---- attempts to reach the applicant ---- */

static int
attempt_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_attempt v = { 0 };

	v.id = a->id;
	v.back = desk_href(rq, a);
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.telephone = a->form.telephone;
	v.channel = page_field(rq, "channel", "telephone");
	v.channels = desk_options(rq, contact_channels, "desk.channel.", v.channel.value, &v.nchannels);
	v.outcome = page_field(rq, "outcome", NULL);
	v.outcomes = desk_options(rq, contact_outcomes, "desk.outcome.", v.outcome.value, &v.noutcomes);
	v.note = page_field(rq, "note", NULL);
	return page_send(rq, status, desk_attempt, &v);
}

static int
attempt_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : attempt_page(rq, 200, a);
}

static int
attempt_send(struct request *rq)
{
	const char *channel = request_form(rq, "channel"), *outcome = request_form(rq, "outcome");
	const char *note = request_form(rq, "note");
	struct contact_attempt *t = arena_new(&rq->arena, struct contact_attempt);
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if (t == NULL)
		return ICERT_E_MEMORY;
	if (channel == NULL || channel[0] == '\0')
		page_field_error(rq, "channel", "desk.attempt.channel");
	if (outcome == NULL || outcome[0] == '\0')
		page_field_error(rq, "outcome", "desk.attempt.outcome");
	if (note != NULL && strlen(note) >= sizeof(t->note))
		page_field_error(rq, "note", "field.too_long");
	if (page_has_errors(rq))
		return attempt_page(rq, 422, a);
	snprintf(t->channel, sizeof(t->channel), "%s", channel);
	snprintf(t->outcome, sizeof(t->outcome), "%s", outcome);
	snprintf(t->note, sizeof(t->note), "%s", note != NULL ? note : "");
	rv = contact_attempt_add(desk_act(rq), a->id, t);
	return desk_done(rq, a->id, rv, "desk-noted");
}

const struct route desk_slot_routes[] = {
	{ METHOD_GET, "/caso/{id}/cita", DESK_WORKS, PROVINCE_CASE, 0, slot_show },
	{ METHOD_POST, "/caso/{id}/cita", DESK_WORKS, PROVINCE_CASE, ROUTE_PARK, slot_send },
	{ METHOD_POST, "/caso/{id}/cita/soltar", DESK_WORKS, PROVINCE_CASE, 0, slot_release },
	{ METHOD_GET, "/caso/{id}/contacto", DESK_WORKS, PROVINCE_CASE, 0, attempt_show },
	{ METHOD_POST, "/caso/{id}/contacto", DESK_WORKS, PROVINCE_CASE, ROUTE_PARK | ROUTE_ONCE, attempt_send },
	{ 0 }
};
