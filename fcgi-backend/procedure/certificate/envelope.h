#ifndef ICERT_PROCEDURE_ENVELOPE_H
#define ICERT_PROCEDURE_ENVELOPE_H
/*
 * The credential envelope: opened once, by the applicant's own session with the
 * code the operator read aloud.  Tries are counted by the keeper.  After the fifth wrong
 * one it is locked (icert.envelope.locked_at), and the clock of the 120 hours stands until
 * an operator, who has identified the person anew, gives a new code.
 */
#include "procedure/act.h"

struct envelope {
	char	password[64];		/* of the PKCS#12 */
	char	revocation_code[64];
};

/*
 * code NULL: again within 30 minutes in the session that opened it.  tries_left
 * may be NULL.  ICERT_E_CODE_WRONG, ICERT_E_CODE_SPENT (locked, which is noted once, with
 * a mail to the holder and one to the province), ICERT_E_EXPIRED, ICERT_E_DESTROYED, ICERT_E_STATE (not issued and published yet).  The caller
 * wipes the struct.
 */
int	envelope_open(struct act *, const char *application, const char *code, struct envelope *, int *tries_left);
/* "Ya lo guardé": destroyed for good. */
int	envelope_done(struct act *, const char *application);

#define ENVELOPE_RENEWALS 3	/* the keeper makes no more */

struct envelope_renewal {
	char	cause[12];		/* "locked", "lost" */
	char	seen[12];		/* "video", "in_person" */
	char	staff[ID_TEXT], name[128];
	int64_t	at;			/* business clock */
};

struct envelope_standing {
	int64_t			locked_at;	/* business clock; 0: it is not */
	struct envelope_renewal	list[ENVELOPE_RENEWALS];
	size_t			n;		/* the newest is list[n - 1] */
};

/* How it stands, for whoever at the desk sees the case.  ICERT_E_NOT_FOUND. */
int	envelope_standing(struct act *, const char *application, struct envelope_standing *);

extern const char *const envelope_seen[];	/* ways of identifying, NULL-terminated */

/*
 * A new opening code, by an operator of the province who has identified the person anew (seen) and types a fresh TOTP; then
 * fields_opening_code() gives it to that operator.  round: how many were given when the page was made; when this person has given
 * another since, that is this one again: 0.  The clock runs on, the holder is told.  ICERT_E_INVALID (seen), ICERT_E_OWN_CASE,
 * ICERT_E_CONFLICT (another has given one since, or three were given), ICERT_E_STATE (not issued and public, revoked, or opened),
 * ICERT_E_DESTROYED, ICERT_E_DENIED, and those of keeper_totp_verify().
 */
int	envelope_renew(struct act *, const char *application, size_t round, const char *seen, const char *totp);

/* The clerk, when what was delivered is destroyed, inside the open transaction: a lock ends, and the clock runs on. */
int	envelope_over(struct act *, const char *application);

#endif
