#include "mail/letter.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"

static const char *const names[MAIL_TEMPLATES] = {
	[MAIL_CODE] = "code",
	[MAIL_ORDER_CREATED] = "order_created",
	[MAIL_PAYMENT_RECEIVED] = "payment_received",
	[MAIL_PAYMENT_REJECTED] = "payment_rejected",
	[MAIL_PAYMENT_CHECKING] = "payment_checking",
	[MAIL_REFUNDED] = "refunded",
	[MAIL_APPLICATION_RECEIVED] = "application_received",
	[MAIL_TO_MEND] = "to_mend",
	[MAIL_ACCEPTED] = "accepted",
	[MAIL_REJECTED] = "rejected",
	[MAIL_SLOT_PROPOSED] = "slot_proposed",
	[MAIL_SLOT_CONFIRMED] = "slot_confirmed",
	[MAIL_PKCS12] = "pkcs12",
	[MAIL_ENVELOPE] = "envelope",
	[MAIL_CONTRACT] = "contract",
	[MAIL_REVOKED] = "revoked",
	[MAIL_CANCELLED] = "cancelled",
	[MAIL_STAFF_QUEUE] = "staff_queue",
	[MAIL_DEADLINE_WARNING] = "deadline_warning",
	[MAIL_SLOT_REMINDER] = "slot_reminder",
	[MAIL_STAFF_BREAKER] = "staff_breaker",
	[MAIL_STAFF_JOURNAL] = "staff_journal",
	[MAIL_EXPIRES] = "expires",
	[MAIL_CONTRACT_REMINDER] = "contract_reminder",
	[MAIL_CLOCK_MOVED] = "clock_moved",
	[MAIL_ENVELOPE_CODE] = "envelope_code",
	[MAIL_RENEWAL] = "renewal",
	[MAIL_CONTRACT_INVALID] = "contract_invalid",
	[MAIL_CONTRACT_RETURNED] = "contract_returned",
	[MAIL_CONTRACT_COMPLETE] = "contract_complete",
	[MAIL_TOKEN_CERTIFICATE] = "token_certificate",
	[MAIL_INVOICE] = "invoice",
	[MAIL_INVOICE_PAYER] = "invoice_payer",
	[MAIL_INVOICE_COPY] = "invoice_copy",
};

const char *
mail_template_name(enum mail_template template)
{
	return template > 0 && template < MAIL_TEMPLATES ? names[template] : NULL;
}

enum mail_template
mail_template_find(const char *name)
{
	int i;

	for (i = 1; i < MAIL_TEMPLATES; i++)
		if (strcmp(names[i], name) == 0)
			return (enum mail_template)i;
	return 0;
}

/* A credit note (variable "note") comes in an invoice's mails, under a subject of its own. */
static const char *
subject_of(const char *name, view_lookup lookup, void *ctx)
{
	const char *subject = NULL;
	char code[64];

	if (view_true(lookup(ctx, "note"))) {
		snprintf(code, sizeof(code), "mail.%s.subject.note", name);
		subject = catalogue(code);
	}
	snprintf(code, sizeof(code), "mail.%s.subject", name);
	return subject != NULL ? subject : catalogue(code);
}

int
letter_compose(enum mail_template template, view_lookup lookup, void *ctx, struct letter *out)
{
	const char *name = mail_template_name(template);
	char view[64];
	int error;

	memset(out, 0, sizeof(*out));
	if (name == NULL)
		return ICERT_E_NOT_FOUND;
	if ((out->subject = subject_of(name, lookup, ctx)) == NULL)
		return ICERT_E_NOT_FOUND;
	snprintf(view, sizeof(view), "mail/%s", name);
	error = view_render_named(&out->html, view, lookup, ctx);
	if (error == 0) {
		snprintf(view, sizeof(view), "mail/%s.txt", name);
		error = view_render_named(&out->text, view, lookup, ctx);
	}
	if (error == 0)
		error = buf_error(&out->html) != 0 ? buf_error(&out->html) : buf_error(&out->text);
	if (error != 0)
		letter_free(out);
	return error;
}

void
letter_free(struct letter *letter)
{
	buf_free(&letter->text);
	buf_free(&letter->html);
}

struct letter_variables {
	json_t *json;
};

int
letter_variables_pack(const struct outbox_variable *variables, size_t n, struct buf *out)
{
	json_t *json = json_object();
	char *text = NULL;
	size_t i;
	int error = 0;

	for (i = 0; error == 0 && i < n; i++) {
		const char *value = variables[i].value == NULL ? "" : variables[i].value;

		if (json_object_set_new(json, variables[i].name, json_string(value)) != 0)
			error = ICERT_E_INVALID;
	}
	if (error == 0 && (text = json_dumps(json, JSON_COMPACT)) == NULL)
		error = ICERT_E_MEMORY;
	if (error == 0) {
		buf_puts(out, text);
		error = buf_error(out);
	}
	if (text != NULL)
		bytes_wipe(text, strlen(text));
	free(text);
	json_decref(json);
	return error;
}

int
letter_variables_open(const void *text, size_t len, struct letter_variables **out)
{
	struct letter_variables *variables = calloc(1, sizeof(*variables));

	*out = NULL;
	if (variables == NULL)
		return ICERT_E_MEMORY;
	variables->json = len == 0 ? json_object() : json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(variables->json)) {
		letter_variables_free(variables);
		return ICERT_E_MALFORMED;
	}
	*out = variables;
	return 0;
}

void
letter_variables_free(struct letter_variables *variables)
{
	if (variables == NULL)
		return;
	json_decref(variables->json);
	free(variables);
}

int
letter_variables_set(struct letter_variables *variables, const char *name, const char *value)
{
	return json_object_set_new(variables->json, name, json_string(value)) == 0 ? 0 : ICERT_E_INVALID;
}

const char *
letter_variables_get(void *variables, const char *name)
{
	return json_string_value(json_object_get(((struct letter_variables *)variables)->json, name));
}
