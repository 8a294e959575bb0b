#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/transition.h"

static const char *const state_names[APPLICATION_STATES] = {
	[APPLICATION_DRAFT] = "draft",
	[APPLICATION_SUBMITTED] = "submitted",
	[APPLICATION_IN_REVIEW] = "in_review",
	[APPLICATION_OBSERVED] = "observed",
	[APPLICATION_ACCEPTED] = "accepted",
	[APPLICATION_SCHEDULED] = "scheduled",
	[APPLICATION_IDENTIFIED] = "identified",
	[APPLICATION_ISSUING] = "issuing",
	[APPLICATION_ISSUED] = "issued",
	[APPLICATION_CONTRACT_SENT] = "contract_sent",
	[APPLICATION_CONTRACT_RECEIVED] = "contract_received",
	[APPLICATION_CONTRACT_SIGNED] = "contract_signed",
	[APPLICATION_COUNTERSIGNED] = "countersigned",
	[APPLICATION_ACTIVE] = "active",
	[APPLICATION_REJECTED] = "rejected",
	[APPLICATION_CANCELLED] = "cancelled",
	[APPLICATION_REMOVED] = "removed",
	[APPLICATION_CLOSED_REVOKED] = "closed_revoked",
};

static const char *const action_names[APPLICATION_ACTIONS] = {
	[ACTION_SUBMIT] = "submit",
	[ACTION_ASSIGN] = "assign",
	[ACTION_RELEASE] = "release",
	[ACTION_REASSIGN] = "reassign",
	[ACTION_OBSERVE] = "observe",
	[ACTION_MEND] = "mend",
	[ACTION_ACCEPT] = "accept",
	[ACTION_REJECT] = "reject",
	[ACTION_PROPOSE_SLOT] = "propose_slot",
	[ACTION_CONFIRM_SLOT] = "confirm_slot",
	[ACTION_UNSCHEDULE] = "unschedule",
	[ACTION_IDENTIFY] = "identify",
	[ACTION_IDENTIFY_SIGNED] = "identify_signed",
	[ACTION_SEND_BACK] = "send_back",
	[ACTION_ACCEPT_FIELDS] = "accept_fields",
	[ACTION_ISSUE] = "issue",
	[ACTION_ISSUED] = "issued",
	[ACTION_REFUSED] = "refused",
	[ACTION_SEND_CONTRACT] = "send_contract",
	[ACTION_RECEIVE_CONTRACT] = "receive_contract",
	[ACTION_SIGN_CONTRACT] = "sign_contract",
	[ACTION_REFUSE_CONTRACT] = "refuse_contract",
	[ACTION_COUNTERSIGN] = "countersign",
	[ACTION_RETURN_CONTRACT] = "return_contract",
	[ACTION_FILE] = "file",
	[ACTION_CANCEL] = "cancel",
	[ACTION_REMOVE] = "remove",
	[ACTION_CLOSE_REVOKED] = "close_revoked",
};

/* The procedure's table "application state | next (who)", one row an arrow. */
const struct transition transitions[] = {
	{ ACTION_SUBMIT, APPLICATION_DRAFT, APPLICATION_SUBMITTED, BY_APPLICANT },
	{ ACTION_REMOVE, APPLICATION_DRAFT, APPLICATION_REMOVED, BY_APPLICANT | BY_CLERK },

	{ ACTION_ASSIGN, APPLICATION_SUBMITTED, APPLICATION_IN_REVIEW, BY_OPERATOR | BY_NATIONAL },
	{ ACTION_RELEASE, APPLICATION_IN_REVIEW, APPLICATION_SUBMITTED, BY_OPERATOR | BY_NATIONAL },
	{ ACTION_REASSIGN, APPLICATION_IN_REVIEW, APPLICATION_IN_REVIEW, BY_OPERATOR | BY_NATIONAL },
	{ ACTION_REASSIGN, APPLICATION_ACCEPTED, APPLICATION_ACCEPTED, BY_OPERATOR | BY_NATIONAL },
	{ ACTION_REASSIGN, APPLICATION_SCHEDULED, APPLICATION_SCHEDULED, BY_OPERATOR | BY_NATIONAL },
	{ ACTION_REASSIGN, APPLICATION_IDENTIFIED, APPLICATION_IDENTIFIED, BY_OPERATOR | BY_NATIONAL },

	{ ACTION_OBSERVE, APPLICATION_IN_REVIEW, APPLICATION_OBSERVED, BY_OPERATOR },
	{ ACTION_OBSERVE, APPLICATION_SCHEDULED, APPLICATION_OBSERVED, BY_OPERATOR },
	{ ACTION_MEND, APPLICATION_OBSERVED, APPLICATION_IN_REVIEW, BY_APPLICANT },
	{ ACTION_ACCEPT, APPLICATION_IN_REVIEW, APPLICATION_ACCEPTED, BY_OPERATOR },
	{ ACTION_REJECT, APPLICATION_IN_REVIEW, APPLICATION_REJECTED, BY_OPERATOR },
	{ ACTION_REJECT, APPLICATION_ACCEPTED, APPLICATION_REJECTED, BY_OPERATOR },
	{ ACTION_REJECT, APPLICATION_SCHEDULED, APPLICATION_REJECTED, BY_OPERATOR },

	{ ACTION_PROPOSE_SLOT, APPLICATION_ACCEPTED, APPLICATION_ACCEPTED, BY_OPERATOR },
	{ ACTION_CONFIRM_SLOT, APPLICATION_ACCEPTED, APPLICATION_SCHEDULED, BY_APPLICANT | BY_OPERATOR },
	{ ACTION_UNSCHEDULE, APPLICATION_SCHEDULED, APPLICATION_ACCEPTED, BY_OPERATOR },

	{ ACTION_IDENTIFY, APPLICATION_SCHEDULED, APPLICATION_IDENTIFIED, BY_OPERATOR },
	{ ACTION_IDENTIFY_SIGNED, APPLICATION_ACCEPTED, APPLICATION_IDENTIFIED, BY_OPERATOR },
	{ ACTION_SEND_BACK, APPLICATION_IDENTIFIED, APPLICATION_SCHEDULED, BY_OPERATOR | BY_CLERK },
	{ ACTION_ACCEPT_FIELDS, APPLICATION_SCHEDULED, APPLICATION_SCHEDULED, BY_APPLICANT },
	{ ACTION_ACCEPT_FIELDS, APPLICATION_IDENTIFIED, APPLICATION_IDENTIFIED, BY_APPLICANT },

	{ ACTION_ISSUE, APPLICATION_IDENTIFIED, APPLICATION_ISSUING, BY_OPERATOR },
	{ ACTION_ISSUED, APPLICATION_ISSUING, APPLICATION_ISSUED, BY_ISSUER },
	{ ACTION_REFUSED, APPLICATION_ISSUING, APPLICATION_IDENTIFIED, BY_ISSUER },

	{ ACTION_SEND_CONTRACT, APPLICATION_ISSUED, APPLICATION_CONTRACT_SENT, BY_CLERK },
	{ ACTION_RECEIVE_CONTRACT, APPLICATION_CONTRACT_SENT, APPLICATION_CONTRACT_RECEIVED, BY_APPLICANT | BY_OPERATOR },
	{ ACTION_SIGN_CONTRACT, APPLICATION_CONTRACT_RECEIVED, APPLICATION_CONTRACT_SIGNED, BY_CLERK },
	{ ACTION_REFUSE_CONTRACT, APPLICATION_CONTRACT_RECEIVED, APPLICATION_CONTRACT_SENT, BY_CLERK },
	{ ACTION_COUNTERSIGN, APPLICATION_CONTRACT_SIGNED, APPLICATION_COUNTERSIGNED, BY_DIRECTOR },
	{ ACTION_RETURN_CONTRACT, APPLICATION_CONTRACT_SIGNED, APPLICATION_CONTRACT_SENT, BY_DIRECTOR },
	{ ACTION_FILE, APPLICATION_COUNTERSIGNED, APPLICATION_ACTIVE, BY_CLERK },

	{ ACTION_CANCEL, APPLICATION_SUBMITTED, APPLICATION_CANCELLED, BY_APPLICANT | BY_CLERK },
	{ ACTION_CANCEL, APPLICATION_IN_REVIEW, APPLICATION_CANCELLED, BY_APPLICANT | BY_CLERK },
	{ ACTION_CANCEL, APPLICATION_OBSERVED, APPLICATION_CANCELLED, BY_APPLICANT | BY_CLERK },
	{ ACTION_CANCEL, APPLICATION_ACCEPTED, APPLICATION_CANCELLED, BY_APPLICANT | BY_CLERK },
	{ ACTION_CANCEL, APPLICATION_SCHEDULED, APPLICATION_CANCELLED, BY_APPLICANT | BY_CLERK },
	{ ACTION_CANCEL, APPLICATION_IDENTIFIED, APPLICATION_CANCELLED, BY_APPLICANT | BY_CLERK },

	{ ACTION_CLOSE_REVOKED, APPLICATION_ISSUED, APPLICATION_CLOSED_REVOKED,
	    BY_APPLICANT | BY_CODE | BY_NATIONAL | BY_CLERK },
	{ ACTION_CLOSE_REVOKED, APPLICATION_CONTRACT_SENT, APPLICATION_CLOSED_REVOKED,
	    BY_APPLICANT | BY_CODE | BY_NATIONAL | BY_CLERK },
	{ ACTION_CLOSE_REVOKED, APPLICATION_CONTRACT_RECEIVED, APPLICATION_CLOSED_REVOKED, BY_APPLICANT | BY_CODE | BY_NATIONAL },
	{ ACTION_CLOSE_REVOKED, APPLICATION_CONTRACT_SIGNED, APPLICATION_CLOSED_REVOKED, BY_APPLICANT | BY_CODE | BY_NATIONAL },
};
const unsigned transitions_n = sizeof transitions / sizeof transitions[0];

const char *
application_state_name(enum application_state state)
{
	return (unsigned)state < APPLICATION_STATES ? state_names[state] : NULL;
}

const char *
application_state_seen(enum application_state state, const char *certificate)
{
	if (state == APPLICATION_ACTIVE && strcmp(certificate, "revoked") == 0)
		return application_state_name(APPLICATION_CLOSED_REVOKED);
	return state == APPLICATION_ACTIVE && strcmp(certificate, "expired") == 0 ? "expired" : application_state_name(state);
}

enum application_state
application_state_find(const char *name)
{
	for (unsigned i = 1; i < APPLICATION_STATES; i++)
		if (strcmp(state_names[i], name) == 0)
			return i;
	return 0;
}

int
application_is_issued(enum application_state state)
{
	return (state >= APPLICATION_ISSUED && state <= APPLICATION_ACTIVE) || state == APPLICATION_CLOSED_REVOKED;
}

const char *
application_action_name(enum application_action action)
{
	return (unsigned)action < APPLICATION_ACTIONS ? action_names[action] : NULL;
}

const struct transition *
transition_find(enum application_action action, enum application_state from, unsigned roles, int *error)
{
	int why = ICERT_E_STATE;

	for (unsigned i = 0; i < transitions_n; i++) {
		const struct transition *t = &transitions[i];

		if (t->action != action || t->from != from)
			continue;
		if (t->roles & roles)
			return t;
		why = ICERT_E_DENIED;
	}
	if (error != NULL)
		*error = why;
	return NULL;
}

uint32_t
transition_possible(enum application_state state, unsigned roles)
{
	uint32_t possible = 0;

	for (unsigned i = 0; i < transitions_n; i++)
		if (transitions[i].from == state && transitions[i].roles & roles)
			possible |= UINT32_C(1) << transitions[i].action;
	return possible;
}

static const struct db_stmt move = { "application_move",
	"update icert.application set state = $4, version = version + 1, state_since = case when state = $4 then state_since"
	" else $5 end, reason = $6 where id = $1 and version = $2 and state = $3" };

int
transition_apply(const struct act *act, enum application_action action, const char *id,
    enum application_state from, int version, int province, const struct transition_also *also)
{
	const struct transition *t;
	struct db_result *r;
	char name[48];
	int error;

	if ((t = transition_find(action, from, act->roles, &error)) == NULL)
		return error;
	error = DB_QUERY(act->db, &move, &r, P_TEXT(id), P_INT(version), P_TEXT(state_names[from]),
	    P_TEXT(state_names[t->to]), P_INT(clock_business()),
	    P_TEXT(also != NULL && also->reason != NULL ? also->reason : ""));
	if (error != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	if (error != 0)
		return error;
	snprintf(name, sizeof name, "application.%s", action_names[action]);
	return act_audit(act, name, "application", id, id, province, also != NULL ? also->reason : NULL,
	    also != NULL ? also->detail : NULL);
}
