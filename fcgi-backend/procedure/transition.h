#ifndef ICERT_PROCEDURE_TRANSITION_H
#define ICERT_PROCEDURE_TRANSITION_H
/*
 * The states of an application, as data, and the one place that changes them.
 * The same pairs stand in the database (icert.transition, with the role of
 * the program), whose trigger refuses any other change.
 */
#include <stdint.h>

#include "procedure/act.h"

enum application_state {
	APPLICATION_DRAFT = 1,
	APPLICATION_SUBMITTED,
	APPLICATION_IN_REVIEW,
	APPLICATION_OBSERVED,
	APPLICATION_ACCEPTED,
	APPLICATION_SCHEDULED,
	APPLICATION_IDENTIFIED,
	APPLICATION_ISSUING,
	APPLICATION_ISSUED,
	APPLICATION_CONTRACT_SENT,
	APPLICATION_CONTRACT_RECEIVED,
	APPLICATION_CONTRACT_SIGNED,
	APPLICATION_COUNTERSIGNED,
	APPLICATION_ACTIVE,
	APPLICATION_REJECTED,
	APPLICATION_CANCELLED,
	APPLICATION_REMOVED,
	APPLICATION_CLOSED_REVOKED,
	APPLICATION_STATES		/* one above the last */
};

/* "draft", "in_review", …: as stored; NULL out of range. */
const char		*application_state_name(enum application_state);
/* As a person is told it: an active case whose certificate has this state and is no longer good is "closed_revoked", or "expired". */
const char		*application_state_seen(enum application_state, const char *certificate);
enum application_state	 application_state_find(const char *name);	/* 0: none */

/* A certificate was issued and stands or has ended with its case. */
int			 application_is_issued(enum application_state);

enum application_action {
	ACTION_SUBMIT = 1,
	ACTION_ASSIGN,		/* taken by, or given to, an operator of the province */
	ACTION_RELEASE,
	ACTION_REASSIGN,
	ACTION_OBSERVE,
	ACTION_MEND,
	ACTION_ACCEPT,
	ACTION_REJECT,
	ACTION_PROPOSE_SLOT,
	ACTION_CONFIRM_SLOT,
	ACTION_UNSCHEDULE,	/* no-show, moved, operator late */
	ACTION_IDENTIFY,
	ACTION_IDENTIFY_SIGNED,	/* a renewal: by the signature of the certificate that is renewed */
	ACTION_SEND_BACK,	/* identified, but over 24 h old or in doubt */
	ACTION_ACCEPT_FIELDS,	/* the applicant, on their own page */
	ACTION_ISSUE,
	ACTION_ISSUED,		/* signed and stored */
	ACTION_REFUSED,		/* by signer or lint */
	ACTION_SEND_CONTRACT,	/* made, stored and mailed */
	ACTION_RECEIVE_CONTRACT,	/* anything arrived; the clock of the 120 hours stops */
	ACTION_SIGN_CONTRACT,	/* the applicant's signature verifies */
	ACTION_REFUSE_CONTRACT,	/* it does not; the clock runs again */
	ACTION_COUNTERSIGN,	/* by the province's director, or a substitute */
	ACTION_RETURN_CONTRACT,	/* sent back by them, with a reason */
	ACTION_FILE,		/* both signatures verify; copy mailed */
	ACTION_CANCEL,
	ACTION_REMOVE,		/* a draft, after 30 days */
	ACTION_CLOSE_REVOKED,
	APPLICATION_ACTIONS
};

/* "submit", "propose_slot", …; the audit row's action is "application." and this. */
const char	*application_action_name(enum application_action);

struct transition {
	enum application_action	action;
	enum application_state	from, to;	/* equal: the state stays, the version moves */
	unsigned		roles;		/* BY_…: any of these */
};

extern const struct transition transitions[];
extern const unsigned transitions_n;

/* The row for an action in a state by one of these roles; NULL when there is
 * none.  *error (may be NULL): ICERT_E_STATE when no role could do it in that
 * state, ICERT_E_DENIED when another role could. */
const struct transition *transition_find(enum application_action, enum application_state from,
		    unsigned roles, int *error);

/* What may be done now by these roles: a bit (1 << action) each.  For pages,
 * which show no button that would be refused. */
uint32_t	 transition_possible(enum application_state, unsigned roles);

/* What goes with a change, all optional. */
struct transition_also {
	const char	*reason;	/* stable code, for the audit row */
	const char	*detail;	/* JSON object, for the audit row */
};

/*
 * Inside the act's open transaction: moves the application `id` from the state
 * and version that the caller has read.  Writes state, version + 1,
 * state_since, and the audit row.  The caller has sent what else changes
 * (columns, mails, deadlines) in the same transaction, and commits.
 *
 * ICERT_E_STATE, ICERT_E_DENIED from the table; ICERT_E_CONFLICT when somebody
 * else changed the row since; ICERT_E_NOT_FOUND when it is not there for this
 * identity.  After any error the caller ends with act_refuse().
 */
int		 transition_apply(const struct act *, enum application_action, const char *id,
		    enum application_state from, int version, int province,
		    const struct transition_also *);

#endif
