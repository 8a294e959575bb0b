/* Outages as they are entered, noticed and listed; outage_apply.c adds them. */
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/clock/outage.h"
#include "procedure/policy.h"
#include "procedure/people/staff.h"

#define LEAST_S 900	/* shorter ones are noise */
#define NEVER_BELOW_S 60	/* the clocks are noted only every few seconds (breaker.c) */
#define DAYS_BACK 30
#define DAY_S 86400

const char *const outage_parts[] = { OUTAGE_PORTAL, OUTAGE_MAIL, OUTAGE_CHECKER, NULL };

#define COLUMNS OFFICE_COLUMNS ", q.part, q.from_at, coalesce(q.to_at, 0), coalesce(q.applied_at, 0)"
static const struct db_stmt list = { "outage_list",
	"select " COLUMNS " from icert.outage q" OFFICE_JOINS " order by q.state = 'open' desc, q.from_at desc limit $1" };
static const struct db_stmt one = { "outage_one",
	"select " COLUMNS " from icert.outage q" OFFICE_JOINS " where q.id = $1 and q.state = 'open'" };
static const struct db_stmt add = { "outage_add",
	"insert into icert.outage (id, part, from_at, to_at, state, requested_by, requested_at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt begin = { "outage_begin",
	"insert into icert.outage (id, part, from_at, state, requested_at) values ($1, $2, $3, 'noticed', $4)"
	" on conflict (part) where to_at is null do nothing" };
static const struct db_stmt end = { "outage_end",
	"update icert.outage set to_at = greatest($2, from_at + 1) where part = $1 and to_at is null returning id::text" };
static const struct db_stmt decide = { "outage_decide",
	"update icert.outage set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'open'" };

static int64_t
least(const struct act *act)
{
	int64_t seconds = policy_int(act, "outage.seconds", LEAST_S);

	return seconds > NEVER_BELOW_S ? seconds : NEVER_BELOW_S;
}

static void
fill(struct outage *o, struct db_result *r, int row)
{
	memset(o, 0, sizeof *o);
	office_fill(&o->q, r, row);
	snprintf(o->part, sizeof o->part, "%s", db_text(r, row, OFFICE_N));
	o->from_at = db_int(r, row, OFFICE_N + 1);
	o->to_at = db_int(r, row, OFFICE_N + 2);
	o->applied_at = db_int(r, row, OFFICE_N + 3);
}

int
outage_list(struct act *act, struct outage *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & (BY_NATIONAL | BY_AUDITOR)))
		return act_refuse(act, "outage.list", "outage", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

static int
known(const char *part)
{
	for (size_t i = 0; outage_parts[i] != NULL; i++)
		if (strcmp(outage_parts[i], part) == 0)
			return 1;
	return 0;
}

static int
write_row(struct act *act, const char *part, int64_t from_at, int64_t to_at, const char *state, const char *staff)
{
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) != 0 || (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(part), P_INT(from_at),
	    P_INT(to_at), P_TEXT(state), P_TEXT(staff), P_INT(clock_business()))) != 0)
		return error;
	return act_audit(act, staff != NULL ? "outage.request" : "outage.notice", "outage", id, NULL, 0, part, NULL);
}

static int
done(struct act *act, const char *action, const char *id, int error)
{
	if (error == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, action, "outage", id != NULL && id_valid(id) ? id : NULL, 0, error);
}

int
outage_request(struct act *act, const char *part, int64_t from_at, int64_t to_at)
{
	int64_t now = clock_business();
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_NATIONAL) && (error = act_begin(act)) == 0) {
		if (!known(part) || from_at >= to_at || to_at > now ||
		    from_at < now - policy_int(act, "outage.days_back", DAYS_BACK) * DAY_S)
			error = ICERT_E_INVALID;
		else
			error = write_row(act, part, from_at, to_at, "open", act->id);
	}
	return done(act, "outage.request", NULL, error);
}

static int
read_open(struct act *act, const char *id, struct outage *o)
{
	struct db_result *r;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &one, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		fill(o, r, 0);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
outage_confirm(struct act *act, const char *id, const char *code)
{
	struct outage o;
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_NATIONAL) && (error = staff_factor(act, code)) == 0 && (error = read_open(act, id, &o)) == 0 &&
	    (error = o.q.other ? 0 : ICERT_E_DENIED) == 0 && (error = office_settle(act, &decide, &o.q, "confirmed")) == 0)
		error = act_audit(act, "outage.confirm", "outage", id, NULL, 0, o.part, NULL);
	return done(act, "outage.confirm", id, error);
}

int
outage_withdraw(struct act *act, const char *id)
{
	struct outage o;
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_NATIONAL) && (error = read_open(act, id, &o)) == 0 &&
	    (error = office_settle(act, &decide, &o.q, "withdrawn")) == 0)
		error = act_audit(act, "outage.withdraw", "outage", id, NULL, 0, o.part, NULL);
	return done(act, "outage.withdraw", id, error);
}

int
outage_noticed(struct act *act, const char *part, int64_t from_at, int64_t to_at)
{
	if (to_at - from_at < least(act))
		return 0;
	log_warn("outage", "%s: %lld seconds; they are added to the clocks", part, (long long)(to_at - from_at));
	return write_row(act, part, from_at, to_at, "noticed", NULL);
}

static int
end_here(struct act *act, const char *part)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &end, &r, P_TEXT(part), P_INT(clock_business()))) != 0)
		return error;
	if (db_rows(r) == 1) {
		log_warn("outage_ended", "%s", part);
		error = act_audit(act, "outage.notice_end", "outage", db_text(r, 0, 0), NULL, 0, part, NULL);
	}
	db_result_free(r);
	return error;
}

static int
begin_here(struct act *act, const char *part, int64_t since)
{
	struct db_result *r;
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) != 0 || (error = DB_QUERY(act->db, &begin, &r, P_TEXT(id), P_TEXT(part), P_INT(since),
	    P_INT(clock_business()))) != 0)
		return error;
	if (db_affected(r) == 1) {
		log_warn("outage", "%s goes on", part);
		error = act_audit(act, "outage.notice", "outage", id, NULL, 0, part, NULL);
	}
	db_result_free(r);
	return error;
}

int
outage_watch(struct act *act, const char *part, int64_t since)
{
	int error;

	if ((error = act_begin(act)) != 0)
		return error;
	if (since == 0)
		error = end_here(act, part);
	else if (clock_business() - since >= least(act))
		error = begin_here(act, part, since);
	if (error == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}
