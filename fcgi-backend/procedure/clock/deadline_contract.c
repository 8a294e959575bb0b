/*
 * The 120 hours (notes of step 3): reminders at 24, 72 and 108, and at their end the
 * revocation.  Only while it is the holder's turn: a contract that was not sent, whose
 * mail was not taken, or that came back and is being looked at revokes nobody.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/policy.h"
#include "procedure/trouble.h"
#include "procedure/certificate/revocation_row.h"

#define HOUR_S 3600
#define CONTRACT_HOURS 120   /* of the published text, where policy says nothing */
#define LAST_HOURS 24        /* from then on the office is told as well */
#define NOT_SENT_S 600       /* when to look again for a contract that did not go out */
#define LATE_S 900           /* a mail taken within that time after issuance moves nothing */

/* The case of a certificate, both under lock. */
struct turn {
	struct held held;
	char certificate[12], serial[33], contract[32];
	int64_t issued_at, accepted_at;	/* accepted_at 0: not yet */
};

/* Somebody else holds the rows: *got is 0, and what they do has come first. */
static int
hold_turn(struct act *act, const struct due *due, struct turn *t, int *got)
{
	static const struct db_stmt read = { "due_contract",
		"select c.state, encode(c.serial, 'hex'), c.issued_at, a.state, a.version, a.province, a.contact_id::text, a.key_id::text,"
		" coalesce(a.number, ''), coalesce(k.accepted_at, 0), coalesce(k.number, '') from icert.certificate c"
		" join icert.application a on a.id = c.application_id left join icert.contract k on k.certificate_id = c.id"
		" where c.id = $1 for update of c, a skip locked" };
	struct db_result *r;
	int error;

	memset(t, 0, sizeof(*t));
	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(due->subject))) != 0)
		return error;
	if ((*got = db_rows(r) == 1)) {
		snprintf(t->certificate, sizeof(t->certificate), "%s", db_text(r, 0, 0));
		snprintf(t->serial, sizeof(t->serial), "%s", db_text(r, 0, 1));
		t->issued_at = db_int(r, 0, 2);
		t->held.state = application_state_find(db_text(r, 0, 3));
		t->held.version = (int)db_int(r, 0, 4);
		t->held.province = (int)db_int(r, 0, 5);
		snprintf(t->held.contact, sizeof(t->held.contact), "%s", db_text(r, 0, 6));
		snprintf(t->held.key, sizeof(t->held.key), "%s", db_text(r, 0, 7));
		snprintf(t->held.number, sizeof(t->held.number), "%s", db_text(r, 0, 8));
		t->accepted_at = db_int(r, 0, 9);
		snprintf(t->contract, sizeof(t->contract), "%s", db_text(r, 0, 10));
	}
	db_result_free(r);
	return 0;
}

/* It is not over, but not the holder's turn either. */
static int
under_way(const struct turn *t)
{
	return t->held.state == APPLICATION_CONTRACT_RECEIVED || t->held.state == APPLICATION_CONTRACT_SIGNED ||
	    t->held.state == APPLICATION_COUNTERSIGNED;
}

static int
their_turn(const struct turn *t)
{
	return strcmp(t->certificate, "good") == 0 && t->held.state == APPLICATION_CONTRACT_SENT;
}

int
deadline_contract_warn(struct act *act, struct due *due, enum outcome *outcome)
{
	struct deadline_clock clock = { .due_at = 0 };
	char until[MAILING_MOMENT], dedup[16 + ID_TEXT], left[24];
	struct turn t;
	int64_t hours;
	int error, got, late;

	if ((error = hold_turn(act, due, &t, &got)) != 0 || (error = deadline_overtaken(act, due, &late)) != 0)
		return error;
	if (!got) {
		*outcome = deadline_wait(due, 0);
		return 0;
	}
	if ((error = deadline_clock(act, due->application, &clock)) != 0 && error != ICERT_E_NOT_FOUND)
		return error;
	if (late || !their_turn(&t) || clock.due_at <= due->now) {
		*outcome = OUTCOME_VOID;
		return 0;
	}
	hours = (clock.due_at - due->now + HOUR_S - 1) / HOUR_S;
	snprintf(left, sizeof(left), "%" PRId64, hours);
	snprintf(dedup, sizeof(dedup), "contract_near:%s", due->id);
	if (hours <= LAST_HOURS && (error = deadline_mail_staff(act, due->application, &t.held, "contract_near", dedup)) != 0)
		return error;
	snprintf(dedup, sizeof(dedup), "reminded:%s", due->id);
	return deadline_mail(act, due->application, &t.held, MAIL_CONTRACT_REMINDER, (const struct outbox_variable[]){
	    { "contract", t.contract }, { "left", left }, { "one", hours == 1 ? "1" : "" },
	    { "until", mailing_moment(clock.due_at, until) } }, 4, dedup);
}

/* The certificate, its case, the mail: one transaction with the deadline's row. */
static int
revoke(struct act *act, const struct due *due, const struct turn *t)
{
	const struct transition_also also = { .reason = "contract_unsigned" };
	int64_t now = clock_real();
	int error;

	if ((error = revocation_write(act, due->subject, "deadline", also.reason, REASON_PRIVILEGE_WITHDRAWN, now)) != 0 ||
	    (error = transition_apply(act, ACTION_CLOSE_REVOKED, due->application, t->held.state, t->held.version,
	    t->held.province, &also)) != 0 ||
	    (error = act_audit(act, "certificate.revoke", "certificate", due->subject, due->application, t->held.province,
	    also.reason, "{\"by\":\"deadline\"}")) != 0)
		return error;
	return deadline_revoked(act, due->application, &t->held, due->subject, t->serial, also.reason, now);
}

int
deadline_contract_due(struct act *act, struct due *due, enum outcome *outcome)
{
	struct turn t;
	int64_t until;
	int error, got;

	if ((error = hold_turn(act, due, &t, &got)) != 0)
		return error;
	if (!got) {
		*outcome = deadline_wait(due, 0);
		return 0;
	}
	if (strcmp(t.certificate, "good") != 0 || !application_is_issued(t.held.state) ||
	    t.held.state == APPLICATION_ACTIVE || t.held.state == APPLICATION_CLOSED_REVOKED) {
		*outcome = OUTCOME_VOID;
		return 0;
	}
	if (under_way(&t)) {
		*outcome = OUTCOME_LEFT;
		return deadline_clock_stop(act, due->application, "under_way", NULL);
	}
	until = t.accepted_at + policy_int(act, "contract.hours", CONTRACT_HOURS) * HOUR_S;
	if (t.held.state == APPLICATION_ISSUED || t.accepted_at == 0)
		*outcome = deadline_wait(due, due->now + NOT_SENT_S);
	else if (until > due->now)
		*outcome = deadline_wait(due, until);
	else
		return revoke(act, due, &t);
	return 0;
}

/* One contract whose mail has just been taken: the 120 hours never count from before it. */
static int
accept(struct act *act, const char *contract)
{
	static const struct db_stmt read = { "contract_accepted_read",
		"select k.application_id::text, c.issued_at, (select min(o.sent_at) from icert.outbox o where o.application_id = k.application_id"
		" and o.template = 'contract' and o.state = 'sent'), a.state in ('issued', 'contract_sent') and c.state = 'good'"
		" from icert.contract k join icert.application a on a.id = k.application_id"
		" join icert.certificate c on c.id = k.certificate_id where k.id = $1" };
	static const struct db_stmt note = { "contract_accepted",
		"update icert.contract set accepted_at = $2 where id = $1 and accepted_at is null" };
	static const struct db_stmt move = { "contract_accepted_move",
		"update icert.deadline d set due_at = d.due_at + x.short from (select $2::bigint + $3::bigint - due_at as short from icert.deadline"
		" where application_id = $1 and kind = 'contract_due' and state = 'waiting') x where d.application_id = $1"
		" and d.kind in ('contract_due', 'contract_warn') and d.state = 'waiting' and x.short > 0" };
	int64_t issued, at, hours = policy_int(act, "contract.hours", CONTRACT_HOURS);
	char application[ID_TEXT];
	struct db_result *r;
	int error, running;

	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(contract))) != 0)
		return error;
	snprintf(application, sizeof(application), "%s", db_text(r, 0, 0));
	issued = db_int(r, 0, 1);
	at = db_int(r, 0, 2);
	running = db_bool(r, 0, 3);
	db_result_free(r);
	if ((error = DB_QUERY(act->db, &note, NULL, P_TEXT(contract), P_INT(at))) != 0 || at - issued <= LATE_S || !running)
		return error;
	if ((error = DB_QUERY(act->db, &move, NULL, P_TEXT(application), P_INT(at), P_INT(hours * HOUR_S))) != 0 ||
	    (error = act_audit(act, "clock.move", "application", application, application, 0, "mail", NULL)) != 0)
		return error;
	return deadline_tell_moved(act, application, "contract", "mail", "clock:mail");
}

static int
accept_one(void *ctx, const char *contract)
{
	struct act *act = ctx;
	int error;

	if ((error = act_begin(act)) == 0 && (error = accept(act, contract)) == 0)
		error = db_commit(act->db);
	return error;
}

int
deadline_contract_accepted(struct act *act)
{
	static const struct db_stmt fresh = { "contract_accepted_fresh",
		"select k.id::text from icert.contract k where k.accepted_at is null and exists (select from icert.outbox o"
		" where o.application_id = k.application_id and o.template = 'contract' and o.state = 'sent')"
		" and" TROUBLE_RESTS_NOT("accepted", "k.id::text", "$1") " limit 50" };
	struct db_result *r;
	int error = DB_QUERY(act->db, &fresh, &r, P_INT(clock_real()));

	return error != 0 ? error : trouble_each(act, "accepted", r, accept_one, act, NULL);
}
