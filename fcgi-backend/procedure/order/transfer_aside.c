#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/order/transfer.h"

#define DECIDERS	(BY_FINANCE | BY_NATIONAL)

/* A statement that was imported under the wrong account has as many lines as a month: they go and come back together. */
static const struct db_stmt aside = { "transfer_aside",
	"update icert.bank_line set state = 'other', whole = false, decided_by = $2, decided_at = $3 where id = $1 and state = 'new' and version = $4" };
static const struct db_stmt aside_all = { "transfer_aside_all",
	"update icert.bank_line set state = 'other', whole = true, decided_by = $2, decided_at = $3 where state = 'new'"
	" and import_id = (select l.import_id from icert.bank_line l where l.id = $1 and l.state = 'new' and l.version = $4)" };
static const struct db_stmt paying = { "transfer_aside_paying",
	"select count(*) from icert.bank_line l join icert.bank_line one on one.import_id = l.import_id where one.id = $1 and l.state in ('confirmed', 'applied')" };
#define WAITS	"update icert.bank_line set state = 'new', whole = false, decided_by = null, decided_at = null where state = 'other'"
static const struct db_stmt again = { "transfer_again", WAITS " and not whole and id = $1 and version = $2" };
static const struct db_stmt again_all = { "transfer_again_all",
	WAITS " and whole and import_id = (select l.import_id from icert.bank_line l where l.id = $1 and l.whole and l.version = $2)" };
/* The statement was taken as another account's meanwhile, or with other columns: its money is there already.  Imports of it are one after
 * the other, as in transfer_import(). */
static const struct db_stmt elsewhere = { "transfer_aside_elsewhere",
	"select count(*) from icert.bank_import mine join icert.bank_line m on m.import_id = mine.id"
	" join icert.bank_import i on i.sha256 = mine.sha256 and (i.account_id <> mine.account_id or i.profile <> mine.profile)"
	" where m.id = $1 and exists (select from icert.bank_line l where l.import_id = i.id and l.state <> 'other')" };

static int
change(struct act *act, const struct db_stmt *stmt, const struct db_param *params, size_t n)
{
	struct db_result *r;
	int error;

	if ((error = db_query(act->db, stmt, params, n, &r)) != 0)
		return error;
	error = db_affected(r) > 0 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	return error;
}

static int
elsewhere_now(struct act *act, const char *line)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &elsewhere, &r, P_TEXT(line))) != 0)
		return error;
	error = db_int(r, 0, 0) == 0 ? 0 : ICERT_E_EXISTS;
	db_result_free(r);
	return error;
}

static int
count_paying(struct act *act, const char *line, unsigned *stay)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &paying, &r, P_TEXT(line))) != 0)
		return error;
	*stay = (unsigned)db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

static int
noted(struct act *act, const char *action, const char *line, int whole)
{
	int error = act_audit(act, action, "bank_line", line, NULL, 0, whole ? "statement" : NULL, NULL);

	return error == 0 ? db_commit(act->db) : error;
}

int
transfer_set_aside(struct act *act, const char *line, int version, int whole, unsigned *stay)
{
	struct transfer t;
	int error = ICERT_E_DENIED;

	if ((act->roles & DECIDERS) && (error = transfer_get(act, line, &t)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = change(act, whole ? &aside_all : &aside, DB_PARAMS(P_TEXT(line), P_TEXT(act->id), P_INT(clock_business()), P_INT(version)))) == 0 &&
	    (error = stay != NULL ? count_paying(act, line, stay) : 0) == 0)
		error = noted(act, "transfer.set_aside", line, whole);
	return error == 0 ? 0 : act_refuse(act, "transfer.set_aside", "bank_line", id_valid(line) ? line : NULL, 0, error);
}

int
transfer_again(struct act *act, const char *line, int version)
{
	struct transfer t;
	int error = ICERT_E_DENIED;

	if ((act->roles & DECIDERS) && (error = transfer_get(act, line, &t)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = transfer_one_import(act)) == 0 && (error = elsewhere_now(act, line)) == 0 &&
	    (error = change(act, t.whole ? &again_all : &again, DB_PARAMS(P_TEXT(line), P_INT(version)))) == 0)
		error = noted(act, "transfer.again", line, t.whole);
	return error == 0 ? 0 : act_refuse(act, "transfer.again", "bank_line", id_valid(line) ? line : NULL, 0, error);
}
