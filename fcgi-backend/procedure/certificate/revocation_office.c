#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/certificate/revocation_office.h"
#include "procedure/certificate/revocation_row.h"
#include "procedure/people/staff.h"

const char *const revocation_reasons[] = { "court_order", "death", "false_data", "stolen", "authority_fault", NULL };
static const int16_t reason_codes[] = {
	REASON_PRIVILEGE_WITHDRAWN, REASON_CESSATION, REASON_PRIVILEGE_WITHDRAWN, REASON_KEY_COMPROMISE, REASON_SUPERSEDED
};

#define COLUMNS \
	OFFICE_COLUMNS ", q.application_id, coalesce(a.number, ''), encode(c.serial, 'hex'), q.reason"
#define FROM \
	" from icert.revocation_request q join icert.application a on a.id = q.application_id" \
	" join icert.certificate c on c.id = q.certificate_id" OFFICE_JOINS

static const struct db_stmt list = { "revocation_list",
	"select " COLUMNS FROM " order by q.state = 'open' desc, q.requested_at desc limit 100" };
static const struct db_stmt of_case = { "revocation_of",
	"select " COLUMNS ", q.words, q.certificate_id" FROM " where q.application_id = $1 and q.state = 'open'" };
static const struct db_stmt good = { "revocation_good",
	"select id from icert.certificate where application_id = $1 and state = 'good'" };
static const struct db_stmt add = { "revocation_add",
	"insert into icert.revocation_request (id, certificate_id, application_id, reason, words, requested_by, requested_at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt decide = { "revocation_decide",
	"update icert.revocation_request set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'open'" };

/* The open request of a case, its words still sealed. */
struct asked {
	struct revocation r;
	char certificate[ID_TEXT];
};

static int
reason_index(const char *reason)
{
	for (int i = 0; revocation_reasons[i] != NULL; i++)
		if (strcmp(revocation_reasons[i], reason) == 0)
			return i;
	return -1;
}

static void
fill(struct revocation *q, struct db_result *r, int row)
{
	memset(q, 0, sizeof *q);
	office_fill(&q->q, r, row);
	snprintf(q->application, sizeof q->application, "%s", db_text(r, row, OFFICE_N));
	snprintf(q->number, sizeof q->number, "%s", db_text(r, row, OFFICE_N + 1));
	snprintf(q->serial, sizeof q->serial, "%s", db_text(r, row, OFFICE_N + 2));
	snprintf(q->reason, sizeof q->reason, "%s", db_text(r, row, OFFICE_N + 3));
}

int
revocation_list(struct act *act, struct revocation *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & (BY_NATIONAL | BY_AUDITOR)))
		return act_refuse(act, "revocation.list", "certificate", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = db_query_commit(act->db, &list, NULL, 0, &r)) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

static int
read_asked(struct act *act, const struct case_file *c, struct asked *out)
{
	struct buf plain = BUF_INIT;
	struct db_result *r;
	const uint8_t *sealed;
	char place[96];
	size_t n;
	int error;

	memset(out, 0, sizeof *out);
	if ((error = DB_QUERY(act->db, &of_case, &r, P_TEXT(c->a.id))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		fill(&out->r, r, 0);
		snprintf(out->certificate, sizeof out->certificate, "%s", db_text(r, 0, OFFICE_N + 5));
		sealed = db_bytes(r, 0, OFFICE_N + 4, &n);
		snprintf(place, sizeof place, "revocation_request|words|%s", out->r.q.id);
		if ((error = open_field(c->key, place, sealed, n, &plain)) == 0)
			snprintf(out->r.words, sizeof out->r.words, "%s", buf_str(&plain));
	}
	buf_free(&plain);
	db_result_free(r);
	return error;
}

int
revocation_of(struct act *act, const char *application, struct revocation *out)
{
	struct case_file c;
	struct asked asked;
	int error;

	if (!(act->roles & (BY_NATIONAL | BY_AUDITOR)))
		return ICERT_E_NOT_FOUND;
	if ((error = case_open(act, application, -1, &c)) == 0 && (error = read_asked(act, &c, &asked)) == 0) {
		*out = asked.r;
		error = db_commit(act->db);
	}
	bytes_wipe(c.key, sizeof c.key);
	if (error != 0)
		db_rollback(act->db);
	return error;
}

static int
ask(struct act *act, const struct case_file *c, const char *reason, const char *words)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };
	struct buf sealed = BUF_INIT;
	struct db_result *r;
	char id[ID_TEXT], certificate[ID_TEXT], dedup[16 + ID_TEXT];
	int error;

	if ((error = DB_QUERY(act->db, &good, &r, P_TEXT(c->a.id))) != 0)
		return error;
	snprintf(certificate, sizeof certificate, "%s", db_text(r, 0, 0));
	error = db_rows(r) == 1 ? 0 : ICERT_E_STATE;
	db_result_free(r);
	if (error == 0 && (error = id_new(id)) == 0 &&
	    (error = case_seal(c, "revocation_request|words", id, words, &sealed)) == 0 &&
	    (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(certificate), P_TEXT(c->a.id), P_TEXT(reason),
	    P_BYTES(sealed.p, sealed.len), P_TEXT(act->id), P_INT(clock_business()))) == 0 &&
	    (error = act_audit(act, "certificate.revoke_request", "certificate", certificate, c->a.id, c->a.province, reason,
	    NULL)) == 0) {
		snprintf(dedup, sizeof dedup, "revocation:%s", id);
		error = mailing_national(act, &m, "revocation", dedup);
	}
	buf_free(&sealed);
	return error;
}

int
revocation_request(struct act *act, const char *application, const char *reason, const char *words)
{
	struct case_file c;
	int error;

	if ((error = office_case(act, application, &c)) == 0)
		error = reason_index(reason) < 0 || words[0] == '\0' || strlen(words) > REVOCATION_WORDS ? ICERT_E_INVALID :
		    ask(act, &c, reason, words);
	return office_case_done(act, &c, "certificate.revoke_request", error);
}

/* The request first: the certificate's row moves only under one that is confirmed. */
static int
confirm(struct act *act, struct case_file *c, const struct asked *asked)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };
	const char *why = asked->r.reason;
	int64_t now = clock_real();
	int error;

	if ((error = office_settle(act, &decide, &asked->r.q, "confirmed")) != 0)
		return error;
	error = revocation_write(act, asked->certificate, "national", why, reason_codes[reason_index(why)], now);
	if (error != 0)
		return error == ICERT_E_CONFLICT ? ICERT_E_STATE : error;
	if (transition_find(ACTION_CLOSE_REVOKED, c->a.state, act->roles, NULL) != NULL &&
	    (error = case_move(act, c, ACTION_CLOSE_REVOKED, "revoked_by_national", NULL)) != 0)
		return error;
	if ((error = revocation_tell(act, &m, asked->certificate, why, asked->r.serial, now)) != 0)
		return error;
	/* Nobody has to ask for this money. */
	if (strcmp(revocation_money(why), "authority") == 0 && (error = mailing_national(act, &m, "payment", "fault")) != 0)
		return error;
	return act_audit(act, "certificate.revoke", "certificate", asked->certificate, c->a.id, c->a.province, why,
	    "{\"by\":\"national\"}");
}

int
revocation_confirm(struct act *act, const char *application, const char *code)
{
	struct case_file c = { .own = 0 };
	struct asked asked;
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_NATIONAL) && (error = staff_factor(act, code)) == 0 &&
	    (error = office_case(act, application, &c)) == 0 && (error = read_asked(act, &c, &asked)) == 0)
		error = asked.r.q.other ? confirm(act, &c, &asked) : ICERT_E_DENIED;
	return office_case_done(act, &c, "certificate.revoke", error);
}

int
revocation_withdraw(struct act *act, const char *application)
{
	struct case_file c;
	struct asked asked;
	int error;

	if ((error = office_case(act, application, &c)) == 0 && (error = read_asked(act, &c, &asked)) == 0 &&
	    (error = office_settle(act, &decide, &asked.r.q, "withdrawn")) == 0)
		error = act_audit(act, "certificate.revoke_withdraw", "certificate", asked.certificate, c.a.id, c.a.province,
		    asked.r.reason, NULL);
	return office_case_done(act, &c, "certificate.revoke_withdraw", error);
}
