#ifndef ICERT_PROCEDURE_TRANSFER_H
#define ICERT_PROCEDURE_TRANSFER_H
/*
 * Deposits and transfers: a bank's statement is imported by one of finance, another person takes one of its lines as an order's
 * payment with a fresh code, and the clerk applies it as it does a gateway's word.  No receipt pays anything.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "libicert/statement.h"
#include "procedure/act.h"
#include "procedure/number.h"

#define TRANSFER_GATEWAY "transfer"	/* what stands in the place of a gateway's name */

struct transfer {
	char	id[ID_TEXT], day[11], bank[128] /* and account */, reference[STATEMENT_REFERENCE + 1];
	int64_t	cents;
	char	state[12];		/* new, confirmed, applied, other */
	char	number[NUMBER_TEXT];	/* of the order that it names, or serves; "" none */
	char	order[ID_TEXT], order_state[12];	/* that order's, "" when there is none of that number */
	int64_t	total;			/* that order's, cents */
	char	verdict[16];		/* payment_verdict_name(), "" not applied */
	char	imported_name[128], decided_name[128];
	int64_t	imported_at, decided_at;
	int	other;			/* the caller is another person than who imported it */
	int	whole;			/* set aside with all of its statement */
	int	version;		/* counts its changes: what a page of it has seen */
	int	together;		/* transfer_get(): how many of its statement are in this state, as this one is; 0 from a list */
};

struct transfer_imported {
	unsigned lines, known;		/* credits in the file; of these, there already */
	unsigned record;		/* where it is wrong, 0 nowhere in particular */
};

/*
 * Takes a statement over, all or nothing.  ICERT_E_MALFORMED, ICERT_E_TOO_LARGE: out->record says where; ICERT_E_MISMATCH: its heading names other
 * columns than the profile; ICERT_E_EXISTS: the same file was taken under another account or profile; ICERT_E_INVALID: no such account or profile.  Lines of an earlier import are recognised one by one.
 */
int	transfer_import(struct act *, const char *account, const char *profile, char decimal, const void *bytes, size_t len,
	    struct transfer_imported *out);

/* Lines that wait first, the oldest first; then those decided, newest first.  order: of one order only, NULL all.  Finance,
 * national office, auditor. */
int	transfer_list(struct act *, const char *order, struct transfer *, size_t *n);

int	transfer_get(struct act *, const char *line, struct transfer *);

/*
 * more: whether the order waited for no payment any more, by another line that is confirmed, for example; the clerk finds what is too much.
 * ICERT_E_DENIED: who imported it, also by another account; ICERT_E_MISSING: no order of that number; ICERT_E_CONFLICT: the line is
 * used; errors of staff_factor().
 */
int	transfer_confirm(struct act *, const char *line, const char *number, const char *code, int *more);
/*
 * It pays no order, or with `whole` its statement was imported by mistake, under another account for example: it, or all that wait of its
 * statement, leave the queue and stay rows.  version: as the caller has seen the line; stay: how many of a whole statement pay orders, NULL
 * not asked.  ICERT_E_CONFLICT: decided, or changed since.
 */
int	transfer_set_aside(struct act *, const char *line, int version, int whole, unsigned *stay);
/* What was set aside waits again, with all that were set aside with it.  ICERT_E_CONFLICT: it was not, or not as the caller has seen it;
 * ICERT_E_EXISTS: the statement was imported otherwise meanwhile, and its money would be there twice. */
int	transfer_again(struct act *, const char *line, int version);

/* In the open transaction: until its end nobody else imports a statement, so that what is there of one stays so. */
int	transfer_one_import(struct act *);

/* How the last transfer for an order stands, for its own page: "checking", "pay", "short", "again", "late" or "" when there is none;
 * "short_back", "again_back", "late_back" when it was returned. */
int	transfer_word(struct act *, const char *order, char word[12]);

/* The clerk: what was confirmed becomes a payment.  What is above the order's total is a payment of its own, for finance to return. */
int	transfer_run(struct act *, size_t most, size_t *done);

#endif
