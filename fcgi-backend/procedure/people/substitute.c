#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/people/substitute.h"
#include "procedure/trouble.h"

static const struct db_stmt list = { "substitute_list",
	"select s.id, s.staff_id, p.name, n.name, s.province, v.name, s.from_at, s.to_at, s.state,"
	" s.state <> 'over' and s.to_at > $2 and (icert.me_has('national') or icert.me_heads(s.province))"
	" from icert.substitute s join icert.staff p on p.id = s.staff_id join icert.staff n on n.id = s.named_by"
	" join icert.province v on v.id = s.province order by s.state = 'over', s.from_at desc limit $1" };
static const struct db_stmt who = { "substitute_who",
	"select p.id, p.id = $3::uuid, icert.me_has('national') or icert.me_heads($2::smallint),"
	" exists (select from icert.staff_role r where r.staff_id = p.id and r.role = 'director' and r.province = $2"
	" and r.substitute_id is null) or exists (select from icert.substitute s where s.staff_id = p.id and s.province = $2"
	" and s.state <> 'over' and s.from_at < $5 and s.to_at > $4)"
	" from icert.staff p where p.login = $1 and p.enabled" };
static const struct db_stmt add = { "substitute_add",
	"insert into icert.substitute (id, province, staff_id, from_at, to_at, named_by, named_at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt end_now = { "substitute_end",
	"update icert.substitute set to_at = $2, from_at = least(from_at, $2), ended_by = $3 where id = $1 and state <> 'over'"
	" and to_at > $2 returning province" };

static const struct db_stmt due = { "substitute_due",
	"select id::text from icert.substitute s where state <> 'over' and (to_at <= $1 or (state = 'named' and from_at <= $1))"
	" and" TROUBLE_RESTS_NOT("substitute", "s.id::text", "$2") " order by from_at limit 20" };
static const struct db_stmt due_one = { "substitute_due_one",
	"select staff_id::text, province, state, to_at <= $2 from icert.substitute where id = $1 and state <> 'over'"
	" and (to_at <= $2 or (state = 'named' and from_at <= $2)) for update skip locked" };
static const struct db_stmt set_state = { "substitute_state", "update icert.substitute set state = $2 where id = $1" };
static const struct db_stmt give = { "substitute_give",
	"insert into icert.staff_role (staff_id, role, province, since, substitute_id) values ($1, 'director', $2, $3, $4)"
	" on conflict do nothing" };
static const struct db_stmt take = { "substitute_take", "delete from icert.staff_role where substitute_id = $1" };

int
substitute_list(struct act *act, struct substitute *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &list, &r, P_INT((int64_t)room), P_INT(clock_business()))) != 0)
		return error;
	for (int i = 0; i < db_rows(r); i++) {
		struct substitute *s = &rows[(*n)++];

		memset(s, 0, sizeof *s);
		snprintf(s->id, sizeof s->id, "%s", db_text(r, i, 0));
		snprintf(s->staff, sizeof s->staff, "%s", db_text(r, i, 1));
		snprintf(s->name, sizeof s->name, "%s", db_text(r, i, 2));
		snprintf(s->named_by, sizeof s->named_by, "%s", db_text(r, i, 3));
		s->province = (int)db_int(r, i, 4);
		snprintf(s->province_name, sizeof s->province_name, "%s", db_text(r, i, 5));
		s->from_at = db_int(r, i, 6);
		s->to_at = db_int(r, i, 7);
		snprintf(s->state, sizeof s->state, "%s", db_text(r, i, 8));
		s->may_end = db_bool(r, i, 9);
	}
	db_result_free(r);
	return 0;
}

static int
name_one(struct act *act, const char *login, int province, int64_t from_at, int64_t to_at)
{
	char id[ID_TEXT], staff[ID_TEXT], detail[128];
	struct db_result *r;
	int error;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &who, &r, P_TEXT(login), P_INT(province),
	    P_TEXT(act->id), P_INT(from_at), P_INT(to_at))) != 0)
		return error;
	error = db_rows(r) != 1 ? ICERT_E_NOT_FOUND : db_bool(r, 0, 1) || !db_bool(r, 0, 2) ? ICERT_E_DENIED :
	    db_bool(r, 0, 3) ? ICERT_E_EXISTS : 0;
	snprintf(staff, sizeof staff, "%s", db_text(r, 0, 0));
	db_result_free(r);
	snprintf(detail, sizeof detail, "{\"from\":%" PRId64 ",\"to\":%" PRId64 "}", from_at, to_at);
	if (error == 0 && (error = id_new(id)) == 0 &&
	    (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_INT(province), P_TEXT(staff), P_INT(from_at), P_INT(to_at),
	    P_TEXT(act->id), P_INT(clock_business()))) == 0 &&
	    (error = act_audit(act, "substitute.name", "staff", staff, NULL, province, NULL, detail)) == 0)
		error = db_commit(act->db);
	return error;
}

int
substitute_name(struct act *act, const char *login, int province, int64_t from_at, int64_t to_at)
{
	int error;

	if (!(act->roles & (BY_NATIONAL | BY_DIRECTOR)))
		error = ICERT_E_DENIED;
	else if (to_at <= from_at || to_at <= clock_business() || province < 1 || province > 24)
		error = ICERT_E_INVALID;
	else
		error = name_one(act, login, province, from_at, to_at);
	return error == 0 ? 0 : act_refuse(act, "substitute.name", "staff", NULL, province, error);
}

int
substitute_end(struct act *act, const char *id)
{
	struct db_result *r = NULL;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) == 0 &&
	    (error = DB_QUERY(act->db, &end_now, &r, P_TEXT(id), P_INT(clock_business()), P_TEXT(act->id))) == 0) {
		error = db_rows(r) != 1 ? ICERT_E_NOT_FOUND :
		    act_audit(act, "substitute.end", "substitute", id, NULL, (int)db_int(r, 0, 0), NULL, NULL);
		db_result_free(r);
	}
	if (error == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "substitute.end", "substitute", id, 0, error);
}

/* A role that begins, or one that ends with the sessions of whoever had it. */
static int
turn(struct act *act, const char *id)
{
	struct db_result *r;
	char staff[ID_TEXT];
	int error, province, over, began;

	if ((error = DB_QUERY(act->db, &due_one, &r, P_TEXT(id), P_INT(clock_business()))) != 0)
		return error;
	snprintf(staff, sizeof staff, "%s", db_text(r, 0, 0));
	province = (int)db_int(r, 0, 1);
	began = strcmp(db_text(r, 0, 2), "active") == 0;
	over = db_bool(r, 0, 3);
	error = db_rows(r);
	db_result_free(r);
	/* Somebody else has it, or has done it. */
	if (error == 0)
		return 0;
	if ((error = DB_QUERY(act->db, &set_state, NULL, P_TEXT(id), P_TEXT(over ? "over" : "active"))) != 0)
		return error;
	if (over)
		error = began ? DB_QUERY(act->db, &take, NULL, P_TEXT(id)) : 0;
	else
		error = DB_QUERY(act->db, &give, NULL, P_TEXT(staff), P_INT(province), P_INT(clock_business()), P_TEXT(id));
	return error != 0 ? error : act_audit(act, over ? "substitute.over" : "substitute.begin", "staff", staff, NULL, province,
	    NULL, NULL);
}

static int
turn_one(void *ctx, const char *id)
{
	struct act *act = ctx;
	int error;

	if ((error = act_begin(act)) == 0 && (error = turn(act, id)) == 0)
		error = db_commit(act->db);
	return error;
}

int
substitute_run(struct act *act, size_t *done)
{
	struct db_result *r;
	int error;

	*done = 0;
	if ((error = DB_QUERY(act->db, &due, &r, P_INT(clock_business()), P_INT(clock_real()))) != 0)
		return error;
	return trouble_each(act, "substitute", r, turn_one, act, done);
}
