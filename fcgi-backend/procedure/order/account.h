#ifndef ICERT_PROCEDURE_ACCOUNT_H
#define ICERT_PROCEDURE_ACCOUNT_H
/*
 * Bank accounts that deposits and transfers go to: one administrator writes one, another confirms it with a fresh code, and from
 * then on it stands on the page of every open order.
 */
#include <stddef.h>

#include "procedure/act.h"
#include "procedure/office.h"

struct account {
	struct office_request	q;		/* its state besides: closed, no longer told to payers */
	int			province;	/* 0: of the whole country */
	char			place[64];	/* its name, "" the whole country */
	char			bank[81], kind[12], number[24], holder[121], holder_id[16];
};
extern const char *const account_kinds[];	/* "savings", "current"; ends in NULL */

/* What waits first, then what counts.  *n: room, then filled.  Administrator, finance, national office, auditor. */
int	account_list(struct act *, struct account *, size_t *n);
/* What payers are told, for the portal; q is not filled. */
int	account_told(struct act *, struct account *, size_t *n);

/* q is not read.  ICERT_E_INVALID: a value; ICERT_E_EXISTS: that account waits or counts already. */
int	account_write(struct act *, const struct account *);
/* ICERT_E_DENIED: who wrote it, also by another account; ICERT_E_CONFLICT: decided meanwhile; errors of staff_factor(). */
int	account_confirm(struct act *, const char *id, const char *code);
/* One that waits is withdrawn, one that counts is closed.  seen: the state that the caller has seen; ICERT_E_CONFLICT: it is another by now. */
int	account_end(struct act *, const char *id, const char *seen);

#endif
