/* What people type of themselves: one field's text, or the whole form as it is kept (JSON). */
#include "procedure/order/billing.h"
#include "procedure/application/form.h"
#include "procedure/people/identifier.h"
#include "procedure/people/name.h"

#include "libicert/id.h"
#include "libicert/normalise.h"
#include "libicert/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A form that has been brought to its one form stays as it is. */
static void
form(const uint8_t *data, size_t len)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	struct application_form a, b;
	struct buf json = BUF_INIT;
	struct billing_fault wrong[BILLING_FAULTS_MAX];
	struct billing bill;
	size_t n;

	if (application_form_read(&a, data, len) == 0) {
		n = application_form_check(&a, 0, faults);
		if (n > FORM_FAULTS_MAX || application_form_write(&a, &json) != 0 || application_form_read(&b, json.p, json.len) != 0)
			abort();
		if (n == 0 && (application_form_check(&b, 0, faults) != 0 || strcmp(a.id_number, b.id_number) != 0 ||
		    strcmp(a.telephone, b.telephone) != 0 || strcmp(a.surname1, b.surname1) != 0))
			abort();
	}
	if (billing_read(&bill, data, len) == 0 && billing_check(&bill, wrong) > BILLING_FAULTS_MAX)
		abort();
	buf_free(&json);
}

static void
field(const char *text)
{
	char out[64], again[64];
	uint8_t raw[ID_RAW];
	int doubtful;

	if (normalise_person(text, out, sizeof(out)) == 0) {
		if (normalise_person(out, again, sizeof(again)) != 0 || strcmp(out, again) != 0)
			abort();
		identifier_cedula(out);
		identifier_passport(out);
		identifier_ruc_person(out);
		identifier_ruc(out, &doubtful);
	}
	if (normalise_email(text, out, sizeof(out)) == 0) {
		if (normalise_email(out, again, sizeof(again)) != 0 || strcmp(out, again) != 0)
			abort();
		identifier_email(out);
	}
	if (identifier_telephone(text, out, sizeof(out)) == NULL &&
	    (out[0] != '+' || identifier_telephone(out, again, sizeof(again)) != NULL || strcmp(out, again) != 0))
		abort();
	if (name_upper(text, out, sizeof(out)) == 0 &&
	    (!utf8_valid(out, strlen(out)) || name_upper(out, again, sizeof(again)) != 0 || strcmp(out, again) != 0))
		abort();
	name_plausible(text);
	if (id_raw(text, raw) == 0) {
		id_text(raw, out);
		if (strcasecmp(text, out) != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	memcpy(text, data, len);
	text[len] = '\0';
	field(text);
	form(data, len);
	free(text);
	return 0;
}
