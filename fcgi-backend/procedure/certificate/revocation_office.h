#ifndef ICERT_PROCEDURE_REVOCATION_OFFICE_H
#define ICERT_PROCEDURE_REVOCATION_OFFICE_H
/*
 * Revocation by the national office: one person asks with a reason, another
 * confirms with a fresh code.  Never the holder, never one person with two accounts.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/office.h"

/* Reasons the office may give: "court_order", "death", "false_data", "stolen",
 * "authority_fault". */
extern const char *const revocation_reasons[];	/* NULL-terminated */
#define REVOCATION_WORDS	500	/* bytes of an explanation */

struct revocation {
	struct office_request q;
	char	application[ID_TEXT], number[32], serial[33];
	char	reason[24];
	char	words[REVOCATION_WORDS + 1];		/* of revocation_of() alone */
};

/* Newest first, those that are open before the others.  *n: room, then filled.  National office, auditor. */
int	revocation_list(struct act *, struct revocation *rows, size_t *n);

/* The open request of a case, with its words; ICERT_E_NOT_FOUND. */
int	revocation_of(struct act *, const char *application, struct revocation *);

/*
 * Asks for the revocation of a case's certificate; the national office is mailed.
 * ICERT_E_INVALID (reason, or no words), ICERT_E_STATE (the certificate is not good),
 * ICERT_E_EXISTS (asked already), ICERT_E_OWN_CASE, ICERT_E_DENIED.
 */
int	revocation_request(struct act *, const char *application, const char *reason, const char *words);

/*
 * good → revoked: status and CRL follow within seconds, the case closes if it was not active
 * yet, the holder is mailed.  ICERT_E_DENIED: not of the national office, or who asked;
 * ICERT_E_OWN_CASE; ICERT_E_NOT_FOUND: nothing asked; ICERT_E_STATE: no longer good; errors of staff_factor().
 */
int	revocation_confirm(struct act *, const char *application, const char *code);

/* Takes the request back, by anybody of the office. */
int	revocation_withdraw(struct act *, const char *application);

#endif
