#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/error.h"
#include "procedure/case.h"

#define ROWS_MAX 50	/* two keys a row, at most 100 in a batch */

enum {
	COL_ID, COL_NUMBER, COL_STATE, COL_VERSION, COL_PROVINCE, COL_CONTACT, COL_PURCHASE, COL_KEY, COL_CONTAINER, COL_KIND,
	COL_YEARS, COL_OPERATOR, COL_REASON, COL_CREATED, COL_SUBMITTED, COL_SINCE, COL_CLOSES, COL_CONSENT, COL_FORM,
	COL_MASKED, COL_EMAIL, COL_WRAPPED, COL_CONTACT_WRAPPED, COL_ENVELOPE, COL_ORIGIN, COL_TOKEN_KEY, COL_RUC,
	COL_OPERATOR_NAME, COL_ALSO, COL_OWN
};

const struct db_stmt case_select_portal = { "case_select_portal",
	"select " CASE_COLUMNS CASE_FROM " where a.id = $1" };
const struct db_stmt case_select_desk = { "case_select_desk",
	"select " CASE_COLUMNS_DESK CASE_FROM_DESK " where a.id = $1" };
static const struct db_stmt drop_appointment = { "case_drop_appointment",
	"update icert.appointment set state = $2, sequence = sequence + 1"
	" where application_id = $1 and state in ('proposed', 'confirmed')" };

static void
copy(char *out, size_t size, struct db_result *r, int row, int col)
{
	snprintf(out, size, "%s", db_text(r, row, col));
}

static void
fill_plain(struct application *a, struct db_result *r, int row)
{
	memset(a, 0, sizeof *a);
	copy(a->id, sizeof a->id, r, row, COL_ID);
	copy(a->number, sizeof a->number, r, row, COL_NUMBER);
	a->state = application_state_find(db_text(r, row, COL_STATE));
	a->version = (int)db_int(r, row, COL_VERSION);
	a->province = (int)db_int(r, row, COL_PROVINCE);
	copy(a->contact, sizeof a->contact, r, row, COL_CONTACT);
	copy(a->purchase, sizeof a->purchase, r, row, COL_PURCHASE);
	copy(a->key, sizeof a->key, r, row, COL_KEY);
	copy(a->container, sizeof a->container, r, row, COL_CONTAINER);
	copy(a->kind, sizeof a->kind, r, row, COL_KIND);
	a->years = (int)db_int(r, row, COL_YEARS);
	copy(a->operator, sizeof a->operator, r, row, COL_OPERATOR);
	copy(a->reason, sizeof a->reason, r, row, COL_REASON);
	a->created_at = db_int(r, row, COL_CREATED);
	a->submitted_at = db_int(r, row, COL_SUBMITTED);
	a->state_since = db_int(r, row, COL_SINCE);
	a->closes_at = db_int(r, row, COL_CLOSES);
	a->consent_at = db_int(r, row, COL_CONSENT);
	copy(a->email_masked, sizeof a->email_masked, r, row, COL_MASKED);
	copy(a->envelope, sizeof a->envelope, r, row, COL_ENVELOPE);
	copy(a->token_key, sizeof a->token_key, r, row, COL_TOKEN_KEY);
	copy(a->origin, sizeof a->origin, r, row, COL_ORIGIN);
	copy(a->operator_name, sizeof a->operator_name, r, row, COL_OPERATOR_NAME);
	a->also_open = db_bool(r, row, COL_ALSO);
}

static int
open_text(const uint8_t key[32], const char *place, struct db_result *r, int row, int col, struct buf *out)
{
	const uint8_t *sealed;
	size_t n;

	sealed = db_bytes(r, row, col, &n);
	return n == 0 ? 0 : open_field(key, place, sealed, n, out);
}

static int
fill_sealed(struct application *a, struct db_result *r, int row, const uint8_t case_key[32], const uint8_t contact_key[32])
{
	struct buf plain = BUF_INIT;
	char place[80];
	int error;

	snprintf(place, sizeof place, "application|form|%s", a->id);
	if ((error = open_text(case_key, place, r, row, COL_FORM, &plain)) == 0)
		error = application_form_read(&a->form, plain.p, plain.len);
	copy(a->form.sold_ruc, sizeof a->form.sold_ruc, r, row, COL_RUC);
	buf_reset(&plain);
	snprintf(place, sizeof place, "contact|email|%s", a->contact);
	if (error == 0 && (error = open_text(contact_key, place, r, row, COL_EMAIL, &plain)) == 0)
		snprintf(a->email, sizeof a->email, "%s", buf_str(&plain));
	buf_free(&plain);
	return error;
}

int
case_fill(struct act *act, struct db_result *r, struct application *rows, size_t n, uint8_t (*case_keys)[DATAKEY_BYTES])
{
	struct datakey_wrapped wrapped[2 * ROWS_MAX];
	uint8_t keys[2 * ROWS_MAX][DATAKEY_BYTES];
	int error = 0;

	if (n > ROWS_MAX)
		return ICERT_E_TOO_LARGE;
	for (size_t i = 0; i < n; i++) {
		fill_plain(&rows[i], r, (int)i);
		wrapped[2 * i].p = db_bytes(r, (int)i, COL_WRAPPED, &wrapped[2 * i].n);
		wrapped[2 * i + 1].p = db_bytes(r, (int)i, COL_CONTACT_WRAPPED, &wrapped[2 * i + 1].n);
	}
	if (n > 0 && (error = datakey_unwrap_many(act, 2 * n, wrapped, keys)) != 0)
		return error;
	for (size_t i = 0; i < n && error == 0; i++) {
		error = fill_sealed(&rows[i], r, (int)i, keys[2 * i], keys[2 * i + 1]);
		/* A case whose key was destroyed is shown without what it sealed. */
		if (error == ICERT_E_FORGED && wrapped[2 * i].n == 0)
			error = 0;
		if (case_keys != NULL)
			memcpy(case_keys[i], keys[2 * i], DATAKEY_BYTES);
	}
	bytes_wipe(keys, sizeof keys);
	return error;
}

int
case_open(struct act *act, const char *id, int version, struct case_file *c)
{
	struct db_result *r;
	int error;

	memset(c, 0, sizeof *c);
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	snprintf(c->a.id, sizeof c->a.id, "%s", id);
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY(act->db, act->roles & BY_STAFF ? &case_select_desk : &case_select_portal, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		error = case_fill(act, r, &c->a, 1, &c->key);
		c->own = db_bool(r, 0, COL_OWN);
		if (error == 0 && version >= 0 && c->a.version != version)
			error = ICERT_E_CONFLICT;
	}
	db_result_free(r);
	return error;
}

int
case_open_staff(struct act *act, const char *id, int version, enum application_action action, struct case_file *c)
{
	int error;

	if ((error = case_open(act, id, version, c)) != 0)
		return error;
	if (transition_find(action, c->a.state, act->roles, &error) == NULL)
		return error;
	if (c->own)
		return ICERT_E_OWN_CASE;
	return strcmp(c->a.operator, act->id) == 0 ? 0 : ICERT_E_DENIED;
}

int
case_done(struct act *act, enum application_action action, struct case_file *c, int error)
{
	char name[48];

	bytes_wipe(c->key, sizeof c->key);
	if (error == 0)
		error = db_commit(act->db);
	if (error == 0)
		return 0;
	snprintf(name, sizeof name, "application.%s", application_action_name(action));
	return act_refuse(act, name, "application", c->a.id[0] != '\0' ? c->a.id : NULL, c->a.province, error);
}

int
case_move(struct act *act, struct case_file *c, enum application_action action, const char *reason, const char *detail)
{
	const struct transition_also also = { .reason = reason, .detail = detail };
	const struct transition *t = transition_find(action, c->a.state, act->roles, NULL);
	int error;

	error = transition_apply(act, action, c->a.id, c->a.state, c->a.version, c->a.province, &also);
	if (error == 0) {
		c->a.state = t->to;
		c->a.version++;
	}
	return error;
}

int
case_changed(struct case_file *c, struct db_result *r)
{
	int64_t rows = db_affected(r);

	db_result_free(r);
	if (rows != 1)
		return ICERT_E_CONFLICT;
	c->a.version++;
	return 0;
}

int
case_mail(struct act *act, const struct case_file *c, enum mail_template template, const struct outbox_variable *extra,
    size_t n, const char *dedup)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };
	struct outbox_variable variables[OUTBOX_VARIABLES_MAX];

	if (n >= OUTBOX_VARIABLES_MAX)
		return ICERT_E_INVALID;
	for (size_t i = 0; i < n; i++)
		variables[i] = extra[i];
	variables[n] = (struct outbox_variable){ "container", c->a.container };
	return mailing_contact(act, &m, template, variables, n + 1, dedup, NULL);
}

int
case_mail_staff(struct act *act, const struct case_file *c, const char *queue, const char *dedup)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };

	return mailing_staff(act, &m, queue, dedup);
}

int
case_seal(const struct case_file *c, const char *column, const char *row, const char *text, struct buf *out)
{
	char place[96];

	snprintf(place, sizeof place, "%s|%s", column, row);
	return seal_field(c->key, place, text, strlen(text), out);
}

int
case_drop_appointment(struct act *act, const struct case_file *c, const char *state)
{
	return DB_QUERY(act->db, &drop_appointment, NULL, P_TEXT(c->a.id), P_TEXT(state));
}
