#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/document.h"
#include "procedure/people/staff.h"
#include "web/portal/portal.h"

/* The summary before sending, sending, giving up. */

#define DOCUMENTS_MAX 16

static const char *const asked[] = { DOCUMENT_CEDULA, DOCUMENT_VOTING, DOCUMENT_UTILITY };
#define ASKED (sizeof(asked) / sizeof(asked[0]))

/* A value as a person reads it: choices by their sentence, a province by its name. */
static const char *
readable(struct request *rq, const char *field, const char *value)
{
	char code[64];

	if (*value == '\0')
		return NULL;
	if (strcmp(field, "province") == 0) {
		struct province *p = arena_new(&rq->arena, struct province);

		return p != NULL && province_get(portal_act(rq), atoi(value), p) == 0 ? p->name : value;
	}
	if (strcmp(field, "privacy") == 0)
		return catalogue("value.privacy.yes");
	if (strcmp(field, "id_kind") == 0 || strcmp(field, "invoices") == 0 || strcmp(field, "voting_paper") == 0) {
		snprintf(code, sizeof(code), "value.%s", value);
		return catalogue(code) != NULL ? catalogue(code) : value;
	}
	return value;
}

/* Fields that are not asked of this person are not shown as missing. */
static bool
shown(const struct application_form *f, const char *field)
{
	const char *value = application_form_get(f, field);

	if (strcmp(field, "ruc") == 0)
		return strcmp(f->invoices, "yes") == 0;
	if (strcmp(field, "voting_reason") == 0)
		return strcmp(f->voting_paper, "other") == 0;
	return strcmp(field, "surname2") != 0 || *value != '\0';
}

static void
fill_rows(struct request *rq, struct application *a, struct view_portal_summary *v,
    struct view_portal_summary_rows *rows)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	size_t n = application_form_check(&a->form, 0, faults);

	v->kept = a->form.kept[0] != '\0' ? portal_next_step(rq, a) : NULL;
	v->complete = n == 0 && a->form.kept[0] == '\0';
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const char *field = application_fields[i].name;
		const char *value = application_form_get(&a->form, field);
		struct view_portal_summary_rows *r = &rows[v->nrows];

		if (!shown(&a->form, field))
			continue;
		r->label = field;
		r->value = readable(rq, field, value);
		r->change = portal_step_of_field(rq, a->id, field);
		for (size_t j = 0; j < n; j++)
			if (strcmp(faults[j].field, field) == 0 && *value != '\0')
				r->error = catalogue(faults[j].code);
		r->kept = r->error == NULL && portal_unconfirmed(a, field);
		v->nrows++;
	}
	v->rows = rows;
}

static int
fill_documents(struct request *rq, const struct application *a, struct view_portal_summary *v,
    struct view_portal_summary_documents *rows)
{
	struct document *list = arena_array(&rq->arena, struct document, DOCUMENTS_MAX);
	size_t n = DOCUMENTS_MAX;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = document_list(portal_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < ASKED; i++) {
		rows[i].kind = asked[i];
		rows[i].change = arena_printf(&rq->arena, "/tramite/%s/documento/%s", a->id, asked[i]);
		for (size_t j = 0; j < n; j++)
			rows[i].done = rows[i].done || strcmp(list[j].kind, asked[i]) == 0;
		v->complete = v->complete && rows[i].done;
	}
	v->documents = rows;
	v->ndocuments = ASKED;
	return 0;
}

static int
summary_page(struct request *rq, int status, struct application *a)
{
	struct view_portal_summary v = { 0 };
	struct view_portal_summary_rows *rows =
	    arena_array(&rq->arena, struct view_portal_summary_rows, FORM_FIELDS);
	struct view_portal_summary_documents *documents =
	    arena_array(&rq->arena, struct view_portal_summary_documents, ASKED);
	int rv;

	if (rows == NULL || documents == NULL)
		return ICERT_E_MEMORY;
	v.id = a->id;
	v.version = a->version;
	v.back = arena_printf(&rq->arena, "/solicitud/%s/documentos", a->id);
	fill_rows(rq, a, &v, rows);
	if ((rv = fill_documents(rq, a, &v, documents)) != 0)
		return rv;
	return page_send(rq, status, portal_summary, &v);
}

static int
summary_show(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (a->state != APPLICATION_DRAFT)
		return response_redirect(rq, "/tramite/%s", a->id);
	return summary_page(rq, 200, a);
}

/* One open application a person: the owner of the mailbox is told which, with choices. */
static int
second_page(struct request *rq, const struct application *a, const struct application *other)
{
	struct view_portal_second v = { 0 };

	v.id = a->id;
	v.other = other->id;
	v.number = other->number;
	v.state = application_state_name(other->state);
	return page_send(rq, 409, portal_second, &v);
}

static int
submit(struct request *rq)
{
	const struct application *other;
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	/* Sent twice, or from a page of before: it is submitted already. */
	if (a->state != APPLICATION_DRAFT)
		return response_redirect(rq, "/tramite/%s", a->id);
	if ((other = portal_open_case(rq, a->id, a->form.id_number, false)) != NULL)
		return second_page(rq, a, other);
	rv = application_submit(portal_act(rq), a->id, request_version(rq));
	/* Sent twice at the same moment: the other one has submitted it. */
	if ((rv == ICERT_E_CONFLICT || rv == ICERT_E_STATE) && portal_case(rq, &a) == 0 && a->state != APPLICATION_DRAFT)
		rv = 0;
	switch (rv) {
	case 0:
		return response_redirect(rq, "/tramite/%s?aviso=submitted", a->id);
	case ICERT_E_INVALID:
		page_field_error(rq, NULL, "form.incomplete");
		return summary_page(rq, 422, a);
	case ICERT_E_MISSING:
		page_field_error(rq, NULL, "document.missing");
		return summary_page(rq, 422, a);
	case ICERT_E_CONFLICT:
		/* Another tab changed it: what is there now is shown for checking. */
		page_field_error(rq, NULL, "error.conflict");
		return summary_page(rq, 409, a);
	default:
		return rv;
	}
}

static int
cancel_show(struct request *rq)
{
	struct view_portal_cancel v = { 0 };
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	/* From a page of before, or a draft, which goes by itself: nothing to give up here. */
	if (!(transition_possible(a->state, ROLE_CONTACT) & (1u << ACTION_CANCEL)))
		return response_redirect(rq, "/tramite/%s", a->id);
	v.id = a->id;
	v.version = a->version;
	v.number = a->number;
	return page_send(rq, 200, portal_cancel, &v);
}

static int
cancel(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (a->state == APPLICATION_CANCELLED)
		return response_redirect(rq, "/mi-tramite");
	rv = application_cancel(portal_act(rq), a->id, request_version(rq));
	if ((rv == ICERT_E_CONFLICT || rv == ICERT_E_STATE) && portal_case(rq, &a) == 0 && a->state == APPLICATION_CANCELLED)
		rv = 0;
	if (rv != 0)
		return rv;
	return response_redirect(rq, "/mi-tramite?aviso=cancelled");
}

const struct route portal_submit_routes[] = {
	{ METHOD_GET, "/solicitud/{id}/resumen", ROLE_CONTACT, PROVINCE_OWN, 0, summary_show },
	{ METHOD_POST, "/solicitud/{id}/enviar", ROLE_CONTACT, PROVINCE_OWN, 0, submit },
	{ METHOD_GET, "/tramite/{id}/cancelar", ROLE_CONTACT, PROVINCE_OWN, 0, cancel_show },
	{ METHOD_POST, "/tramite/{id}/cancelar", ROLE_CONTACT, PROVINCE_OWN, 0, cancel },
	{ 0 }
};
