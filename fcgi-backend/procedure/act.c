#include <string.h>

#include "audit/audit.h"
#include "libicert/error.h"
#include "procedure/act.h"

int
act_begin(const struct act *act)
{
	return db_begin(act->db, act->identified ? &act->identity : NULL);
}

static const char *
kind_of(const struct act *act)
{
	if (act->program != NULL)
		return "program";
	if (act->id[0] == '\0')
		return "anyone";
	return act->roles & BY_STAFF ? "staff" : "contact";
}

static int
append(const struct act *act, const char *action, const char *outcome, const char *subject_kind,
    const char *subject, const char *case_id, int province, const char *reason, const char *detail)
{
	struct audit_event event = {
		.action = action,
		.outcome = outcome,
		.reason = reason,
		.actor_kind = kind_of(act),
		.actor = act->program != NULL ? act->program : act->id,
		.subject_kind = subject_kind,
		.subject = subject,
		.case_id = case_id,
		.province = province,
		.country = act->country,
		.network = act->network,
		.detail = detail,
	};

	return audit_append(act->db, &event);
}

int
act_audit(const struct act *act, const char *action, const char *subject_kind, const char *subject,
    const char *case_id, int province, const char *reason, const char *detail)
{
	return append(act, action, "done", subject_kind, subject, case_id, province, reason, detail);
}

int
act_audit_refused(const struct act *act, const char *action, const char *subject_kind, const char *subject,
    int province, int error)
{
	int is_case = subject_kind != NULL && strcmp(subject_kind, "application") == 0;

	return append(act, action, "refused", subject_kind, subject, is_case ? subject : NULL, province,
	    icert_err_code(error), NULL);
}

int
act_refuse_for(const struct act *act, const char *action, const char *subject_kind, const char *subject, int error, const char *reason)
{
	db_rollback(act->db);
	if (act_begin(act) == 0 && append(act, action, "refused", subject_kind, subject, NULL, 0, reason, NULL) == 0 && db_commit(act->db) == 0)
		return error;
	db_rollback(act->db);
	return error;
}

/* Refusals that say something about who asked; a machine that is down, or two
 * hands on one row, do not. */
static int
worth_a_row(const struct act *act, int error)
{
	switch (error) {
	case ICERT_E_DENIED:
	case ICERT_E_STATE:
	case ICERT_E_EXISTS:
	case ICERT_E_OWN_CASE:
	case ICERT_E_CODE_WRONG:
	case ICERT_E_CODE_SPENT:
	case ICERT_E_CODE_REPLAYED:
	case ICERT_E_MISMATCH:
	case ICERT_E_MISSING:
	case ICERT_E_STALE:
	case ICERT_E_FORGED:
		return 1;
	case ICERT_E_NOT_FOUND:
		return (act->roles & BY_STAFF) != 0;
	default:
		return 0;
	}
}

int
act_refuse(const struct act *act, const char *action, const char *subject_kind, const char *subject,
    int province, int error)
{
	db_rollback(act->db);
	if (!worth_a_row(act, error))
		return error;
	if (act_begin(act) == 0 && act_audit_refused(act, action, subject_kind, subject, province, error) == 0 &&
	    db_commit(act->db) == 0)
		return error;
	db_rollback(act->db);
	return error;
}
