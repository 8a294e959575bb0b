#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "procedure/people/login.h"
#include "procedure/mailing.h"
#include "procedure/people/staff.h"

const char *
mailing_moment(int64_t at, char out[MAILING_MOMENT])
{
	snprintf(out, MAILING_MOMENT, "%" PRId64, at);
	return out;
}

/* with_token: a link that logs in, for whose mailbox it is. */
static int
to_contact(struct act *act, const struct mailing *m, enum mail_template template, int with_token,
    const struct outbox_variable *extra, size_t n, const char *dedup, const char *certificate)
{
	struct outbox_variable variables[OUTBOX_VARIABLES_MAX];
	struct outbox_mail mail = {
		.template = template,
		.contact = m->contact,
		.application = m->application,
		.order = m->purchase,
		.key_id = m->key_id,
		.key = m->key,
		.variables = variables,
		.documents = m->documents,
		.n_documents = m->n_documents,
		.certificate = certificate,
		.dedup = dedup,
	};
	struct province province = { .id = 0 };
	char token[LINK_TOKEN] = "";
	size_t count = 0;
	int error;

	if (n + 7 > OUTBOX_VARIABLES_MAX)
		return ICERT_E_INVALID;
	if (m->province != 0 && (error = province_get(act, m->province, &province)) != 0)
		return error;
	if (with_token && (error = login_link_new(act, m->contact, m->application, m->purchase, token)) != 0)
		return error;
	variables[count++] = (struct outbox_variable){ "number", m->number };
	variables[count++] = (struct outbox_variable){ "token", token };
	if (m->province != 0) {
		variables[count++] = (struct outbox_variable){ "province", province.name };
		variables[count++] = (struct outbox_variable){ "telephone", province.telephone };
		variables[count++] = (struct outbox_variable){ "hours", province.hours };
		variables[count++] = (struct outbox_variable){ "galapagos", province.galapagos ? "1" : "" };
	}
	if (template == MAIL_SLOT_PROPOSED || template == MAIL_SLOT_CONFIRMED || template == MAIL_SLOT_REMINDER)
		variables[count++] = (struct outbox_variable){ "place", province.address };
	for (size_t i = 0; i < n; i++)
		variables[count++] = extra[i];
	mail.n_variables = count;
	error = outbox_add(act->db, &mail, NULL);
	bytes_wipe(token, sizeof token);
	return error;
}

int
mailing_contact(struct act *act, const struct mailing *m, enum mail_template template, const struct outbox_variable *extra, size_t n,
    const char *dedup, const char *certificate)
{
	return to_contact(act, m, template, 1, extra, n, dedup, certificate);
}

int
mailing_payer(struct act *act, const struct mailing *m, enum mail_template template, const struct outbox_variable *extra, size_t n,
    const char *dedup)
{
	return to_contact(act, m, template, 0, extra, n, dedup, NULL);
}

static int
to_staff(struct act *act, const struct mailing *m, int province, const char *queue, const char *dedup)
{
	struct outbox_variable variables[] = { { "number", m->number }, { "queue", queue } };
	struct outbox_mail mail = {
		.template = MAIL_STAFF_QUEUE,
		.province = province,
		.application = m->application,
		.order = m->purchase,
		.key_id = m->key_id,
		.key = m->key,
		.variables = variables,
		.n_variables = 2,
		.dedup = dedup,
	};

	return outbox_add(act->db, &mail, NULL);
}

int
mailing_staff(struct act *act, const struct mailing *m, const char *queue, const char *dedup)
{
	return to_staff(act, m, m->province != 0 ? m->province : PROVINCE_NATIONAL, queue, dedup);
}

int
mailing_national(struct act *act, const struct mailing *m, const char *queue, const char *dedup)
{
	return to_staff(act, m, PROVINCE_NATIONAL, queue, dedup);
}
