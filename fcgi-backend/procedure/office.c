#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/office.h"

void
office_fill(struct office_request *q, struct db_result *r, int row)
{
	memset(q, 0, sizeof *q);
	snprintf(q->id, sizeof q->id, "%s", db_text(r, row, 0));
	snprintf(q->state, sizeof q->state, "%s", db_text(r, row, 1));
	snprintf(q->requested_by, sizeof q->requested_by, "%s", db_text(r, row, 2));
	snprintf(q->requested_name, sizeof q->requested_name, "%s", db_text(r, row, 3));
	snprintf(q->decided_name, sizeof q->decided_name, "%s", db_text(r, row, 4));
	q->requested_at = db_int(r, row, 5);
	q->decided_at = db_int(r, row, 6);
	q->other = db_bool(r, row, 7);
}

int
office_settle(struct act *act, const struct db_stmt *decide, const struct office_request *q, const char *state)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, decide, &r, P_TEXT(q->id), P_TEXT(state), P_TEXT(act->id),
	    P_INT(clock_business()))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	return error;
}

int
office_case(struct act *act, const char *application, struct case_file *c)
{
	int error;

	if ((error = case_open(act, application, -1, c)) != 0)
		return error;
	if (!(act->roles & BY_NATIONAL))
		return ICERT_E_DENIED;
	return c->own ? ICERT_E_OWN_CASE : 0;
}

int
office_case_done(struct act *act, struct case_file *c, const char *action, int error)
{
	bytes_wipe(c->key, sizeof c->key);
	if (error == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 :
	    act_refuse(act, action, "application", c->a.id[0] != '\0' ? c->a.id : NULL, c->a.province, error);
}
