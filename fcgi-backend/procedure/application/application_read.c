/*
 * Reading cases: one, one's own, the desk's queue, and what happened.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/clock/bounce.h"
#include "procedure/case.h"
#include "procedure/certificate/certificate.h"
#include "procedure/contract/contract.h"
#include "procedure/application/fields.h"
#include "procedure/certificate/token.h"

#define QUEUE_MAX	50
#define MICRO		1000000
#define AGAIN_S		120

static const struct db_stmt mine = { "application_mine",
	"select " CASE_COLUMNS CASE_FROM " where a.state <> 'removed' order by a.created_at desc, a.id limit $1" };
static const struct db_stmt queue = { "application_queue",
	"select " CASE_COLUMNS_DESK CASE_FROM_DESK
	" where ($1 = '' or a.state = any (string_to_array($1, ','))) and ($2::uuid is null or a.operator_id = $2)"
	" and (not $3::boolean or a.operator_id is null) and ($4::int = 0 or a.province = $4)"
	" and ($5 = '' or a.number = $5) and ($6::bytea is null or a.person_hash = $6)"
	" order by a.submitted_at, a.id limit $7 offset $8" };
static const struct db_stmt observations = { "application_observations",
	"select id, target, reason, mended_at, at from icert.observation where application_id = $1"
	" and round = (select max(round) from icert.observation where application_id = $1) order by target" };
static const struct db_stmt events_portal = { "application_events_portal",
	"select at_us, action, outcome, reason, actor_kind, '' from icert.audit where case_id = $1 and outcome = 'done'"
	" order by at_us desc limit $2" };
static const struct db_stmt events_desk = { "application_events_desk",
	"select e.at_us, e.action, e.outcome, e.reason, e.actor_kind, s.name from icert.audit e"
	" left join icert.staff s on e.actor_kind = 'staff' and s.id::text = e.actor where e.case_id = $1"
	" order by e.at_us desc limit $2" };
static const struct db_stmt mails = { "application_mails",
	"select id, template, state, created_at, sent_at from icert.outbox where application_id = $1"
	" and contact_id is not null order by created_at desc, id limit $2" };
static const struct db_stmt last_mail = { "application_last_mail",
	"select coalesce(max(created_at), 0) from icert.outbox where application_id = $1 and template = $2" };
static const struct db_stmt standing_certificate = { "application_standing_certificate",
	"select c.id, c.delivery_until from icert.certificate c join icert.delivery d on d.certificate_id = c.id and d.label = $2"
	" where c.application_id = $1 and c.state = 'good' and d.destroyed_at is null" };

int
application_get(struct act *act, const char *id, struct application *a)
{
	struct case_file c;
	int error;

	if ((error = case_open(act, id, -1, &c)) == 0)
		error = fields_accepted(act, &c.a, &c.a.fields_accepted);
	if (error == 0 && act->roles & BY_AUDITOR)
		error = act_audit(act, "application.read", "application", id, id, c.a.province, NULL, NULL);
	bytes_wipe(c.key, sizeof c.key);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "application.read", "application", id_valid(id) ? id : NULL, 0, error);
	*a = c.a;
	bytes_wipe(&c, sizeof c);
	return 0;
}

static int
rows_of(struct act *act, struct db_result *r, struct application *rows, size_t *n, size_t room)
{
	size_t found = (size_t)db_rows(r);
	int error;

	if (found > room)
		found = room;
	error = case_fill(act, r, rows, found, NULL);
	*n = error == 0 ? found : 0;
	db_result_free(r);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}

int
application_mine(struct act *act, struct application *rows, size_t *n)
{
	size_t room = *n < QUEUE_MAX ? *n : QUEUE_MAX;
	struct db_result *r;
	int error;

	*n = 0;
	if (!(act->roles & BY_APPLICANT))
		return 0;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &mine, &r, P_INT((int64_t)room))) != 0) {
		db_rollback(act->db);
		return error;
	}
	return rows_of(act, r, rows, n, room);
}

static void
state_list(uint32_t states, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 1; i < APPLICATION_STATES; i++)
		if (states & UINT32_C(1) << i)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "", application_state_name(i));
}

/* A case number has its dashes; anything else is looked up as a person. */
static int
looks_like_number(const char *text)
{
	int dashes = 0;

	for (; *text != '\0'; text++) {
		if (*text == '-')
			dashes++;
		else if (!isdigit((unsigned char)*text))
			return 0;
	}
	return dashes == 3;
}

int
application_queue(struct act *act, const struct application_filter *f, struct application *rows, size_t *n)
{
	size_t room = *n < QUEUE_MAX ? *n : QUEUE_MAX;
	char states[400];
	const char *number = "";
	struct db_result *r;
	uint8_t hash[32];
	int error, person = 0;

	*n = 0;
	state_list(f->states, states, sizeof states);
	if (f->search != NULL && f->search[0] != '\0') {
		if (looks_like_number(f->search))
			number = f->search;
		else {
			error = keeper_lookup(act->keeper, "person", f->search, hash);
			if (error == ICERT_E_INVALID || error == ICERT_E_TOO_LARGE)
				return 0;
			if (error != 0)
				return error;
			person = 1;
		}
	}
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &queue, &r, P_TEXT(states),
	    P_TEXT(f->mine ? act->id : NULL), P_BOOL(f->unassigned), P_INT(f->province), P_TEXT(number),
	    person ? P_BYTES(hash, sizeof hash) : P_NULL, P_INT((int64_t)room), P_INT(f->offset))) != 0) {
		db_rollback(act->db);
		return error;
	}
	return rows_of(act, r, rows, n, room);
}

int
application_observations(struct act *act, const char *id, struct observation *out, size_t *n)
{
	struct buf plain = BUF_INIT;
	struct db_result *r = NULL;
	struct case_file c;
	size_t room = *n;
	char place[80];
	int error;

	*n = 0;
	if ((error = case_open(act, id, -1, &c)) != 0 || (error = DB_QUERY(act->db, &observations, &r, P_TEXT(id))) != 0)
		goto out;
	for (int i = 0; i < db_rows(r) && *n < room && error == 0; i++) {
		struct observation *o = &out[*n];
		const uint8_t *sealed;
		size_t length;

		snprintf(place, sizeof place, "observation|reason|%s", db_text(r, i, 0));
		sealed = db_bytes(r, i, 2, &length);
		buf_reset(&plain);
		if ((error = open_field(c.key, place, sealed, length, &plain)) != 0)
			break;
		snprintf(o->target, sizeof o->target, "%s", db_text(r, i, 1));
		snprintf(o->reason, sizeof o->reason, "%s", buf_str(&plain));
		o->mended = !db_is_null(r, i, 3);
		o->at = db_int(r, i, 4);
		(*n)++;
	}
out:
	db_result_free(r);
	buf_free(&plain);
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}

int
application_events(struct act *act, const char *id, struct application_event *out, size_t *n)
{
	const struct db_stmt *stmt = act->roles & BY_STAFF ? &events_desk : &events_portal;
	size_t room = *n;
	struct db_result *r;
	int error, rows;

	*n = 0;
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, stmt, &r, P_TEXT(id), P_INT((int64_t)room))) != 0)
		return error;
	rows = db_rows(r);
	for (int i = rows - 1; i >= 0; i--) {
		struct application_event *e = &out[(*n)++];

		e->at = db_int(r, i, 0) / MICRO;
		snprintf(e->action, sizeof e->action, "%s", db_text(r, i, 1));
		snprintf(e->outcome, sizeof e->outcome, "%s", db_text(r, i, 2));
		snprintf(e->reason, sizeof e->reason, "%s", db_text(r, i, 3));
		snprintf(e->actor_kind, sizeof e->actor_kind, "%s", db_text(r, i, 4));
		snprintf(e->actor_name, sizeof e->actor_name, "%s", db_text(r, i, 5));
	}
	db_result_free(r);
	return 0;
}

int
application_mails(struct act *act, const char *id, struct application_mail *out, size_t *n)
{
	size_t room = *n;
	struct db_result *r;
	int error;

	*n = 0;
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &mails, &r, P_TEXT(id), P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r); i++) {
		struct application_mail *m = &out[(*n)++];

		snprintf(m->id, sizeof m->id, "%s", db_text(r, i, 0));
		snprintf(m->template, sizeof m->template, "%s", db_text(r, i, 1));
		snprintf(m->state, sizeof m->state, "%s", db_text(r, i, 2));
		m->at = db_int(r, i, 3);
		m->sent_at = db_int(r, i, 4);
	}
	db_result_free(r);
	return 0;
}

/* A delivery's mail, while what it delivers lives. */
static int
delivery_again(struct act *act, const struct case_file *c, enum mail_template template, const char *label)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };
	char until[MAILING_MOMENT];
	struct outbox_variable variables[2] = { { "until", until },
		{ "container", strcmp(c->a.container, CONTAINER_TOKEN) == 0 ? CONTAINER_TOKEN : "" } };
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &standing_certificate, &r, P_TEXT(c->a.id), P_TEXT(label))) != 0)
		return error;
	if (db_rows(r) == 0)
		error = ICERT_E_STATE;
	else {
		mailing_moment(db_int(r, 0, 1), until);
		error = mailing_contact(act, &m, template, variables, template == MAIL_ENVELOPE ? 2 : 1, NULL, db_text(r, 0, 0));
	}
	db_result_free(r);
	return error;
}

/* What is public may be sent as long as the certificate stands. */
static int
token_again(struct act *act, const struct case_file *c)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };
	struct certificate certificate;
	int error;

	if (strcmp(c->a.container, CONTAINER_TOKEN) != 0)
		return ICERT_E_STATE;
	if ((error = certificate_of(act, c->a.id, &certificate)) != 0)
		return error;
	if (strcmp(certificate.state, "good") != 0)
		return ICERT_E_STATE;
	return mailing_contact(act, &m, MAIL_TOKEN_CERTIFICATE, NULL, 0, NULL, certificate.id);
}

static int
contract_again(struct act *act, const struct case_file *c)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };
	struct certificate certificate;
	struct contract contract;
	int error;

	if ((error = contract_of(act, c->a.id, &contract)) != 0 ||
	    (error = certificate_get(act, contract.certificate, &certificate)) != 0)
		return error;
	return contract_mail(act, &m, &contract, contract_due(act, c->a.id, certificate.issued_at), NULL);
}

int
application_mail_again(struct act *act, const char *id, const char *template)
{
	enum mail_template t = mail_template_find(template);
	struct case_file c;
	struct db_result *r;
	char until[MAILING_MOMENT];
	struct outbox_variable variables[1] = { { "until", until } };
	int error;

	if ((error = case_open(act, id, -1, &c)) != 0 ||
	    (error = DB_QUERY(act->db, &last_mail, &r, P_TEXT(id), P_TEXT(template))) != 0)
		goto out;
	error = clock_business() - db_int(r, 0, 0) < AGAIN_S ? ICERT_E_BUSY : 0;
	db_result_free(r);
	if (error != 0)
		goto out;
	if (t == MAIL_APPLICATION_RECEIVED && c.a.submitted_at != 0) {
		mailing_moment(c.a.closes_at, until);
		error = case_mail(act, &c, t, variables, 1, NULL);
	} else if (t == MAIL_PKCS12)
		error = delivery_again(act, &c, t, "pkcs12");
	else if (t == MAIL_TOKEN_CERTIFICATE)
		error = token_again(act, &c);
	else if (t == MAIL_ENVELOPE)
		error = delivery_again(act, &c, t, "envelope");
	else if (t == MAIL_CONTRACT && c.a.state == APPLICATION_CONTRACT_SENT)
		error = contract_again(act, &c);
	else
		error = ICERT_E_STATE;
	if (error == 0 && act->roles & BY_OPERATOR)
		error = bounce_settle(act, id, template);
	if (error == 0)
		error = act_audit(act, "application.mail_again", "application", id, id, c.a.province, template, NULL);
out:
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "application.mail_again", "application", id_valid(id) ? id : NULL, 0, error);
	return 0;
}
