#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/normalise.h"
#include "libicert/utf8.h"
#include "procedure/application/form.h"
#include "procedure/people/identifier.h"
#include "procedure/people/name.h"

#define JSON_MAX	8192	/* of a stored form */
#define COMMON_NAME_MAX	64	/* characters; RFC 5280, appendix A, ub-common-name */
#define PROVINCES	24

#define FIELD(member, step, in_certificate) \
	{ #member, offsetof(struct application_form, member), sizeof(((struct application_form *)0)->member), step, in_certificate }

const struct application_field application_fields[FORM_FIELDS] = {
	FIELD(id_kind, 1, 0),
	FIELD(id_number, 1, 1),
	FIELD(given_names, 1, 1),
	FIELD(surname1, 1, 1),
	FIELD(surname2, 1, 1),
	FIELD(province, 2, 0),
	FIELD(city, 2, 1),
	FIELD(address, 2, 1),
	FIELD(telephone, 2, 1),
	FIELD(invoices, 3, 0),
	FIELD(ruc, 3, 1),
	FIELD(voting_paper, 4, 0),
	FIELD(voting_reason, 4, 0),
	FIELD(privacy, 4, 0),
};

const struct application_field *
application_field_find(const char *name)
{
	for (size_t i = 0; i < FORM_FIELDS; i++)
		if (strcmp(application_fields[i].name, name) == 0)
			return &application_fields[i];
	return NULL;
}

static char *
at(struct application_form *form, const struct application_field *f)
{
	return (char *)form + f->offset;
}

const char *
application_form_get(const struct application_form *form, const char *name)
{
	const struct application_field *f = application_field_find(name);

	return f != NULL ? (const char *)form + f->offset : "";
}

int
application_form_set(struct application_form *form, const char *name, const char *value)
{
	const struct application_field *f = application_field_find(name);
	char folded[512];
	int error;

	if (f == NULL)
		return ICERT_E_NOT_FOUND;
	if ((error = name_fold(value, folded, sizeof folded)) != 0)
		return error;
	if (strlen(folded) >= f->size)
		return ICERT_E_TOO_LARGE;
	memcpy(at(form, f), folded, strlen(folded) + 1);
	return 0;
}

static int
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* In place; a text that does not fit stays as typed, and is a fault elsewhere. */
static int
to_upper(char *value, size_t size)
{
	char upper[512];

	if (name_upper(value, upper, sizeof upper) != 0 || strlen(upper) >= size)
		return 0;
	memcpy(value, upper, strlen(upper) + 1);
	return 1;
}

static const char *
check_id_kind(struct application_form *f)
{
	return is(f->id_kind, "cedula") || is(f->id_kind, "passport") ? NULL : "form.id_kind.missing";
}

static const char *
check_id_number(struct application_form *f)
{
	static const struct { const char *why, *code; } cedula[] = {
		{ "length", "form.id_number.length" }, { "digits", "form.id_number.digits" },
		{ "province", "form.id_number.province" }, { "third_digit", "form.id_number.third_digit" },
		{ "check_digit", "form.id_number.check_digit" },
	};
	char one[NORMALISED_MAX];
	const char *wrong;

	if (f->id_number[0] == '\0')
		return "form.id_number.missing";
	if (normalise_person(f->id_number, one, sizeof one) != 0 || strlen(one) >= sizeof f->id_number)
		return is(f->id_kind, "passport") ? "form.id_number.passport" : "form.id_number.digits";
	memcpy(f->id_number, one, strlen(one) + 1);
	if (is(f->id_kind, "passport"))
		return identifier_passport(one) == NULL ? NULL : "form.id_number.passport";
	if ((wrong = identifier_cedula(one)) == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof cedula / sizeof cedula[0]; i++)
		if (is(cedula[i].why, wrong))
			return cedula[i].code;
	return "form.id_number.check_digit";
}

static const char *
check_given_names(struct application_form *f)
{
	char full[512];

	if (f->given_names[0] == '\0')
		return "form.given_names.missing";
	if (!to_upper(f->given_names, sizeof f->given_names) || !name_plausible(f->given_names))
		return "form.given_names.characters";
	application_full_name(f, full, sizeof full);
	return utf8_length(full, strlen(full)) <= COMMON_NAME_MAX ? NULL : "form.given_names.too_long";
}

static const char *
check_surname1(struct application_form *f)
{
	if (f->surname1[0] == '\0')
		return "form.surname1.missing";
	return to_upper(f->surname1, sizeof f->surname1) && name_plausible(f->surname1) ? NULL :
	    "form.surname1.characters";
}

static const char *
check_surname2(struct application_form *f)
{
	if (f->surname2[0] == '\0')
		return NULL;
	return to_upper(f->surname2, sizeof f->surname2) && name_plausible(f->surname2) ? NULL :
	    "form.surname2.characters";
}

static const char *
check_province(struct application_form *f)
{
	char *end;
	long province = strtol(f->province, &end, 10);

	if (f->province[0] == '\0' || *end != '\0' || province < 1 || province > PROVINCES)
		return "form.province.missing";
	snprintf(f->province, sizeof f->province, "%ld", province);
	return NULL;
}

static const char *
check_city(struct application_form *f)
{
	if (f->city[0] == '\0')
		return "form.city.missing";
	return to_upper(f->city, sizeof f->city) && name_plausible(f->city) ? NULL : "form.city.characters";
}

static const char *
check_address(struct application_form *f)
{
	if (f->address[0] == '\0')
		return "form.address.missing";
	if (!to_upper(f->address, sizeof f->address))
		return "form.address.characters";
	return utf8_length(f->address, strlen(f->address)) < 5 ? "form.address.short" : NULL;
}

static const char *
check_telephone(struct application_form *f)
{
	char one[20];

	if (f->telephone[0] == '\0')
		return "form.telephone.missing";
	if (identifier_telephone(f->telephone, one, sizeof one) != NULL)
		return "form.telephone.telephone";
	memcpy(f->telephone, one, strlen(one) + 1);
	return NULL;
}

static const char *
check_invoices(struct application_form *f)
{
	if (!is(f->invoices, "yes") && !is(f->invoices, "no"))
		return "form.invoices.missing";
	if (is(f->sold_ruc, "with") && !is(f->invoices, "yes"))
		return "form.invoices.bought_with";
	return is(f->sold_ruc, "without") && !is(f->invoices, "no") ? "form.invoices.bought_without" : NULL;
}

/* The RUC is the holder's own: it begins with the cédula. */
static const char *
check_ruc(struct application_form *f)
{
	static const struct { const char *why, *code; } codes[] = {
		{ "length", "form.ruc.length" }, { "digits", "form.ruc.digits" },
		{ "province", "form.ruc.check_digit" }, { "third_digit", "form.ruc.check_digit" },
		{ "check_digit", "form.ruc.check_digit" }, { "establishment", "form.ruc.establishment" },
	};
	char one[NORMALISED_MAX];
	const char *wrong;

	if (!is(f->invoices, "yes")) {
		f->ruc[0] = '\0';
		return NULL;
	}
	if (f->ruc[0] == '\0')
		return "form.ruc.missing";
	if (normalise_person(f->ruc, one, sizeof one) != 0 || strlen(one) >= sizeof f->ruc)
		return "form.ruc.digits";
	memcpy(f->ruc, one, strlen(one) + 1);
	if ((wrong = identifier_ruc_person(one)) == NULL)
		return is(f->id_kind, "cedula") && strncmp(one, f->id_number, 10) != 0 ? "form.ruc.other_person" : NULL;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (is(codes[i].why, wrong))
			return codes[i].code;
	return "form.ruc.check_digit";
}

static const char *
check_voting_paper(struct application_form *f)
{
	static const char *const kinds[] = { "certificate", "conadis", "passport", "other" };

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (is(f->voting_paper, kinds[i]))
			return NULL;
	return "form.voting_paper.missing";
}

static const char *
check_voting_reason(struct application_form *f)
{
	if (!is(f->voting_paper, "other")) {
		f->voting_reason[0] = '\0';
		return NULL;
	}
	return f->voting_reason[0] != '\0' ? NULL : "form.voting_reason.missing";
}

static const char *
check_privacy(struct application_form *f)
{
	return is(f->privacy, "yes") ? NULL : "form.privacy.missing";
}

/* In the order of application_fields. */
static const char *(*const checks[FORM_FIELDS])(struct application_form *) = {
	check_id_kind, check_id_number, check_given_names, check_surname1, check_surname2, check_province, check_city,
	check_address, check_telephone, check_invoices, check_ruc, check_voting_paper, check_voting_reason, check_privacy,
};

size_t
application_form_check(struct application_form *form, int step, struct form_fault faults[FORM_FAULTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const char *code;

		if (step != 0 && application_fields[i].step != step)
			continue;
		if ((code = checks[i](form)) != NULL)
			faults[n++] = (struct form_fault){ application_fields[i].name, code };
	}
	return n;
}

void
application_full_name(const struct application_form *f, char *out, size_t size)
{
	snprintf(out, size, "%s %s%s%s", f->given_names, f->surname1, f->surname2[0] != '\0' ? " " : "", f->surname2);
}

int
application_form_write(const struct application_form *form, struct buf *out)
{
	json_t *root = json_object();
	char *text = NULL;
	int error = ICERT_E_MEMORY;

	if (root == NULL)
		return error;
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const char *value = (const char *)form + application_fields[i].offset;

		if (json_object_set_new(root, application_fields[i].name, json_string(value)) != 0)
			goto out;
	}
	if (form->kept[0] != '\0' && json_object_set_new(root, "kept", json_string(form->kept)) != 0)
		goto out;
	if ((text = json_dumps(root, JSON_COMPACT)) == NULL)
		goto out;
	buf_puts(out, text);
	bytes_wipe(text, strlen(text));
	error = buf_error(out);
out:
	free(text);
	json_decref(root);
	return error;
}

int
application_form_read(struct application_form *form, const void *json, size_t n)
{
	json_t *root;

	memset(form, 0, sizeof *form);
	if (n == 0)
		return 0;
	if (n > JSON_MAX || (root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		return ICERT_E_MALFORMED;
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const char *value = json_string_value(json_object_get(root, application_fields[i].name));

		if (value != NULL)
			utf8_cut(at(form, &application_fields[i]), application_fields[i].size, value);
	}
	if (json_is_string(json_object_get(root, "kept")))
		utf8_cut(form->kept, sizeof form->kept, json_string_value(json_object_get(root, "kept")));
	json_decref(root);
	return 0;
}

/* Where a page stands in the list, NULL when it does not. */
static const char *
kept_at(const struct application_form *form, const char *page)
{
	size_t n = strlen(page);
	const char *p = form->kept;

	while (*p != '\0') {
		size_t word = strcspn(p, ",");

		if (word == n && strncmp(p, page, n) == 0)
			return p;
		p += word + (p[word] == ',');
	}
	return NULL;
}

int
application_form_kept(const struct application_form *form, const char *page)
{
	return kept_at(form, page) != NULL;
}

void
application_form_confirm(struct application_form *form, const char *page)
{
	char *p = (char *)(uintptr_t)kept_at(form, page), *rest;

	if (p == NULL)
		return;
	rest = p + strlen(page);
	rest += *rest == ',';
	memmove(p, rest, strlen(rest) + 1);
	if (p[0] == '\0' && p > form->kept)
		p[-1] = '\0';
}
