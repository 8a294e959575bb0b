#include "libicert/error.h"
#include "procedure/journal.h"

int
journal_list(struct act *act, int64_t before_us, struct audit_line *rows, size_t *n)
{
	int error;

	if (!(act->roles & (BY_AUDITOR | BY_NATIONAL)))
		return act_refuse(act, "audit.read", "audit", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) == 0 && (error = audit_browse(act->db, before_us, NULL, rows, n)) == 0 &&
	    (error = act_audit(act, "audit.read", "audit", NULL, NULL, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}
