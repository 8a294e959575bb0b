#ifndef ICERT_PROCEDURE_BOUNCE_H
#define ICERT_PROCEDURE_BOUNCE_H
/*
 * A mail that did not reach the applicant: refused by the receiver's server for good
 * (icert-clerk sees it), or come back later to the office's mailbox (an operator
 * marks it).  It is a task of the province until the mail was sent again.  When it is one that
 * the holder needs for signing, the clock of the 120 hours stands meanwhile.
 */
#include <stddef.h>

#include "procedure/act.h"

struct bounce {
	char	outbox[ID_TEXT];
	char	template[32];
	int64_t	at;
	int	by_staff;
};

/* Those of a case that nobody has settled, oldest first.  *n: room, then filled. */
int	bounce_list(struct act *, const char *application, struct bounce *rows, size_t *n);

/* The operator of the case's province: this mail of the case, which was sent, came back.  A
 * repeat is 0.  ICERT_E_NOT_FOUND: no such mail; ICERT_E_STATE: it was not sent; ICERT_E_DENIED. */
int	bounce_mark(struct act *, const char *application, const char *outbox);

/* The mail was sent again, inside the open transaction of the desk: what came back of this
 * template is settled, and the clock runs on when nothing else is open. */
int	bounce_settle(struct act *, const char *application, const char *template);

/* The clock of the 120 hours runs on, if it is the holder's turn and no mail that they need is open; inside the open transaction. */
int	bounce_run_on(struct act *, const char *application, const char *reason);

/* The clerk: what the receivers' servers have refused for good. */
int	bounce_watch(struct act *);

#endif
