#include <string.h>

#include "libicert/error.h"
#include "procedure/application/form.h"
#include "procedure/people/staff.h"
#include "web/portal/portal.h"

/*
 * The application's questions, one page each.  What is typed is kept at once,
 * right or wrong; a fault is shown beside its field, and the summary shows all.
 */

#define STEP_FIELDS 4

struct step {
	const char *path;
	const char *fields[STEP_FIELDS];
	int (*page)(struct request *, int status, const struct step *, struct application *);
};

static int identity_page(struct request *, int, const struct step *, struct application *);
static int names_page(struct request *, int, const struct step *, struct application *);
static int home_page(struct request *, int, const struct step *, struct application *);
static int telephone_page(struct request *, int, const struct step *, struct application *);
static int ruc_page(struct request *, int, const struct step *, struct application *);
static int voting_page(struct request *, int, const struct step *, struct application *);
static int privacy_page(struct request *, int, const struct step *, struct application *);

static const struct step steps[] = {
	{ "identidad", { "id_kind", "id_number" }, identity_page },
	{ "nombres", { "given_names", "surname1", "surname2" }, names_page },
	{ "domicilio", { "province", "city", "address" }, home_page },
	{ "telefono", { "telephone" }, telephone_page },
	{ "ruc", { "invoices", "ruc" }, ruc_page },
	{ "votacion", { "voting_paper", "voting_reason" }, voting_page },
	{ "privacidad", { "privacy" }, privacy_page },
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static const struct step *
step_by_path(const char *path)
{
	for (size_t i = 0; i < STEPS; i++)
		if (strcmp(steps[i].path, path) == 0)
			return &steps[i];
	return NULL;
}

static bool
has_field(const struct step *s, const char *field)
{
	for (size_t i = 0; i < STEP_FIELDS && s->fields[i] != NULL; i++)
		if (strcmp(s->fields[i], field) == 0)
			return true;
	return false;
}

const char *
portal_step_of_field(struct request *rq, const char *application, const char *field)
{
	for (size_t i = 0; i < STEPS; i++)
		if (has_field(&steps[i], field))
			return arena_printf(&rq->arena, "/solicitud/%s/%s", application, steps[i].path);
	return NULL;
}

bool
portal_unconfirmed(const struct application *a, const char *field)
{
	for (size_t i = 0; i < STEPS; i++)
		if (has_field(&steps[i], field))
			return application_form_kept(&a->form, steps[i].path);
	return false;
}

const char *
portal_next_step(struct request *rq, struct application *a)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	size_t n = application_form_check(&a->form, 0, faults);

	/* Pages in their order: what is wrong, and what came filled and nobody has confirmed. */
	for (size_t i = 0; i < STEPS; i++) {
		if (application_form_kept(&a->form, steps[i].path))
			return arena_printf(&rq->arena, "/solicitud/%s/%s", a->id, steps[i].path);
		if (n > 0 && has_field(&steps[i], faults[0].field))
			break;
	}
	if (n > 0)
		return portal_step_of_field(rq, a->id, faults[0].field);
	return arena_printf(&rq->arena, "/solicitud/%s/documentos", a->id);
}

const char *
portal_asked(struct request *rq, const struct application *a, const char *target)
{
	struct observation *list = arena_array(&rq->arena, struct observation, OBSERVATIONS_MAX);
	size_t n = OBSERVATIONS_MAX;

	if (a->state != APPLICATION_OBSERVED || list == NULL ||
	    application_observations(portal_act(rq), a->id, list, &n) != 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].target, target) == 0)
			return list[i].reason;
	return NULL;
}

/* What was asked of this page's fields, a line each. */
static const char *
asked(struct request *rq, const struct step *s, const struct application *a)
{
	const char *all = NULL;

	if (a->state != APPLICATION_OBSERVED)
		return NULL;
	for (size_t i = 0; i < STEP_FIELDS && s->fields[i] != NULL; i++) {
		const char *one = portal_asked(rq, a, arena_printf(&rq->arena, "form.%s", s->fields[i]));

		if (one != NULL)
			all = all == NULL ? one : arena_printf(&rq->arena, "%s\n%s", all, one);
	}
	return all;
}

/* ---- the pages ---- */

static struct view_field
value(struct request *rq, const struct application *a, const char *name)
{
	return page_field(rq, name, application_form_get(&a->form, name));
}

static const char *
back(struct request *rq, const struct step *s, const struct application *a)
{
	if (a->state != APPLICATION_DRAFT)
		return arena_printf(&rq->arena, "/tramite/%s", a->id);
	if (s == &steps[0])
		return "/mi-tramite";
	return arena_printf(&rq->arena, "/solicitud/%s/%s", a->id, s[-1].path);
}

#define STEP_VIEW(v, s, a) \
	((v).id = (a)->id, (v).version = (a)->version, (v).back = back(rq, (s), (a)), \
	 (v).asked = asked(rq, (s), (a)), (v).kept = application_form_kept(&(a)->form, (s)->path))

static int
identity_page(struct request *rq, int status, const struct step *s, struct application *a)
{
	struct view_portal_step_identity v = { 0 };

	STEP_VIEW(v, s, a);
	v.id_kind = value(rq, a, "id_kind");
	v.id_number = value(rq, a, "id_number");
	return page_send(rq, status, portal_step_identity, &v);
}

static int
names_page(struct request *rq, int status, const struct step *s, struct application *a)
{
	struct view_portal_step_names v = { 0 };

	STEP_VIEW(v, s, a);
	v.given_names = value(rq, a, "given_names");
	v.surname1 = value(rq, a, "surname1");
	v.surname2 = value(rq, a, "surname2");
	return page_send(rq, status, portal_step_names, &v);
}

static int
home_page(struct request *rq, int status, const struct step *s, struct application *a)
{
	struct view_portal_step_home v = { 0 };
	struct province *list = arena_array(&rq->arena, struct province, 32);
	struct view_option *options = arena_array(&rq->arena, struct view_option, 32);
	size_t n = 32;
	int rv;

	if (list == NULL || options == NULL)
		return ICERT_E_MEMORY;
	if ((rv = province_list(portal_act(rq), list, &n)) < 0)
		return rv;
	STEP_VIEW(v, s, a);
	v.province = value(rq, a, "province");
	v.city = value(rq, a, "city");
	v.address = value(rq, a, "address");
	for (size_t i = 0; i < n; i++) {
		struct view_option *o = &options[v.nprovinces];

		if (list[i].id >= PROVINCE_NATIONAL)
			continue;
		o->value = arena_printf(&rq->arena, "%d", list[i].id);
		o->text = list[i].name;
		o->selected = view_equal(o->value, v.province.value);
		v.nprovinces++;
	}
	v.provinces = options;
	return page_send(rq, status, portal_step_home, &v);
}

static int
telephone_page(struct request *rq, int status, const struct step *s, struct application *a)
{
	struct view_portal_step_telephone v = { 0 };

	STEP_VIEW(v, s, a);
	v.telephone = value(rq, a, "telephone");
	return page_send(rq, status, portal_step_telephone, &v);
}

static int
ruc_page(struct request *rq, int status, const struct step *s, struct application *a)
{
	struct view_portal_step_ruc v = { 0 };

	STEP_VIEW(v, s, a);
	v.invoices = value(rq, a, "invoices");
	v.ruc = value(rq, a, "ruc");
	return page_send(rq, status, portal_step_ruc, &v);
}

static int
voting_page(struct request *rq, int status, const struct step *s, struct application *a)
{
	struct view_portal_step_voting v = { 0 };

	STEP_VIEW(v, s, a);
	v.voting_paper = value(rq, a, "voting_paper");
	v.voting_reason = value(rq, a, "voting_reason");
	return page_send(rq, status, portal_step_voting, &v);
}

static int
privacy_page(struct request *rq, int status, const struct step *s, struct application *a)
{
	struct view_portal_step_privacy v = { 0 };

	STEP_VIEW(v, s, a);
	v.privacy = value(rq, a, "privacy");
	v.accepted = view_equal(v.privacy.value, "yes");
	return page_send(rq, status, portal_step_privacy, &v);
}

/* ---- showing and saving ---- */

/* Faults of this page's fields only; the form is brought to its one form on the way. */
static void
note_faults(struct request *rq, const struct step *s, struct application_form *form)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	size_t n = application_form_check(form, 0, faults);

	for (size_t i = 0; i < n; i++)
		if (has_field(s, faults[i].field) && page_error_of(rq, faults[i].field) == NULL)
			page_field_error(rq, faults[i].field, faults[i].code);
}

static bool
may_edit(const struct application *a)
{
	return a->state == APPLICATION_DRAFT || a->state == APPLICATION_OBSERVED;
}

static int
step_of(struct request *rq, const struct step **s, struct application **a)
{
	if ((*s = step_by_path(rq->id[1])) == NULL)
		return ICERT_E_NOT_FOUND;
	return portal_case(rq, a);
}

static int
step_show(struct request *rq)
{
	const struct step *s;
	struct application *a;
	int rv;

	/* Where a button of the application sends to, got: the application. */
	if (step_by_path(rq->id[1]) == NULL)
		return response_redirect(rq, "/solicitud/%s", rq->id[0]);
	if ((rv = step_of(rq, &s, &a)) != 0)
		return rv;
	if (!may_edit(a))
		return response_redirect(rq, "/tramite/%s", a->id);
	return s->page(rq, 200, s, a);
}

/* Takes what was typed into the form; what cannot be kept is an error beside its field. */
static void
take_typed(struct request *rq, const struct step *s, struct application_form *form)
{
	for (size_t i = 0; i < STEP_FIELDS && s->fields[i] != NULL; i++) {
		const char *typed = request_form(rq, s->fields[i]);
		int rv = application_form_set(form, s->fields[i], typed != NULL ? typed : "");

		if (rv == ICERT_E_TOO_LARGE)
			page_field_error(rq, s->fields[i], "field.too_long");
		else if (rv != 0)
			page_field_error(rq, s->fields[i], "field.characters");
	}
}

/*
 * One person, one form: a page that was left open, the back button, or a form
 * sent twice wins over what is stored, so the row's own version is used.
 */
static int
step_save(struct request *rq)
{
	const struct step *s;
	struct application *a;
	int rv = step_of(rq, &s, &a);

	if (rv != 0)
		return rv;
	if (!may_edit(a))
		return response_redirect(rq, "/tramite/%s", a->id);
	take_typed(rq, s, &a->form);
	note_faults(rq, s, &a->form);
	if (!page_has_errors(rq))
		application_form_confirm(&a->form, s->path);
	rv = application_save(portal_act(rq), a->id, a->version, &a->form);
	if (rv == ICERT_E_CONFLICT) {
		struct application_form typed = a->form;

		if ((rv = portal_case(rq, &a)) == 0) {
			a->form = typed;
			rv = application_save(portal_act(rq), a->id, a->version, &a->form);
		}
	}
	if (rv == ICERT_E_DENIED) {
		page_field_error(rq, NULL, "form.not_asked");
		return s->page(rq, 403, s, a);
	}
	if (rv != 0)
		return rv;
	if (page_has_errors(rq))
		return s->page(rq, 422, s, a);
	if (a->state == APPLICATION_OBSERVED)
		return response_redirect(rq, "/tramite/%s?aviso=saved", a->id);
	return response_redirect(rq, "%s", portal_next_step(rq, a));
}

static int
start(struct request *rq)
{
	struct application *a;
	int rv = portal_case(rq, &a);

	if (rv != 0)
		return rv;
	if (a->state != APPLICATION_DRAFT)
		return response_redirect(rq, "/tramite/%s", a->id);
	return response_redirect(rq, "%s", portal_next_step(rq, a));
}

const struct route portal_form_routes[] = {
	{ METHOD_GET, "/solicitud/{id}", ROLE_CONTACT, PROVINCE_OWN, 0, start },
	{ METHOD_GET, "/solicitud/{id}/{step}", ROLE_CONTACT, PROVINCE_OWN, 0, step_show },
	{ METHOD_POST, "/solicitud/{id}/{step}", ROLE_CONTACT, PROVINCE_OWN, ROUTE_PARK, step_save },
	{ 0 }
};
