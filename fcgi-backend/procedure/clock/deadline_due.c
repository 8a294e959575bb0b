/*
 * The clerk's hand for deadlines.  A due row is locked, its handler checks the
 * guard again under the subject's own lock and acts, and the row is closed in
 * the same transaction: what came a second before the deadline has won.
 */
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/datakey.h"
#include "procedure/clock/breaker.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/certificate/delivery.h"
#include "procedure/clock/outage.h"
#include "procedure/policy.h"
#include "procedure/trouble.h"
#include "procedure/transition.h"

#define DAY_S 86400
#define HOUR_S 3600
#define AGAIN_S 5            /* a deadline that must wait for something else */

#define TRIES_A_DAY (DAY_S / AGAIN_S)

/* Kinds without a handler are not even looked at. */
static const struct db_stmt take = { "deadline_take",
	"select id::text, kind, subject::text, coalesce(application_id::text, ''), tries, kind in (" BREAKER_COUNTED "),"
	" exists (select from icert.trouble w where w.part = 'deadline' and w.subject = d.id::text)"
	" from icert.deadline d"
	" where state = 'waiting' and stopped_at is null and due_at <= $1"
	" and kind in ('purchase_expire', 'draft_remove', 'application_cancel', 'delivery_destroy', 'application_warn',"
	" 'identified_stale', 'appointment_remind', 'certificate_warn', 'certificate_expire', 'contract_warn', 'contract_due')"
	" and not ($2 and kind in (" BREAKER_KINDS ")) and not ($3 and kind in (" BREAKER_COUNTED "))"
	" and" TROUBLE_RESTS_NOT("deadline", "d.id::text", "$4")
	/* The case's share of an outage is not added yet. */
	" and not (kind in (" BREAKER_COUNTED ") and exists (select from icert.trouble w where w.part = 'outage'"
	" and w.subject = coalesce(d.application_id, d.subject)::text)) order by due_at limit 1 for update skip locked" };
static const struct db_stmt closed = { "deadline_close",
	"update icert.deadline set state = $2, done_at = $3 where id = $1" };
static const struct db_stmt later = { "deadline_later",
	"update icert.deadline set due_at = $2, tries = tries + 1 where id = $1" };

enum outcome
deadline_wait(struct due *due, int64_t at)
{
	due->later_at = at > due->now ? at : due->now + AGAIN_S;
	return OUTCOME_LATER;
}

/* The order expires, unless the gateway, which has not refused, was not asked
 * since the deadline: a payment made in time may still be on its way.  A gateway
 * that could not be asked for a day of trying holds nothing up any longer. */
static int
purchase_expire(struct act *act, struct due *due, enum outcome *outcome)
{
	static const struct db_stmt read = { "due_purchase",
		"select state, expires_at, gateway_payment is not null and not exists (select from icert.payment y"
		" where y.gateway = p.gateway and y.gateway_payment = p.gateway_payment and y.verdict = 'reject'),"
		" coalesce(asked_at, 0) from icert.purchase p where id = $1 for update" };
	static const struct db_stmt expire = { "due_purchase_expire",
		"update icert.purchase set state = 'expired', version = version + 1, state_since = $2 where id = $1" };
	struct db_result *r = NULL;
	int error;

	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(due->subject))) != 0)
		return error;
	if (db_rows(r) == 0 || (strcmp(db_text(r, 0, 0), "created") != 0 && strcmp(db_text(r, 0, 0), "pending") != 0))
		*outcome = OUTCOME_VOID;
	else if (db_int(r, 0, 1) > due->now)
		*outcome = deadline_wait(due, db_int(r, 0, 1));
	else if (db_bool(r, 0, 2) && db_int(r, 0, 3) < db_int(r, 0, 1) && due->tries < TRIES_A_DAY)
		*outcome = deadline_wait(due, 0);
	else if ((error = DB_QUERY(act->db, &expire, NULL, P_TEXT(due->subject), P_INT(due->now))) == 0)
		error = act_audit(act, "purchase.expire", "purchase", due->subject, NULL, 0, "deadline", NULL);
	db_result_free(r);
	return error;
}

int
deadline_hold(struct act *act, const char *application, struct held *held)
{
	static const struct db_stmt read = { "due_application",
		"select state, version, coalesce(province, 0), contact_id::text, key_id::text, coalesce(number, ''), created_at,"
		" coalesce(closes_at, 0), state_since from icert.application where id = $1 for update" };
	struct db_result *r = NULL;
	int error;

	memset(held, 0, sizeof(*held));
	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(application))) != 0)
		return error;
	if (db_rows(r) == 1) {
		held->state = application_state_find(db_text(r, 0, 0));
		held->version = (int)db_int(r, 0, 1);
		held->province = (int)db_int(r, 0, 2);
		snprintf(held->contact, sizeof(held->contact), "%s", db_text(r, 0, 3));
		snprintf(held->key, sizeof(held->key), "%s", db_text(r, 0, 4));
		snprintf(held->number, sizeof(held->number), "%s", db_text(r, 0, 5));
		held->created_at = db_int(r, 0, 6);
		held->closes_at = db_int(r, 0, 7);
		held->since = db_int(r, 0, 8);
	}
	db_result_free(r);
	return 0;
}

/* Destroying the key is deleting what it sealed.  Before the commit: a crash
 * in between only makes the same deadline come again. */
static int
destroy_key(struct act *act, const char *key, const char *application)
{
	static const struct db_stmt gone = { "due_key_destroyed",
		"update icert.data_key set destroyed_at = $2 where id = $1 and destroyed_at is null" };
	int error;

	if ((error = DB_QUERY(act->db, &gone, NULL, P_TEXT(key), P_INT(clock_real()))) != 0 ||
	    (error = act_audit(act, "data_key.destroy", "data_key", key, application, 0, "deadline", NULL)) != 0)
		return error;
	return keeper_datakey_destroy(act->keeper, key);
}

static int
draft_remove(struct act *act, struct due *due, enum outcome *outcome)
{
	const struct transition_also also = { .reason = "thirty_days" };
	struct held held;
	int64_t until;
	int error;

	if ((error = deadline_hold(act, due->subject, &held)) != 0)
		return error;
	until = held.created_at + policy_int(act, "draft.days", 30) * DAY_S;
	if (held.state != APPLICATION_DRAFT) {
		*outcome = OUTCOME_VOID;
		return 0;
	}
	if (until > due->now) {
		*outcome = deadline_wait(due, until);
		return 0;
	}
	error = transition_apply(act, ACTION_REMOVE, due->subject, held.state, held.version, held.province, &also);
	return error != 0 ? error : destroy_key(act, held.key, due->subject);
}

/* Nobody comes to an appointment of a case that has ended. */
static int
drop_appointment(struct act *act, const struct due *due)
{
	static const struct db_stmt drop = { "due_appointment",
		"update icert.appointment set state = 'moved' where application_id = $1 and state in ('proposed', 'confirmed')" };

	return DB_QUERY(act->db, &drop, NULL, P_TEXT(due->subject));
}

/* 30 calendar days without finishing (notes of step 3). */
static int
application_close(struct act *act, struct due *due, enum outcome *outcome)
{
	static const struct outbox_variable variables[] = { { "reason", "thirty_days" } };
	const struct transition_also also = { .reason = "thirty_days" };
	struct held held;
	int error;

	if ((error = deadline_hold(act, due->subject, &held)) != 0)
		return error;
	if (transition_find(ACTION_CANCEL, held.state, BY_CLERK, NULL) == NULL) {
		/* While it is being issued it may yet come back; ended cases do not. */
		*outcome = held.state == APPLICATION_ISSUING ? deadline_wait(due, 0) : OUTCOME_VOID;
		return 0;
	}
	if (held.closes_at > due->now) {
		*outcome = deadline_wait(due, held.closes_at);
		return 0;
	}
	if ((error = transition_apply(act, ACTION_CANCEL, due->subject, held.state, held.version, held.province, &also)) != 0 ||
	    (error = drop_appointment(act, due)) != 0)
		return error;
	return deadline_mail(act, due->subject, &held, MAIL_CANCELLED, variables, 1, "cancelled");
}

/* An identification that is a day old proves nothing any more: it is done again. */
static int
identified_stale(struct act *act, struct due *due, enum outcome *outcome)
{
	static const struct db_stmt untick = { "due_untick", "delete from icert.check_item where application_id = $1" };
	const struct transition_also also = { .reason = "stale" };
	struct held held;
	char dedup[16 + ID_TEXT];
	int64_t until;
	int error;

	if ((error = deadline_hold(act, due->subject, &held)) != 0)
		return error;
	until = held.since + policy_int(act, "identified.hours", 24) * HOUR_S;
	if (held.state != APPLICATION_IDENTIFIED) {
		*outcome = OUTCOME_VOID;
		return 0;
	}
	if (until > due->now) {
		*outcome = deadline_wait(due, until);
		return 0;
	}
	snprintf(dedup, sizeof(dedup), "stale:%s", due->id);
	if ((error = DB_QUERY(act->db, &untick, NULL, P_TEXT(due->subject))) != 0 ||
	    (error = transition_apply(act, ACTION_SEND_BACK, due->subject, held.state, held.version, held.province,
	    &also)) != 0)
		return error;
	return deadline_mail_staff(act, due->subject, &held, "stale", dedup);
}

/* PKCS#12 and envelope are destroyed, unless a signed contract has done it. */
static int
delivery_due(struct act *act, struct due *due, enum outcome *outcome)
{
	static const struct db_stmt read = { "due_delivery",
		"select c.application_id::text, coalesce(c.delivery_until, 0) from icert.certificate c where c.id = $1"
		" and exists (select from icert.delivery d where d.certificate_id = c.id and d.destroyed_at is null)" };
	static const struct db_stmt locked = { "due_delivery_locked",
		"select from icert.envelope where application_id = $1 and locked_at is not null" };
	struct db_result *r = NULL, *lock = NULL;
	int error;

	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(due->subject))) != 0)
		return error;
	if (db_rows(r) == 0)
		*outcome = OUTCOME_VOID;
	else if (db_int(r, 0, 1) > due->now)
		*outcome = deadline_wait(due, db_int(r, 0, 1));
	else if ((error = DB_QUERY(act->db, &locked, &lock, P_TEXT(db_text(r, 0, 0)))) == 0) {
		error = delivery_destroy(act, due->subject, db_text(r, 0, 0), "deadline");
		/* It stood while the envelope was locked, and runs on now. */
		if (error == 0 && db_rows(lock) > 0)
			error = deadline_tell_moved(act, db_text(r, 0, 0), "contract", "envelope", "clock:envelope");
	}
	db_result_free(lock);
	db_result_free(r);
	return error;
}

/* good → expired, at the end of its validity. */
static int
certificate_expire(struct act *act, struct due *due, enum outcome *outcome)
{
	static const struct db_stmt read = { "due_certificate",
		"select state, not_after from icert.certificate where id = $1 for update" };
	static const struct db_stmt expire = { "due_certificate_expire",
		"update icert.certificate set state = 'expired' where id = $1 and state = 'good'" };
	struct db_result *r = NULL;
	int error;

	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(due->subject))) != 0)
		return error;
	if (db_rows(r) == 0 || strcmp(db_text(r, 0, 0), "good") != 0)
		*outcome = OUTCOME_VOID;
	else if (db_int(r, 0, 1) > due->now)
		*outcome = deadline_wait(due, db_int(r, 0, 1));
	else if ((error = DB_QUERY(act->db, &expire, NULL, P_TEXT(due->subject))) == 0)
		error = act_audit(act, "certificate.expire", "certificate", due->subject, due->application, 0, "deadline", NULL);
	db_result_free(r);
	return error;
}

static const struct handler {
	const char *kind;
	int (*run)(struct act *, struct due *, enum outcome *);
} handlers[] = {
	{ DEADLINE_PURCHASE_EXPIRE, purchase_expire },
	{ DEADLINE_DRAFT_REMOVE, draft_remove },
	{ DEADLINE_APPLICATION_CANCEL, application_close },
	{ DEADLINE_DELIVERY_DESTROY, delivery_due },
	{ DEADLINE_APPLICATION_WARN, deadline_application_warn },
	{ DEADLINE_IDENTIFIED_STALE, identified_stale },
	{ DEADLINE_APPOINTMENT_REMIND, deadline_appointment_remind },
	{ DEADLINE_CERTIFICATE_WARN, deadline_certificate_warn },
	{ DEADLINE_CERTIFICATE_EXPIRE, certificate_expire },
	{ DEADLINE_CONTRACT_WARN, deadline_contract_warn },
	{ DEADLINE_CONTRACT_DUE, deadline_contract_due },
};

static int
take_due(struct act *act, struct due *due, int held, int waits)
{
	struct db_result *r = NULL;
	int error;

	memset(due, 0, sizeof(*due));
	due->now = clock_business();
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &take, &r, P_INT(due->now), P_BOOL(held),
	    P_BOOL(waits), P_INT(clock_real()))) != 0)
		return error;
	if (db_rows(r) == 0)
		error = ICERT_E_NOT_FOUND;
	snprintf(due->id, sizeof(due->id), "%s", db_text(r, 0, 0));
	snprintf(due->kind, sizeof(due->kind), "%s", db_text(r, 0, 1));
	snprintf(due->subject, sizeof(due->subject), "%s", db_text(r, 0, 2));
	snprintf(due->application, sizeof(due->application), "%s", db_text(r, 0, 3));
	due->tries = (int)db_int(r, 0, 4);
	due->counted = db_bool(r, 0, 5);
	due->troubled = db_bool(r, 0, 6);
	db_result_free(r);
	return error;
}

static int
handle(struct act *act, struct due *due, int64_t *room)
{
	enum outcome outcome = OUTCOME_DONE;
	size_t i;
	int error = ICERT_E_UNSUPPORTED;

	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (strcmp(handlers[i].kind, due->kind) == 0)
			error = handlers[i].run(act, due, &outcome);
	if (error != 0)
		return error;
	if (outcome == OUTCOME_LATER)
		error = DB_QUERY(act->db, &later, NULL, P_TEXT(due->id), P_INT(due->later_at));
	else if (outcome != OUTCOME_LEFT)
		error = DB_QUERY(act->db, &closed, NULL, P_TEXT(due->id), P_TEXT(outcome == OUTCOME_DONE ? "done" : "void"),
		    P_INT(due->now));
	if (error == 0 && due->troubled)
		error = trouble_over(act, "deadline", due->id);
	if (error == 0 && (error = db_commit(act->db)) == 0 && outcome == OUTCOME_DONE && due->counted)
		(*room)--;
	return error;
}

int
deadline_run(struct act *act, size_t most, size_t *done)
{
	struct due due;
	int64_t room;
	size_t i;
	int error, held, waits, outage;

	*done = 0;
	if ((error = breaker_look(act, &held, &room)) != 0)
		return error;
	/* Nobody's clock may end before it is known when it began. */
	if ((error = deadline_contract_accepted(act)) != 0) {
		log_warn("mails_not_looked_at", "%s", icert_err_code(error));
		waits = 1;
	} else
		waits = 0;
	/* The rest goes on while an outage cannot be added (no keeper); nothing is cancelled or revoked then. */
	if ((error = outage_apply(act, most, done, &outage)) != 0) {
		log_warn("outage_not_added", "%s", icert_err_code(error));
		outage = 1;
		*done = 0;
	}
	waits |= outage;
	for (i = 0; i < most; i++) {
		if ((error = take_due(act, &due, held, waits)) != 0)
			break;
		if (due.counted && room <= 0) {
			db_rollback(act->db);
			if ((error = breaker_trip(act, BREAKER_CEILING, -room)) != 0)
				break;
			held = 1;
			continue;
		}
		trouble_begin("deadline", due.id);
		if ((error = handle(act, &due, &room)) == 0)
			(*done)++;
		else {
			/* It comes again, and does not stand in the way of the others. */
			db_rollback(act->db);
			error = trouble_note(act, "deadline", due.id, due.kind, error);
		}
		trouble_end();
		if (error != 0)
			break;
	}
	db_rollback(act->db);
	return error == ICERT_E_NOT_FOUND ? 0 : error;
}
