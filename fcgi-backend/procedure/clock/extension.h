#ifndef ICERT_PROCEDURE_EXTENSION_H
#define ICERT_PROCEDURE_EXTENSION_H
/*
 * Two people of the national office lengthen the 120 hours of a contract: once a
 * case, for one of the listed reasons, by the hours of policy contract.extension_hours.
 */
#include <stddef.h>

#include "procedure/office.h"

/* "illness", "authority_fault", "technical", "abroad", "disaster". */
extern const char *const extension_reasons[];	/* NULL-terminated */

struct extension {
	struct office_request q;
	char	reason[24];
	int	hours;
	int64_t	moved_to;	/* the new end; 0 until confirmed */
};

/* The one that a case has, open or confirmed; ICERT_E_NOT_FOUND. */
int	extension_of(struct act *, const char *application, struct extension *);

/*
 * Asks; the national office is mailed.  ICERT_E_INVALID (reason), ICERT_E_STATE (no
 * clock of a contract to lengthen), ICERT_E_EXISTS (asked or done already), ICERT_E_OWN_CASE, ICERT_E_DENIED.
 */
int	extension_request(struct act *, const char *application, const char *reason);

/*
 * The end moves by the hours, reminders are made anew, the applicant is mailed.
 * ICERT_E_DENIED: not of the national office, or who asked; ICERT_E_OWN_CASE; ICERT_E_NOT_FOUND: nothing
 * asked; ICERT_E_STATE: there is no clock any more; errors of staff_factor().
 */
int	extension_confirm(struct act *, const char *application, const char *code);

/* Takes the request back. */
int	extension_withdraw(struct act *, const char *application);

/* Cases whose contract is awaited, by when: for the national office and the auditor. */
struct contract_wait {
	char	application[ID_TEXT], number[32], province[64];
	char	state[24];		/* of the case */
	int64_t	due_at, stopped_at;	/* stopped_at 0: the clock runs */
	int64_t	revoked_at;		/* by the end of the clock; 0 */
	char	extension[12];		/* "", open, confirmed */
	int	bounced;		/* a mail came back and nobody has settled it */
};
/* Near their end or past it (due within `within` seconds), standing clocks and open requests, the next to
 * end first.  *n: room, then filled. */
int	extension_waiting(struct act *, int64_t within, struct contract_wait *rows, size_t *n);
/* Revoked at their end within the last `ago` seconds, newest first. */
int	extension_ended(struct act *, int64_t ago, struct contract_wait *rows, size_t *n);

#endif
