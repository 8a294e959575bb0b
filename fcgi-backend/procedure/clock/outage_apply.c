/*
 * What an outage adds to a clock: the time of it in which the clock ran, whole, when the
 * end had not come before it.  A share a case and clock, so that nothing is added twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/clock/outage.h"
#include "procedure/trouble.h"

#define OPEN_S 86400	/* a request that nobody confirms holds endings up no longer */

static const struct db_stmt pending = { "outage_pending",
	"select id::text, part, from_at, coalesce(to_at, 0), state from icert.outage where applied_at is null"
	" and (state in ('noticed', 'confirmed') or (state = 'open' and requested_at > $1))"
	" order by to_at nulls last, from_at limit 20" };
/* Ran then and had not ended before; without a share yet.  The clock of the 120 hours ... */
static const struct db_stmt contracts = { "outage_contracts",
	"select d.application_id::text, least($3, coalesce(d.stopped_at, $3)) - greatest($2, c.issued_at,"
	" coalesce(k.accepted_at, 0)) as seconds from icert.deadline d join icert.certificate c on c.id = d.subject"
	" join icert.application a on a.id = d.application_id and a.state in ('issued', 'contract_sent', 'contract_received',"
	" 'contract_signed', 'countersigned') left join icert.contract k on k.certificate_id = c.id"
	" where d.kind = 'contract_due' and d.state = 'waiting' and c.state = 'good'"
	" and d.due_at >= $2 and least($3, coalesce(d.stopped_at, $3)) > greatest($2, c.issued_at, coalesce(k.accepted_at, 0))"
	" and not exists (select from icert.outage_share s where s.outage_id = $1 and s.application_id = d.application_id"
	" and s.clock = 'contract') and" TROUBLE_RESTS_NOT("outage", "d.application_id::text", "$5") " limit $4" };
/* ... and that of the 30 days. */
static const struct db_stmt applications = { "outage_applications",
	"select a.id::text, $3 - greatest($2, a.submitted_at) as seconds from icert.application a join icert.deadline d"
	" on d.subject = a.id and d.kind = 'application_cancel' and d.state = 'waiting' where a.closes_at >= $2"
	" and a.submitted_at < $3 and a.state in ('submitted', 'in_review', 'observed', 'accepted', 'scheduled', 'identified')"
	" and not exists (select from icert.outage_share s where s.outage_id = $1 and s.application_id = a.id"
	" and s.clock = 'application') and" TROUBLE_RESTS_NOT("outage", "a.id::text", "$5") " limit $4" };
/* Cases whose share could not be added: each holds up its own end alone (deadline_due.c). */
static const struct db_stmt troubled = { "outage_troubled", "select from icert.trouble where part = 'outage' limit 1" };
static const struct db_stmt share = { "outage_share_add",
	"insert into icert.outage_share (outage_id, application_id, clock, seconds, due_at, at) values ($1, $2, $3, $4, $5, $6)"
	" on conflict do nothing" };
static const struct db_stmt move_contract = { "outage_move_contract",
	"update icert.deadline set due_at = due_at + $2 where application_id = $1 and state = 'waiting'"
	" and kind in ('contract_due', 'contract_warn')" };
static const struct db_stmt move_application = { "outage_move_application",
	"update icert.deadline set due_at = due_at + $2 where application_id = $1 and state = 'waiting'"
	" and kind in ('application_cancel', 'application_warn')" };
static const struct db_stmt close_later = { "outage_close_later",
	"update icert.application set closes_at = closes_at + $2, version = version + 1 where id = $1" };
static const struct db_stmt applied = { "outage_applied", "update icert.outage set applied_at = $2 where id = $1" };

struct ended {
	char id[ID_TEXT], part[12];
	int64_t from_at, to_at;
};

static int
end_of(struct act *act, const char *application, int contract, int64_t *due)
{
	struct deadline_clock clock;
	struct held held;
	int error;

	if ((error = deadline_hold(act, application, &held)) != 0)
		return error;
	*due = held.closes_at;
	if (!contract)
		return 0;
	if ((error = deadline_clock(act, application, &clock)) == 0)
		*due = clock.due_at;
	return error;
}

/* One clock, in the open transaction. */
static int
add_here(struct act *act, const struct ended *o, const char *application, int64_t seconds, int contract)
{
	const char *clock = contract ? "contract" : "application";
	char cause[24], dedup[32 + ID_TEXT], detail[64];
	struct db_result *r;
	int64_t due;
	int error, fresh;

	/* The case first: what a page has just done has been done. */
	if ((error = end_of(act, application, contract, &due)) != 0 || (error = DB_QUERY(act->db, &share, &r, P_TEXT(o->id),
	    P_TEXT(application), P_TEXT(clock), P_INT(seconds), P_INT(due + seconds), P_INT(clock_business()))) != 0)
		return error;
	fresh = db_affected(r) == 1;
	db_result_free(r);
	if (!fresh)
		return 0;
	if ((error = DB_QUERY(act->db, contract ? &move_contract : &move_application, NULL, P_TEXT(application),
	    P_INT(seconds))) != 0 || (!contract && (error = DB_QUERY(act->db, &close_later, NULL, P_TEXT(application),
	    P_INT(seconds))) != 0))
		return error;
	snprintf(cause, sizeof(cause), "outage_%s", o->part);
	snprintf(dedup, sizeof(dedup), "outage:%s:%s", o->id, contract ? "c" : "a");
	snprintf(detail, sizeof(detail), "{\"outage\":\"%.8s\",\"seconds\":%" PRId64 "}", o->id, seconds);
	if ((error = act_audit(act, "clock.move", "application", application, application, 0, cause, detail)) != 0)
		return error;
	return deadline_tell_moved(act, application, clock, cause, dedup);
}

struct adding {
	struct act *act;
	const struct ended *o;
	struct db_result *r;
	int row, contract;
};

/* trouble_each() goes through the rows in their order. */
static int
add_one(void *ctx, const char *application)
{
	struct adding *a = ctx;
	int64_t seconds = db_int(a->r, a->row++, 1);
	int error;

	if ((error = act_begin(a->act)) == 0 && (error = add_here(a->act, a->o, application, seconds, a->contract)) == 0)
		error = db_commit(a->act->db);
	return error;
}

/* As many clocks of one kind as are left to do; *n counts down. */
static int
add_to(struct act *act, const struct ended *o, int contract, size_t *n)
{
	struct adding a = { .act = act, .o = o, .contract = contract };
	int error, rows;

	if ((error = DB_QUERY(act->db, contract ? &contracts : &applications, &a.r, P_TEXT(o->id), P_INT(o->from_at),
	    P_INT(o->to_at), P_INT((int64_t)*n), P_INT(clock_real()))) != 0)
		return error;
	rows = db_rows(a.r);
	error = trouble_each(act, "outage", a.r, add_one, &a, NULL);
	*n = (size_t)rows < *n ? *n - (size_t)rows : 0;
	return error;
}

/* *waits: whether more is to be added than what rests; it is not marked as added while anything is. */
static int
apply_one(struct act *act, const struct ended *o, size_t *n, int *waits)
{
	struct db_result *r;
	int error, rests;

	if ((error = add_to(act, o, 1, n)) != 0 || (*n > 0 && (error = add_to(act, o, 0, n)) != 0))
		return error;
	if (*n == 0) {
		*waits = 1;
		return 0;
	}
	if ((error = db_query(act->db, &troubled, NULL, 0, &r)) != 0)
		return error;
	rests = db_rows(r) > 0;
	db_result_free(r);
	return rests ? 0 : DB_QUERY(act->db, &applied, NULL, P_TEXT(o->id), P_INT(clock_business()));
}

int
outage_apply(struct act *act, size_t most, size_t *done, int *waits)
{
	struct ended list[20];
	struct db_result *r;
	size_t n = 0, left = most;
	int error;

	*waits = 1;
	*done = 0;
	if ((error = DB_QUERY(act->db, &pending, &r, P_INT(clock_business() - OPEN_S))) != 0)
		return error;
	*waits = 0;
	for (int i = 0; i < db_rows(r) && n < sizeof(list) / sizeof(list[0]); i++) {
		if (strcmp(db_text(r, i, 4), "open") == 0 || db_int(r, i, 3) == 0) {
			*waits = 1;
			continue;
		}
		snprintf(list[n].id, sizeof(list[n].id), "%s", db_text(r, i, 0));
		snprintf(list[n].part, sizeof(list[n].part), "%s", db_text(r, i, 1));
		list[n].from_at = db_int(r, i, 2);
		list[n++].to_at = db_int(r, i, 3);
	}
	db_result_free(r);
	for (size_t i = 0; i < n && error == 0; i++) {
		if (left == 0)
			*waits = 1;
		else
			error = apply_one(act, &list[i], &left, waits);
	}
	*done = most - left;
	return error;
}
