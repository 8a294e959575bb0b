#include "procedure/order/account.h"

#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/utf8.h"
#include "procedure/people/staff.h"

#define READERS		(BY_ADMIN | BY_FINANCE | BY_NATIONAL | BY_AUDITOR)

const char *const account_kinds[] = { "savings", "current", NULL };

#define DATA	"coalesce(q.province, 0), coalesce(v.name, ''), q.bank, q.kind, q.number, q.holder, q.holder_id"
#define FROM	" from icert.bank_account q left join icert.province v on v.id = q.province"
static const struct db_stmt list = { "account_list",
	"select " OFFICE_COLUMNS ", " DATA FROM OFFICE_JOINS
	" order by array_position(array['open', 'confirmed'], q.state) nulls last, v.name nulls first, q.bank, q.number limit $1" };
static const struct db_stmt one = { "account_one", "select " OFFICE_COLUMNS ", " DATA FROM OFFICE_JOINS " where q.id = $1" };
static const struct db_stmt told = { "account_told",
	"select " DATA FROM " where q.state = 'confirmed' order by v.name nulls first, q.bank, q.number limit $1" };
static const struct db_stmt add = { "account_add",
	"insert into icert.bank_account (id, province, bank, kind, number, holder, holder_id, requested_by, requested_at)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, $9)" };
static const struct db_stmt decide = { "account_decide",
	"update icert.bank_account set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'open'" };
static const struct db_stmt shut = { "account_shut",
	"update icert.bank_account set state = 'closed', decided_by = $2, decided_at = $3 where id = $1 and state = 'confirmed'" };

static void
fill(struct account *a, const struct db_result *r, int row, int from)
{
	a->province = (int)db_int(r, row, from);
	snprintf(a->place, sizeof a->place, "%s", db_text(r, row, from + 1));
	snprintf(a->bank, sizeof a->bank, "%s", db_text(r, row, from + 2));
	snprintf(a->kind, sizeof a->kind, "%s", db_text(r, row, from + 3));
	snprintf(a->number, sizeof a->number, "%s", db_text(r, row, from + 4));
	snprintf(a->holder, sizeof a->holder, "%s", db_text(r, row, from + 5));
	snprintf(a->holder_id, sizeof a->holder_id, "%s", db_text(r, row, from + 6));
}

static int
read_rows(struct act *act, const struct db_stmt *stmt, int office, struct account *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, stmt, &r, P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct account *a = &rows[(*n)++];

		memset(a, 0, sizeof *a);
		if (office)
			office_fill(&a->q, r, i);
		fill(a, r, i, office ? OFFICE_N : 0);
	}
	db_result_free(r);
	return 0;
}

int
account_list(struct act *act, struct account *rows, size_t *n)
{
	if (!(act->roles & READERS)) {
		*n = 0;
		return act_refuse(act, "account.list", "bank_account", NULL, 0, ICERT_E_DENIED);
	}
	return read_rows(act, &list, 1, rows, n);
}

int
account_told(struct act *act, struct account *rows, size_t *n)
{
	return read_rows(act, &told, 0, rows, n);
}

static int
digits(const char *s, size_t least, size_t most)
{
	size_t n = strlen(s);

	return n >= least && n <= most && strspn(s, "0123456789") == n;
}

static int
words(const char *s)
{
	return strlen(s) >= 2 && utf8_printable(s, strlen(s));
}

int
account_write(struct act *act, const struct account *a)
{
	char id[ID_TEXT] = "";
	int error = ICERT_E_DENIED;

	if (!words(a->bank) || !words(a->holder) || !digits(a->number, 6, 20) ||
	    (!digits(a->holder_id, 10, 10) && !digits(a->holder_id, 13, 13)) ||
	    (strcmp(a->kind, account_kinds[0]) != 0 && strcmp(a->kind, account_kinds[1]) != 0))
		return ICERT_E_INVALID;
	if ((act->roles & BY_ADMIN) && (error = id_new(id)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), a->province != 0 ? P_INT(a->province) : P_NULL, P_TEXT(a->bank),
	    P_TEXT(a->kind), P_TEXT(a->number), P_TEXT(a->holder), P_TEXT(a->holder_id), P_TEXT(act->id), P_INT(clock_business()))) == 0 &&
	    (error = act_audit(act, "account.write", "bank_account", id, NULL, a->province, NULL, NULL)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "account.write", "bank_account", NULL, 0, error);
}

/* Inside the open transaction. */
static int
read_one(struct act *act, const char *id, struct account *a)
{
	struct db_result *r;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &one, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1) {
		office_fill(&a->q, r, 0);
		fill(a, r, 0, OFFICE_N);
	} else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
account_confirm(struct act *act, const char *id, const char *code)
{
	struct account a = { .province = 0 };
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_ADMIN) && (error = staff_factor(act, code)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = read_one(act, id, &a)) == 0 && (error = a.q.other ? 0 : ICERT_E_DENIED) == 0 &&
	    (error = office_settle(act, &decide, &a.q, "confirmed")) == 0 &&
	    (error = act_audit(act, "account.confirm", "bank_account", id, NULL, a.province, NULL, NULL)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "account.confirm", "bank_account", a.q.id[0] != '\0' ? id : NULL, 0, error);
}

int
account_end(struct act *act, const char *id, const char *seen)
{
	struct account a = { .province = 0 };
	struct db_result *r = NULL;
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_ADMIN) && (error = act_begin(act)) == 0 && (error = read_one(act, id, &a)) == 0) {
		if (strcmp(a.q.state, seen) != 0)
			error = ICERT_E_CONFLICT;
		else if (strcmp(a.q.state, "confirmed") != 0)
			error = office_settle(act, &decide, &a.q, "withdrawn");
		else if ((error = DB_QUERY(act->db, &shut, &r, P_TEXT(id), P_TEXT(act->id), P_INT(clock_business()))) == 0) {
			error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
			db_result_free(r);
		}
		if (error == 0 && (error = act_audit(act, "account.end", "bank_account", id, NULL, a.province, NULL, NULL)) == 0)
			error = db_commit(act->db);
	}
	return error == 0 ? 0 : act_refuse(act, "account.end", "bank_account", a.q.id[0] != '\0' ? id : NULL, 0, error);
}
