#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "mail/calendar.h"
#include "procedure/application/appointment.h"
#include "procedure/application/identification.h"
#include "procedure/people/staff.h"
#include "web/portal/portal.h"

/* The hour of the video conference, and the consent to it. */

static int
confirm(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (a->state == APPLICATION_SCHEDULED)
		return response_redirect(rq, "/tramite/%s", a->id);
	rv = appointment_confirm(portal_act(rq), a->id, request_version(rq), rq->id[1]);
	/* The hour has passed, or another was proposed meanwhile: the page shows which stands. */
	if (rv == ICERT_E_EXPIRED || rv == ICERT_E_CONFLICT || rv == ICERT_E_NOT_FOUND)
		return response_redirect(rq, "/tramite/%s", a->id);
	if (rv != 0)
		return rv;
	return response_redirect(rq, "/tramite/%s?aviso=confirmed", a->id);
}

static int
consent(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv == 0)
		rv = identification_consent(portal_act(rq), a->id);
	/* Sent twice at the same moment: the other one has noted it, and a repeat is no error. */
	if (rv == ICERT_E_CONFLICT)
		rv = identification_consent(portal_act(rq), a->id);
	return rv != 0 ? rv : response_redirect(rq, "/tramite/%s?aviso=consented", a->id);
}

static const char *
host_of(struct request *rq)
{
	const char *host = strstr(portal_of(rq)->public_url, "://");

	host = host != NULL ? host + 3 : "localhost";
	return arena_strndup(&rq->arena, host, strcspn(host, ":/"));
}

static int
calendar(struct request *rq)
{
	struct calendar_event event = { 0 };
	struct appointment *s = arena_new(&rq->arena, struct appointment);
	struct buf out = BUF_INIT;
	const struct province *p;
	struct application *a;
	bool office;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (s == NULL)
		return ICERT_E_MEMORY;
	if ((rv = appointment_current(portal_act(rq), a->id, s)) != 0)
		return rv;
	event.uid = s->id;
	event.organisation = host_of(rq);
	event.sequence = s->sequence;
	event.stamp = portal_now();
	event.start = s->starts_at;
	event.end = s->ends_at;
	office = strcmp(s->mode, "in_person") == 0;
	event.summary = catalogue(office ? "calendar.summary_office" : "calendar.summary");
	if ((p = portal_office(rq, a->province)) == NULL && office)
		return ICERT_E_UNAVAILABLE;
	event.location = office ? p->address : s->meeting;
	event.description = arena_printf(&rq->arena, "%s %s", catalogue("calendar.case"), a->number);
	event.url = s->meeting[0] != '\0' ? s->meeting : NULL;
	rv = calendar_write(&event, &out);
	if (rv == 0)
		rv = response_file(rq, "text/calendar; charset=utf-8", "cita.ics", out.p, out.len);
	buf_free(&out);
	return rv;
}

const struct route portal_slot_routes[] = {
	{ METHOD_POST, "/tramite/{id}/cita/{id2}", ROLE_CONTACT, PROVINCE_OWN, 0, confirm },
	{ METHOD_GET, "/tramite/{id}/cita.ics", ROLE_CONTACT, PROVINCE_OWN, 0, calendar },
	{ METHOD_POST, "/tramite/{id}/consentimiento", ROLE_CONTACT, PROVINCE_OWN, 0, consent },
	{ 0 }
};
