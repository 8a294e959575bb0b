#ifndef ICERT_PROCEDURE_ENVELOPE_H
#define ICERT_PROCEDURE_ENVELOPE_H
/*
 * The credential envelope: opened once, by the applicant's own session with the
 * code the operator read aloud.  Tries are counted by the keeper.
 */
#include "procedure/act.h"

struct envelope {
	char	password[64];		/* of the PKCS#12 */
	char	revocation_code[64];
};

/*
 * code NULL: again within 30 minutes in the session that opened it.  tries_left
 * may be NULL.  ICERT_E_CODE_WRONG, ICERT_E_CODE_SPENT, ICERT_E_EXPIRED,
 * ICERT_E_DESTROYED, ICERT_E_STATE (not issued and published yet).  The caller
 * wipes the struct.
 */
int	envelope_open(struct act *, const char *application, const char *code, struct envelope *, int *tries_left);
/* "Ya lo guardé": destroyed for good. */
int	envelope_done(struct act *, const char *application);

#endif
