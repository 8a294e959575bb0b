#include <string.h>

#include "libicert/error.h"
#include "procedure/application/appointment.h"
#include "procedure/application/document.h"
#include "procedure/application/fields.h"
#include "procedure/application/identification.h"
#include "web/desk/desk.h"

/* The video conference: the checklist, the second cédula, the face, the envelope. */

#define LIST_MAX 64

/* What the applicant wrote, beside the item that is read aloud. */
static const char *
value_of(struct request *rq, const struct application *a, const char *item)
{
	const struct application_form *f = &a->form;

	if (strcmp(item, "email") == 0)
		return a->email;
	if (strcmp(item, "names") == 0)
		return desk_name(rq, a);
	if (strcmp(item, "ruc") == 0)
		return f->ruc[0] != '\0' ? f->ruc : catalogue("desk.check.no_ruc");
	if (strcmp(item, "cedula") == 0)
		return f->id_number;
	if (strcmp(item, "address") == 0)
		return arena_printf(&rq->arena, "%s, %s", f->address, f->city);
	if (strcmp(item, "telephone") == 0)
		return f->telephone;
	if (strcmp(item, "container") == 0)
		return catalogue(arena_printf(&rq->arena, "container.%s", a->container));
	return NULL;
}

static int
fill_files(struct request *rq, const struct application *a, struct view_desk_identify *v)
{
	struct document *list = arena_array(&rq->arena, struct document, LIST_MAX);
	size_t n = LIST_MAX;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = document_list(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const char *href = arena_printf(&rq->arena, "/caso/%s/archivo/%s", a->id, list[i].id);

		if (strcmp(list[i].kind, DOCUMENT_CEDULA) == 0)
			v->cedula_href = href;
		else if (strcmp(list[i].kind, DOCUMENT_SECOND_CEDULA) == 0) {
			v->second_href = href;
			v->second_at = list[i].at;
			v->second_by_staff = list[i].by_staff;
		} else if (strcmp(list[i].kind, DOCUMENT_FACE) == 0) {
			v->face_href = href;
			v->face_id = list[i].id;
			v->face_width = list[i].width;
			v->face_height = list[i].height;
			v->face_override = list[i].background == -1;
		}
	}
	return 0;
}

static int
fill_slot(struct request *rq, const struct application *a, struct view_desk_identify *v)
{
	struct appointment *s = arena_new(&rq->arena, struct appointment);
	int rv;

	if (s == NULL)
		return ICERT_E_MEMORY;
	rv = appointment_current(desk_act(rq), a->id, s);
	if (rv == 0) {
		v->slot = s->starts_at;
		v->meeting = s->meeting;
		v->office = strcmp(s->mode, "in_person") == 0;
	}
	return rv == ICERT_E_NOT_FOUND ? 0 : rv;
}

static int
identify_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_identify v = { 0 };
	struct identification *i = arena_new(&rq->arena, struct identification);
	struct view_desk_identify_items *items = arena_array(&rq->arena, struct view_desk_identify_items, CHECK_ITEMS);
	int rv;

	if (i == NULL || items == NULL)
		return ICERT_E_MEMORY;
	if ((rv = identification_get(desk_act(rq), a->id, i)) != 0 || (rv = fill_files(rq, a, &v)) != 0 ||
	    (rv = fill_slot(rq, a, &v)) != 0)
		return rv;
	for (size_t k = 0; k < CHECK_ITEMS; k++) {
		items[k].item = i->item[k].item;
		items[k].value = value_of(rq, a, i->item[k].item);
		items[k].ticked = i->item[k].ticked;
		items[k].at = i->item[k].at;
		items[k].by = i->item[k].by_name;
	}
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.version = a->version;
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.identification = a->form.id_number;
	v.items = items;
	v.nitems = CHECK_ITEMS;
	v.all = i->ticked == CHECK_ITEMS;
	v.envelope = i->envelope;
	v.envelope_confirmed = i->envelope_confirmed;
	v.typed = page_field(rq, "envelope", NULL);
	v.consent = i->consent;
	v.fields = a->fields_accepted;
	v.ready = v.all && i->has_second_cedula && i->has_face && i->envelope_confirmed && i->consent;
	return page_send(rq, status, desk_identify, &v);
}

/* Identification happens in `scheduled`; elsewhere the case's page says what stands. */
static int
identify_case(struct request *rq, struct application **a)
{
	int rv = desk_case(rq, a);

	if (rv == 0 && (*a)->state != APPLICATION_SCHEDULED)
		return response_redirect(rq, "/caso/%s", (*a)->id) == 0 ? 1 : ICERT_E_INVALID;
	return rv;
}

static int
show(struct request *rq)
{
	struct application *a;
	int rv = identify_case(rq, &a);

	return rv != 0 ? (rv > 0 ? 0 : rv) : identify_page(rq, 200, a);
}

/* Ticks are kept one by one, with who and when; those that did not change keep theirs. */
static int
tick(struct request *rq)
{
	struct identification *i = arena_new(&rq->arena, struct identification);
	struct application *a;
	int rv = identify_case(rq, &a);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	if (i == NULL)
		return ICERT_E_MEMORY;
	rv = identification_get(desk_act(rq), a->id, i);
	for (size_t k = 0; rv == 0 && k < CHECK_ITEMS; k++) {
		int wanted = request_form(rq, i->item[k].item) != NULL;

		if (wanted != i->item[k].ticked)
			rv = identification_tick(desk_act(rq), a->id, i->item[k].item, wanted);
	}
	if (rv != 0)
		return desk_done(rq, a->id, rv, "saved");
	return response_redirect(rq, "/caso/%s/identificacion?aviso=saved", a->id);
}

static int
envelope(struct request *rq)
{
	const char *number = request_form(rq, "envelope");
	struct application *a;
	int rv = identify_case(rq, &a);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	rv = identification_envelope(desk_act(rq), a->id, number != NULL ? number : "");
	if (rv == ICERT_E_MISMATCH || rv == ICERT_E_INVALID) {
		page_field_error(rq, "envelope", "desk.envelope.other");
		return identify_page(rq, 422, a);
	}
	if (rv != 0)
		return desk_done(rq, a->id, rv, "saved");
	return response_redirect(rq, "/caso/%s/identificacion?aviso=desk-envelope", a->id);
}

static int
consent(struct request *rq)
{
	struct application *a;
	int rv = identify_case(rq, &a);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	if ((rv = identification_consent(desk_act(rq), a->id)) != 0)
		return desk_done(rq, a->id, rv, "saved");
	return response_redirect(rq, "/caso/%s/identificacion?aviso=desk-consent", a->id);
}

static int
done(struct request *rq)
{
	struct application *a;
	int rv = identify_case(rq, &a);

	if (rv != 0)
		return rv > 0 ? 0 : rv;
	rv = identification_done(desk_act(rq), a->id, request_version(rq));
	if (rv == ICERT_E_MISSING) {
		page_field_error(rq, NULL, "desk.identify.missing");
		return identify_page(rq, 422, a);
	}
	if (rv != 0)
		return desk_done(rq, a->id, rv, "desk-identified");
	return response_redirect(rq, "/caso/%s/%s?aviso=desk-identified", a->id, fields_complete(a) ? "emitir" : "token");
}

const struct route desk_identify_routes[] = {
	{ METHOD_GET, "/caso/{id}/identificacion", DESK_WORKS, PROVINCE_CASE, 0, show },
	{ METHOD_POST, "/caso/{id}/identificacion/puntos", DESK_WORKS, PROVINCE_CASE, 0, tick },
	{ METHOD_POST, "/caso/{id}/identificacion/sobre", DESK_WORKS, PROVINCE_CASE, 0, envelope },
	{ METHOD_POST, "/caso/{id}/identificacion/consentimiento", DESK_WORKS, PROVINCE_CASE, 0, consent },
	{ METHOD_POST, "/caso/{id}/identificacion/hecha", DESK_WORKS, PROVINCE_CASE, 0, done },
	{ 0 }
};
