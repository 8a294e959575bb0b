#ifndef ICERT_PROCEDURE_LOGIN_H
#define ICERT_PROCEDURE_LOGIN_H
/*
 * Proving who one is: a mailbox by a mailed code, a member of staff by password
 * and TOTP; and the sessions that follow.  All of it lives in real time.
 *
 * The browser's secret never comes here: `identity` is SHA-256 of a session's
 * secret, `browser` SHA-256 of a visitor's.
 */
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"

enum principal_state {
	PRINCIPAL_NONE,		/* no such session, or over */
	PRINCIPAL_LIVE,
	PRINCIPAL_LOCKED	/* idle too long: may only park a form (contacts, 24 h) */
};

struct principal {
	enum principal_state	state;
	unsigned		roles;		/* BY_APPLICANT, or the staff member's */
	char			id[ID_TEXT];
	char			name[128];	/* masked mailbox, or the staff member's name */
	int64_t			fresh_until;	/* staff: UTC seconds */
	int64_t			idle_until;
	int64_t			generation;	/* from the cache: for act->identity; 0 when the database was asked */
};

/*
 * Who act->identity is; moves the idle limit on (written at most once a
 * minute), unless a page asked by_itself, with nobody there.  Contacts are
 * cached for at most 60 s when act->cache is set; what is done for a principal
 * from the cache carries its generation, so that the database refuses
 * (ICERT_E_SESSION) when the session has ended since.  Always 0, or ICERT_E_UNAVAILABLE.
 */
int	login_principal(struct act *, int by_itself, struct principal *);

/* Drops what the cache says of act->identity. */
void	login_forget(struct act *);

/* Ends the session of act->identity, here and in the cache. */
int	login_logout(struct act *);

struct login_sent {
	char	masked[256];	/* "m***@dominio.ec" */
	int64_t	valid_until;
	int	resent;		/* the same code as before */
};

/*
 * Mails a code to an address; a contact is made if it is new.  The same code is
 * sent again while it is valid (20 minutes).  ICERT_E_INVALID: not an address;
 * ICERT_E_BUSY: sent less than 30 s ago (sent is filled all the same).
 */
int	login_code_send(struct act *, const char *email, const uint8_t browser[32], struct login_sent *);
/* The same, for the contact behind a mailed link. */
int	login_code_send_link(struct act *, const char *token, const uint8_t browser[32], struct login_sent *);

/*
 * Checks the code asked for in this browser and opens a session under
 * `identity` (fresh, from session_rotate()).  The database compares, by a hash
 * that only the keeper makes.  act->id and roles are filled.
 * ICERT_E_CODE_WRONG (*left tries remain), ICERT_E_CODE_SPENT (5 in this
 * browser, or 20 for the mailbox today), ICERT_E_EXPIRED, ICERT_E_NOT_FOUND (no
 * code was asked for here).
 */
int	login_code_check(struct act *, const uint8_t browser[32], const char *code,
	    const uint8_t identity[32], int *left);

/* Links in mails: 128 random bits, stored hashed; they only preselect. */
struct login_link {
	char	contact[ID_TEXT];
	char	application[ID_TEXT];	/* "" none */
	char	purchase[ID_TEXT];	/* "" none */
	char	masked[256];
};
#define LINK_TOKEN 33	/* hex, with its NUL */
/* Queues the row in the open transaction.  application and purchase may be NULL. */
int	login_link_new(struct act *, const char *contact, const char *application, const char *purchase,
	    char token[LINK_TOKEN]);
int	login_link_find(struct act *, const char *token, struct login_link *);

/* Staff: 15 idle minutes, 10 hours in all.  ICERT_E_DENIED for any wrong part
 * (one code for all), ICERT_E_CODE_SPENT after 5 wrong in 15 minutes from this
 * network, or 50 a day. */
int	login_staff(struct act *, const char *user, const char *password, const char *totp,
	    const uint8_t identity[32]);
/* Argon2id of a password, for icert.staff.password: 128 bytes of text.  ICERT_E_MEMORY. */
int	login_password_hash(const char *password, char out[128]);
/* A fresh factor within the session: fresh_until becomes now + 5 minutes. */
int	login_refresh(struct act *, const char *totp);

/*
 * A form sent after the session had locked: kept sealed for 24 h, given back
 * once to a live session of the same contact.  What was uploaded is not in it.
 */
int	parked_add(struct act *, const char *path, const void *body, size_t n);
/* The newest one; older ones are dropped with it.  0, or ICERT_E_NOT_FOUND. */
int	parked_take(struct act *, char path[256], struct buf *body);

#endif
