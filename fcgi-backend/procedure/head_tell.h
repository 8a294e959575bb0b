#ifndef ICERT_PROCEDURE_HEAD_TELL_H
#define ICERT_PROCEDURE_HEAD_TELL_H
/*
 * Signed heads of the log told to somebody outside: mailed to [audit] mail_to and POSTed to [audit] post_url, where the
 * administrators of this host have no hand.  What was told can be held against the log for ever.
 */
#include <stdint.h>

#include "procedure/act.h"

struct smtp;

struct head_teller {
	struct smtp *smtp;
	int64_t posted_ms, mailed_ms;	/* monotonic, of the last try; 0 none */
	uint64_t posted, mailed;	/* sizes that were taken */
};

/*
 * One round: the newest head, when it is another than the one that was taken, at most every [audit] tell_seconds;
 * after a failure again in a minute.  0; ICERT_E_UNAVAILABLE; errors of the database.
 */
int	head_tell(struct act *, struct head_teller *);

#endif
