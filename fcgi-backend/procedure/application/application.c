/*
 * The applicant's acts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/application/anew.h"
#include "procedure/case.h"
#include "procedure/clock/deadline.h"
#include "procedure/policy.h"

#define DAY_S		86400
#define DRAFT_DAYS	30
#define OPEN_DAYS	30

static const struct db_stmt paid_order = { "application_paid_order",
	"select p.container, p.kind, p.years, p.state, a.id, coalesce(p.origin_id::text, ''), p.ruc from icert.purchase p"
	" left join icert.application a on a.purchase_id = p.id and a.state <> 'removed' where p.id = $1" };
static const struct db_stmt add = { "application_add",
	"insert into icert.application (id, state, contact_id, purchase_id, key_id, container, kind, years, form, created_at,"
	" state_since, origin_id, ruc) values ($1, 'draft', $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)" };
static const struct db_stmt save = { "application_save",
	"update icert.application set form = $3, person_hash = $4, version = version + 1 where id = $1 and version = $2" };
static const struct db_stmt papers = { "application_papers",
	"select count(distinct kind) from icert.document where application_id = $1 and replaced_by is null"
	" and kind in ('cedula', 'voting', 'utility')" };
static const struct db_stmt use_order = { "application_use_order",
	"update icert.purchase set state = 'used', version = version + 1, state_since = $2 where id = $1 and state = 'paid'" };
static const struct db_stmt next_number = { "application_next_number", "select nextval('icert.application_number')" };
static const struct db_stmt submitted = { "application_submitted",
	"update icert.application set number = $3, province = $4, form = $5, person_hash = $6, submitted_at = $7, closes_at = $8,"
	" version = version + 1 where id = $1 and version = $2" };
static const struct db_stmt mended_fields = { "application_mended_fields",
	"update icert.observation set mended_at = $2 where application_id = $1 and mended_at is null and target like 'form.%'" };
static const struct db_stmt targets = { "application_targets",
	"select target from icert.observation where application_id = $1"
	" and round = (select max(round) from icert.observation where application_id = $1)" };
static const struct db_stmt unmended = { "application_unmended",
	"select count(*) from icert.observation where application_id = $1 and mended_at is null"
	" and round = (select max(round) from icert.observation where application_id = $1)" };

static int
seal_form(const struct case_file *c, const struct application_form *form, struct buf *out)
{
	struct buf json = BUF_INIT;
	char place[80];
	int error;

	snprintf(place, sizeof place, "application|form|%s", c->a.id);
	if ((error = application_form_write(form, &json)) == 0)
		error = seal_field(c->key, place, json.p, json.len, out);
	buf_free(&json);
	return error;
}

static int
insert_draft(struct act *act, struct case_file *c, const struct application_form *form, const char *ruc)
{
	struct buf sealed = BUF_INIT;
	int64_t now = clock_business();
	int error;

	if ((error = id_new(c->a.id)) != 0 || (error = datakey_new(act, "case", c->a.key, c->key)) != 0 ||
	    (error = seal_form(c, form, &sealed)) != 0)
		goto out;
	if ((error = DB_QUERY(act->db, &add, NULL, P_TEXT(c->a.id), P_TEXT(act->id), P_TEXT(c->a.purchase), P_TEXT(c->a.key),
	    P_TEXT(c->a.container), P_TEXT(c->a.kind), P_INT(c->a.years), P_BYTES(sealed.p, sealed.len), P_INT(now),
	    P_TEXT(c->a.origin[0] != '\0' ? c->a.origin : NULL), P_TEXT(ruc))) == 0 &&
	    (error = deadline_add(act, DEADLINE_DRAFT_REMOVE, "application", c->a.id, c->a.id,
	    now + policy_int(act, "draft.days", DRAFT_DAYS) * DAY_S)) == 0)
		error = act_audit(act, "application.create", "application", c->a.id, c->a.id, 0, NULL, NULL);
out:
	buf_free(&sealed);
	return error;
}

static int
create_once(struct act *act, const char *purchase, const struct application_form *prefill, char id[ID_TEXT])
{
	static const struct application_form empty;
	struct case_file c;
	struct db_result *r = NULL;
	int error;

	memset(&c, 0, sizeof c);
	snprintf(c.a.purchase, sizeof c.a.purchase, "%s", purchase);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &paid_order, &r, P_TEXT(purchase))) != 0)
		goto out;
	if (db_rows(r) == 0) {
		error = ICERT_E_NOT_FOUND;
		goto out;
	}
	if (!db_is_null(r, 0, 4)) {
		snprintf(id, ID_TEXT, "%s", db_text(r, 0, 4));
		error = ICERT_E_EXISTS;
		goto out;
	}
	if (strcmp(db_text(r, 0, 3), "paid") != 0) {
		error = ICERT_E_STATE;
		goto out;
	}
	snprintf(c.a.container, sizeof c.a.container, "%s", db_text(r, 0, 0));
	snprintf(c.a.kind, sizeof c.a.kind, "%s", db_text(r, 0, 1));
	c.a.years = (int)db_int(r, 0, 2);
	snprintf(c.a.origin, sizeof c.a.origin, "%s", db_text(r, 0, 5));
	if (c.a.origin[0] != '\0') {
		if ((error = anew_form(act, c.a.origin, &c.a.form)) != 0)
			goto out;
		prefill = &c.a.form;
	}
	if ((error = insert_draft(act, &c, prefill != NULL ? prefill : &empty, db_text(r, 0, 6))) == 0 && (error = db_commit(act->db)) == 0)
		snprintf(id, ID_TEXT, "%s", c.a.id);
out:
	if (error != 0)
		db_rollback(act->db);
	db_result_free(r);
	bytes_wipe(&c, sizeof c);
	return error;
}

int
application_create(struct act *act, const char *purchase, const struct application_form *prefill, char id[ID_TEXT])
{
	int error;

	id[0] = '\0';
	if (!id_valid(purchase))
		return ICERT_E_NOT_FOUND;
	if (!(act->roles & BY_APPLICANT))
		return ICERT_E_DENIED;
	/* The same form sent twice at the same moment: the second time it is found. */
	if ((error = create_once(act, purchase, prefill, id)) == ICERT_E_EXISTS && id[0] == '\0')
		error = create_once(act, purchase, prefill, id);
	return error;
}

/* In observed, what no observation names stays as it was. */
static int
only_named_changed(struct act *act, const struct case_file *c, const struct application_form *form)
{
	struct db_result *r;
	int error = 0;

	if ((error = DB_QUERY(act->db, &targets, &r, P_TEXT(c->a.id))) != 0)
		return error;
	for (size_t i = 0; i < FORM_FIELDS && error == 0; i++) {
		const char *name = application_fields[i].name;
		int named = 0;

		if (strcmp(application_form_get(form, name), application_form_get(&c->a.form, name)) == 0)
			continue;
		for (int row = 0; row < db_rows(r); row++) {
			const char *target = db_text(r, row, 0);

			if (strncmp(target, "form.", 5) == 0 && strcmp(target + 5, name) == 0)
				named = 1;
		}
		/* The case stays with its province; who lives elsewhere now says so
		 * in the address. */
		if (!named || strcmp(name, "province") == 0)
			error = ICERT_E_DENIED;
	}
	db_result_free(r);
	return error;
}

/* The person's look-up hash, NULL while the form does not name one. */
static int
person_hash(struct act *act, const struct application_form *form, uint8_t hash[32], int *known)
{
	int error;

	*known = 0;
	if (form->id_number[0] == '\0')
		return 0;
	error = keeper_lookup(act->keeper, "person", form->id_number, hash);
	if (error == ICERT_E_INVALID || error == ICERT_E_TOO_LARGE)
		return 0;
	*known = error == 0;
	return error;
}

int
application_save(struct act *act, const char *id, int version, const struct application_form *form)
{
	struct case_file c;
	struct buf sealed = BUF_INIT;
	struct db_result *r = NULL;
	uint8_t hash[32];
	int error, known = 0;

	if ((error = case_open(act, id, version, &c)) != 0)
		goto out;
	if (c.a.state != APPLICATION_DRAFT && c.a.state != APPLICATION_OBSERVED)
		error = ICERT_E_STATE;
	else if (!(act->roles & BY_APPLICANT))
		error = ICERT_E_DENIED;
	else if (c.a.state == APPLICATION_OBSERVED)
		error = only_named_changed(act, &c, form);
	if (error != 0 || (error = person_hash(act, form, hash, &known)) != 0 || (error = seal_form(&c, form, &sealed)) != 0)
		goto out;
	if ((error = DB_QUERY(act->db, &save, &r, P_TEXT(id), P_INT(version), P_BYTES(sealed.p, sealed.len),
	    known ? P_BYTES(hash, sizeof hash) : P_NULL)) == 0 && (error = case_changed(&c, r)) == 0 &&
	    c.a.state == APPLICATION_OBSERVED &&
	    (error = DB_QUERY(act->db, &mended_fields, NULL, P_TEXT(id), P_INT(clock_business()))) == 0)
		error = act_audit(act, "application.save", "application", id, id, c.a.province, NULL, NULL);
out:
	buf_free(&sealed);
	bytes_wipe(c.key, sizeof c.key);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		error = act_refuse(act, "application.save", "application", id_valid(id) ? id : NULL, c.a.province, error);
	return error;
}

static int
count(struct act *act, const struct db_stmt *stmt, const char *id, int64_t *n)
{
	struct db_result *r;
	int error = DB_QUERY(act->db, stmt, &r, P_TEXT(id));

	if (error == 0)
		*n = db_int(r, 0, 0);
	db_result_free(error == 0 ? r : NULL);
	return error;
}

static int
complete(struct act *act, struct case_file *c)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	int64_t there;
	int error;

	if (application_form_check(&c->a.form, 0, faults) > 0 || c->a.form.kept[0] != '\0')
		return ICERT_E_INVALID;
	if ((error = count(act, &papers, c->a.id, &there)) != 0)
		return error;
	return there == 3 ? 0 : ICERT_E_MISSING;
}

static int
start_clock(struct act *act, const struct case_file *c)
{
	static const struct { const char *key; int days; } warnings[] = {
		{ "application.warn_days_1", 15 }, { "application.warn_days_2", 25 }, { "application.warn_days_3", 29 },
	};
	int error;

	for (size_t i = 0; i < sizeof warnings / sizeof warnings[0]; i++)
		if ((error = deadline_add(act, DEADLINE_APPLICATION_WARN, "application", c->a.id, c->a.id,
		    c->a.submitted_at + policy_int(act, warnings[i].key, warnings[i].days) * DAY_S)) != 0)
			return error;
	return deadline_add(act, DEADLINE_APPLICATION_CANCEL, "application", c->a.id, c->a.id, c->a.closes_at);
}

/* Number, province, person and the 30 days. */
static int
submit_columns(struct act *act, struct case_file *c)
{
	struct buf sealed = BUF_INIT;
	struct db_result *r = NULL;
	uint8_t hash[32];
	int error, known;

	c->a.submitted_at = clock_business();
	c->a.closes_at = c->a.submitted_at + policy_int(act, "application.days", OPEN_DAYS) * DAY_S;
	c->a.province = atoi(c->a.form.province);
	if ((error = db_query(act->db, &next_number, NULL, 0, &r)) != 0)
		return error;
	number_case(c->a.province, c->a.submitted_at, db_int(r, 0, 0), c->a.number);
	db_result_free(r);
	if ((error = person_hash(act, &c->a.form, hash, &known)) == 0 && !known)
		error = ICERT_E_INVALID;
	if (error == 0 && (error = seal_form(c, &c->a.form, &sealed)) == 0 &&
	    (error = DB_QUERY(act->db, &submitted, &r, P_TEXT(c->a.id), P_INT(c->a.version), P_TEXT(c->a.number),
	    P_INT(c->a.province), P_BYTES(sealed.p, sealed.len), P_BYTES(hash, sizeof hash), P_INT(c->a.submitted_at),
	    P_INT(c->a.closes_at))) == 0)
		error = case_changed(c, r);
	buf_free(&sealed);
	return error;
}

static int
spend_order(struct act *act, const struct case_file *c)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &use_order, &r, P_TEXT(c->a.purchase), P_INT(clock_business()))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_STATE;
	db_result_free(r);
	return error;
}

int
application_submit(struct act *act, const char *id, int version)
{
	struct case_file c;
	char until[MAILING_MOMENT];
	struct outbox_variable variables[1] = { { "until", until } };
	int error;

	if ((error = case_open(act, id, version, &c)) != 0)
		return case_done(act, ACTION_SUBMIT, &c, error);
	if (transition_find(ACTION_SUBMIT, c.a.state, act->roles, &error) != NULL && (error = complete(act, &c)) == 0 &&
	    (error = spend_order(act, &c)) == 0 && (error = submit_columns(act, &c)) == 0 &&
	    (error = case_move(act, &c, ACTION_SUBMIT, NULL, NULL)) == 0 && (error = start_clock(act, &c)) == 0) {
		mailing_moment(c.a.closes_at, until);
		if ((error = case_mail(act, &c, MAIL_APPLICATION_RECEIVED, variables, 1, "received")) == 0)
			error = case_mail_staff(act, &c, "review", "queue:submitted");
	}
	return case_done(act, ACTION_SUBMIT, &c, error);
}

int
application_mend(struct act *act, const char *id, int version)
{
	struct case_file c;
	char dedup[40];
	int64_t left;
	int error;

	if ((error = case_open(act, id, version, &c)) != 0)
		return case_done(act, ACTION_MEND, &c, error);
	if (transition_find(ACTION_MEND, c.a.state, act->roles, &error) != NULL && (error = complete(act, &c)) == 0 &&
	    (error = count(act, &unmended, id, &left)) == 0 && (error = left == 0 ? 0 : ICERT_E_MISSING) == 0 &&
	    (error = case_move(act, &c, ACTION_MEND, NULL, NULL)) == 0) {
		snprintf(dedup, sizeof dedup, "queue:mended:%d", c.a.version);
		error = case_mail_staff(act, &c, "review", dedup);
	}
	return case_done(act, ACTION_MEND, &c, error);
}

int
application_cancel(struct act *act, const char *id, int version)
{
	static const struct outbox_variable variables[1] = { { "reason", "by_applicant" } };
	enum application_action action = ACTION_CANCEL;
	struct case_file c;
	int error;

	if ((error = case_open(act, id, version, &c)) != 0)
		return case_done(act, action, &c, error);
	if (c.a.state == APPLICATION_DRAFT)
		action = ACTION_REMOVE;
	if ((error = case_move(act, &c, action, "by_applicant", NULL)) == 0 && action == ACTION_CANCEL &&
	    (error = case_drop_appointment(act, &c, "moved")) == 0)
		error = case_mail(act, &c, MAIL_CANCELLED, variables, 1, "cancelled");
	return case_done(act, action, &c, error);
}
