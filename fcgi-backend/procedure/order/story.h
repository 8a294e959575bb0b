#ifndef ICERT_PROCEDURE_STORY_H
#define ICERT_PROCEDURE_STORY_H
/*
 * All that is known of one order, for finance, the national office and the auditor: the order with who is invoiced, what
 * gateways and statements said, unasked and asked, and what was concluded from it, the mails, the acts, and how far its case is.
 */
#include <stddef.h>
#include <stdint.h>

#include "audit/browse.h"
#include "procedure/act.h"
#include "procedure/order/purchase.h"

#define STORY_ROWS 50		/* of each kind at a time, newest first */

struct story_event {		/* a notification */
	char	gateway[GATEWAY_NAME], event[GATEWAY_ID], verdict[16];	/* verdict "" while it waits */
	int64_t	received_at, applied_at;	/* real time; 0 not yet */
	int	tries;
};

struct story_conclusion {	/* what was made of a payment */
	char	id[ID_TEXT];
	char	gateway[GATEWAY_NAME], payment[GATEWAY_ID], verdict[16], currency[4];
	char	dispute[12];	/* of one "disputed" that stops no order: open, answered, ended; "" none */
	int64_t	cents;		/* -1 not stated */
	int64_t	at;
};

struct story_transfer {		/* a line of a statement that serves it, or names it and waits */
	char	id[ID_TEXT], day[11], state[12], verdict[16];	/* verdict "" not applied */
	int64_t	cents;
};

struct story_difference {	/* with a gateway's list */
	char	gateway[GATEWAY_NAME], day[11], kind[20], state[12], reason[12];
	int64_t	here, there;	/* cents, -1 none */
};

struct story_question {		/* to a gateway; answers that were the same are one */
	char	gateway[GATEWAY_NAME], asker[16], answer[16], currency[4];
	int64_t	cents, refunded;	/* -1 not stated */
	int64_t	first_at, last_at;	/* real time */
	int	times;
};

struct story_mail {
	char	template[32], state[12];
	int64_t	at;
};

struct story {
	struct purchase		order;
	char			masked[256];		/* the mailbox, shortened */
	char			case_number[NUMBER_TEXT], case_state[20], certificate_state[12];	/* "" none */
	struct story_event	events[STORY_ROWS];
	struct story_conclusion	conclusions[STORY_ROWS];
	struct story_question	questions[STORY_ROWS];
	struct story_transfer	transfers[STORY_ROWS];
	struct story_difference	differences[STORY_ROWS];
	struct story_mail	mails[STORY_ROWS];
	struct audit_line	lines[STORY_ROWS];
	int			from, more;		/* rows of each kind left out before these; whether any kind has others after them */
	size_t			nevents, nconclusions, nquestions, ntransfers, ndifferences, nmails, nlines;
};

/* Each kind from its `from`th newest row on, 0 the first.  ICERT_E_NOT_FOUND when it is none, or not the caller's to see.  The reading is a row of the log. */
int	story_get(struct act *, const char *order, int from, struct story *);

#endif
