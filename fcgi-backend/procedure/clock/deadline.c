#include <inttypes.h>
#include <stdio.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/clock/deadline.h"

static const struct db_stmt add = { "deadline_add",
	"insert into icert.deadline (id, kind, subject_kind, subject, application_id, due_at, created_at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };

int
deadline_add(const struct act *act, const char *kind, const char *subject_kind, const char *subject,
    const char *application, int64_t due_at)
{
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) != 0)
		return error;
	return DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(kind), P_TEXT(subject_kind), P_TEXT(subject),
	    P_TEXT(application), P_INT(due_at), P_INT(clock_business()));
}

static const struct db_stmt stop = { "deadline_clock_stop", "select icert.clock_stop($1, $2)" };
static const struct db_stmt run_on = { "deadline_clock_run", "select icert.clock_run($1, $2, $3)" };
static const struct db_stmt read_clock = { "deadline_clock",
	"select due_at, coalesce(stopped_at, 0) from icert.deadline where application_id = $1 and kind = 'contract_due'"
	" and state = 'waiting'" };

/* What the database answered, and the row that says who moved the clock and why. */
static int
moved(const struct act *act, struct db_result *r, const char *action, const char *application, const char *reason,
    int64_t *due_at)
{
	int64_t due = db_is_null(r, 0, 0) ? 0 : db_int(r, 0, 0);
	char detail[48];

	db_result_free(r);
	if (due_at != NULL)
		*due_at = due;
	if (due == 0)
		return 0;
	snprintf(detail, sizeof(detail), "{\"due_at\":%" PRId64 "}", due);
	return act_audit(act, action, "application", application, application, 0, reason, detail);
}

int
deadline_clock_stop_at(const struct act *act, const char *application, int64_t at, const char *reason, int64_t *due_at)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &stop, &r, P_TEXT(application), P_INT(at))) != 0)
		return error;
	return moved(act, r, "clock.stop", application, reason, due_at);
}

int
deadline_clock_stop(const struct act *act, const char *application, const char *reason, int64_t *due_at)
{
	return deadline_clock_stop_at(act, application, clock_business(), reason, due_at);
}

int
deadline_clock_run(const struct act *act, const char *application, const char *reason, int64_t least, int64_t *due_at)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &run_on, &r, P_TEXT(application), P_INT(clock_business()), P_INT(least))) != 0)
		return error;
	return moved(act, r, "clock.run", application, reason, due_at);
}

int
deadline_clock_end(const struct act *act, const char *application, char end[24])
{
	struct deadline_clock clock = { .due_at = 0 };
	int error = deadline_clock(act, application, &clock);

	end[0] = '\0';
	if (error == 0 && clock.stopped_at == 0)
		snprintf(end, 24, "%" PRId64, clock.due_at);
	return error == ICERT_E_NOT_FOUND ? 0 : error;
}

int
deadline_clock(const struct act *act, const char *application, struct deadline_clock *out)
{
	struct db_result *r;
	int error, own = !db_in_tx(act->db);

	if (own && (error = act_begin(act)) != 0)
		return error;
	error = own ? DB_QUERY_COMMIT(act->db, &read_clock, &r, P_TEXT(application)) :
	    DB_QUERY(act->db, &read_clock, &r, P_TEXT(application));
	if (error != 0)
		return error;
	out->due_at = db_int(r, 0, 0);
	out->stopped_at = db_int(r, 0, 1);
	error = db_rows(r) == 1 ? 0 : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}
