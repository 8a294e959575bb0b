#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/clock/deadline.h"
#include "procedure/clock/extension.h"
#include "procedure/policy.h"
#include "procedure/people/staff.h"

#define HOUR_S 3600
#define EXTENSION_HOURS 120	/* where policy says nothing */

const char *const extension_reasons[] = { "illness", "authority_fault", "technical", "abroad", "disaster", NULL };

static const struct db_stmt of_case = { "extension_of",
	"select " OFFICE_COLUMNS ", q.reason, q.hours, coalesce(q.moved_to, 0) from icert.extension q" OFFICE_JOINS
	" where q.application_id = $1 and q.state <> 'withdrawn'" };
static const struct db_stmt add = { "extension_add",
	"insert into icert.extension (id, application_id, reason, hours, requested_by, requested_at)"
	" values ($1, $2, $3, $4, $5, $6)" };
static const struct db_stmt decide = { "extension_decide",
	"update icert.extension set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'open'" };
static const struct db_stmt extend = { "extension_extend", "select icert.clock_extend($1, $2)" };
static const struct db_stmt certificate = { "extension_certificate",
	"select id from icert.certificate where application_id = $1 and state = 'good'" };

#define WAIT_COLUMNS \
	"a.id, coalesce(a.number, ''), coalesce(p.name, ''), a.state, d.due_at, coalesce(d.stopped_at, 0)," \
	" coalesce(c.revoked_at, 0), coalesce(e.state, ''), exists (select from icert.bounce b where b.application_id = a.id" \
	" and b.settled_at is null)"
#define WAIT_FROM \
	" from icert.deadline d join icert.application a on a.id = d.application_id" \
	" join icert.certificate c on c.id = d.subject left join icert.province p on p.id = a.province" \
	" left join icert.extension e on e.application_id = a.id and e.state <> 'withdrawn'"
static const struct db_stmt waiting = { "extension_waiting",
	"select " WAIT_COLUMNS WAIT_FROM " where d.kind = 'contract_due' and d.state = 'waiting' and c.state = 'good'"
	" and a.state in ('issued', 'contract_sent', 'contract_received', 'contract_signed', 'countersigned')"
	" and (d.due_at <= $1 or d.stopped_at is not null or e.state = 'open') order by d.due_at limit $2" };
static const struct db_stmt ended = { "extension_ended",
	"select " WAIT_COLUMNS WAIT_FROM " where d.kind = 'contract_due' and d.state = 'done' and c.revoked_at > $1"
	" and c.state = 'revoked' and c.revoked_by = 'deadline' order by c.revoked_at desc limit $2" };

static int
read_one(struct act *act, const char *application, struct extension *e)
{
	struct db_result *r;
	int error;

	memset(e, 0, sizeof *e);
	if ((error = DB_QUERY(act->db, &of_case, &r, P_TEXT(application))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		office_fill(&e->q, r, 0);
		snprintf(e->reason, sizeof e->reason, "%s", db_text(r, 0, OFFICE_N));
		e->hours = (int)db_int(r, 0, OFFICE_N + 1);
		e->moved_to = db_int(r, 0, OFFICE_N + 2);
	}
	db_result_free(r);
	return error;
}

int
extension_of(struct act *act, const char *application, struct extension *e)
{
	int error;

	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) == 0 && (error = read_one(act, application, e)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

static int
listed(const char *reason)
{
	for (size_t i = 0; extension_reasons[i] != NULL; i++)
		if (strcmp(extension_reasons[i], reason) == 0)
			return 1;
	return 0;
}

static int
ask(struct act *act, const struct case_file *c, const char *reason)
{
	const struct mailing m = { .application = c->a.id, .contact = c->a.contact, .number = c->a.number,
		.province = c->a.province, .key_id = c->a.key, .key = c->key };
	struct deadline_clock clock;
	char id[ID_TEXT], dedup[16 + ID_TEXT];
	int error;

	error = deadline_clock(act, c->a.id, &clock);
	if (error != 0 || c->a.state < APPLICATION_ISSUED || c->a.state > APPLICATION_COUNTERSIGNED)
		return error == 0 || error == ICERT_E_NOT_FOUND ? ICERT_E_STATE : error;
	if ((error = id_new(id)) != 0 || (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(c->a.id), P_TEXT(reason),
	    P_INT(policy_int(act, "contract.extension_hours", EXTENSION_HOURS)), P_TEXT(act->id),
	    P_INT(clock_business()))) != 0 || (error = act_audit(act, "clock.extend_request", "application", c->a.id, c->a.id,
	    c->a.province, reason, NULL)) != 0)
		return error;
	snprintf(dedup, sizeof dedup, "extension:%s", id);
	return mailing_national(act, &m, "extension", dedup);
}

int
extension_request(struct act *act, const char *application, const char *reason)
{
	struct case_file c;
	int error;

	if ((error = office_case(act, application, &c)) == 0)
		error = listed(reason) ? ask(act, &c, reason) : ICERT_E_INVALID;
	return office_case_done(act, &c, "clock.extend_request", error);
}

/* Two days and half a day before the new end, as far as they are still ahead. */
static int
remind_again(struct act *act, const struct case_file *c, int64_t due)
{
	static const int64_t before[] = { 48, 12 };
	struct db_result *r;
	char id[ID_TEXT];
	int error;

	if ((error = DB_QUERY(act->db, &certificate, &r, P_TEXT(c->a.id))) != 0)
		return error;
	snprintf(id, sizeof id, "%s", db_text(r, 0, 0));
	error = db_rows(r) == 1 ? 0 : ICERT_E_STATE;
	db_result_free(r);
	for (size_t i = 0; i < sizeof before / sizeof before[0] && error == 0; i++)
		if (due - before[i] * HOUR_S > clock_business())
			error = deadline_add(act, DEADLINE_CONTRACT_WARN, "certificate", id, c->a.id, due - before[i] * HOUR_S);
	return error;
}

static int
confirm(struct act *act, const struct case_file *c, const struct extension *e)
{
	char until[MAILING_MOMENT], detail[64], dedup[16 + ID_TEXT];
	struct deadline_clock clock = { .stopped_at = 0 };
	struct db_result *r;
	int64_t due;
	int error;

	if ((error = office_settle(act, &decide, &e->q, "confirmed")) != 0 ||
	    (error = DB_QUERY(act->db, &extend, &r, P_TEXT(e->q.id), P_INT(clock_business()))) != 0)
		return error;
	due = db_is_null(r, 0, 0) ? 0 : db_int(r, 0, 0);
	db_result_free(r);
	if (due == 0)
		return ICERT_E_STATE;
	if ((error = deadline_clock(act, c->a.id, &clock)) != 0)
		return error;
	/* New reminders of a clock that stands, stand with it: from now on, so they count what it stood before. */
	if ((error = remind_again(act, c, due + (clock.stopped_at != 0 ? clock_business() - clock.stopped_at : 0))) != 0 ||
	    (clock.stopped_at != 0 && (error = deadline_clock_stop(act, c->a.id, "extension", NULL)) != 0))
		return error;
	snprintf(detail, sizeof detail, "{\"due_at\":%" PRId64 "}", due);
	snprintf(dedup, sizeof dedup, "extended:%s", e->q.id);
	if ((error = act_audit(act, "clock.extend", "application", c->a.id, c->a.id, c->a.province, e->reason, detail)) != 0)
		return error;
	return case_mail(act, c, MAIL_CLOCK_MOVED, (const struct outbox_variable[]){ { "clock", "contract" },
	    { "cause", "extension" }, { "until", mailing_moment(due, until) } }, 3, dedup);
}

int
extension_confirm(struct act *act, const char *application, const char *code)
{
	struct case_file c = { .own = 0 };
	struct extension e;
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_NATIONAL) && (error = staff_factor(act, code)) == 0 &&
	    (error = office_case(act, application, &c)) == 0 && (error = read_one(act, application, &e)) == 0) {
		if (strcmp(e.q.state, "open") != 0)
			error = ICERT_E_NOT_FOUND;
		else
			error = e.q.other ? confirm(act, &c, &e) : ICERT_E_DENIED;
	}
	return office_case_done(act, &c, "clock.extend", error);
}

int
extension_withdraw(struct act *act, const char *application)
{
	struct case_file c;
	struct extension e;
	int error;

	if ((error = office_case(act, application, &c)) == 0 && (error = read_one(act, application, &e)) == 0 &&
	    (error = strcmp(e.q.state, "open") == 0 ? 0 : ICERT_E_NOT_FOUND) == 0 &&
	    (error = office_settle(act, &decide, &e.q, "withdrawn")) == 0)
		error = act_audit(act, "clock.extend_withdraw", "application", c.a.id, c.a.id, c.a.province, e.reason, NULL);
	return office_case_done(act, &c, "clock.extend_withdraw", error);
}

static int
wait_rows(struct act *act, const struct db_stmt *stmt, int64_t at, struct contract_wait *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & (BY_NATIONAL | BY_AUDITOR)))
		return act_refuse(act, "clock.list", "application", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, stmt, &r, P_INT(at), P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct contract_wait *w = &rows[(*n)++];

		snprintf(w->application, sizeof w->application, "%s", db_text(r, i, 0));
		snprintf(w->number, sizeof w->number, "%s", db_text(r, i, 1));
		snprintf(w->province, sizeof w->province, "%s", db_text(r, i, 2));
		snprintf(w->state, sizeof w->state, "%s", db_text(r, i, 3));
		w->due_at = db_int(r, i, 4);
		w->stopped_at = db_int(r, i, 5);
		w->revoked_at = db_int(r, i, 6);
		snprintf(w->extension, sizeof w->extension, "%s", db_text(r, i, 7));
		w->bounced = db_bool(r, i, 8);
	}
	db_result_free(r);
	return 0;
}

int
extension_waiting(struct act *act, int64_t within, struct contract_wait *rows, size_t *n)
{
	return wait_rows(act, &waiting, clock_business() + within, rows, n);
}

int
extension_ended(struct act *act, int64_t ago, struct contract_wait *rows, size_t *n)
{
	/* Revocations live in real time. */
	return wait_rows(act, &ended, clock_real() - ago, rows, n);
}
