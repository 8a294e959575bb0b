#ifndef ICERT_PROCEDURE_PRICE_H
#define ICERT_PROCEDURE_PRICE_H
/*
 * The tariff as it is edited ("enter the tariff, choose the product"): one administrator writes a change, another person
 * approves it with a fresh code, and it counts from its day on.  A price is never rewritten: orders keep theirs.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "payments/tariff.h"
#include "procedure/act.h"

struct price {
	struct tariff_item	item;
	int64_t			valid_from;		/* business clock */
	enum { PRICE_COMING, PRICE_NOW, PRICE_PAST } when;
};

struct price_change {
	struct tariff_item	item;			/* item.id is the change's */
	int64_t			valid_from;		/* business clock; 0: from its approval on */
	char			state[12];		/* draft, approved, withdrawn */
	char			written_name[128], decided_name[128];
	int64_t			written_at, decided_at;	/* 0 not yet */
	int			other;			/* the caller is another person than who wrote it */
};

/* Prices of the present and the future, then of the past, newest first.  *n: room, then filled.  Administrator, finance, auditor. */
int	price_list(struct act *, struct price *, size_t *n);

/* What waits, then what was decided, newest first.  The same readers. */
int	price_changes(struct act *, struct price_change *, size_t *n);
int	price_change_get(struct act *, const char *id, struct price_change *);

/*
 * Writes a change: item without its id, valid_from; the rest is not read.  ICERT_E_INVALID: no such product, an absurd price, a
 * day that has passed; ICERT_E_EXISTS: a change of this product waits already.  id is the new one.
 */
int	price_change_write(struct act *, const struct price_change *, char id[ID_TEXT]);

/*
 * The change becomes a row of the tariff.  ICERT_E_DENIED: not an administrator, or the person who wrote it, also by another
 * account; ICERT_E_STALE: its day has passed; ICERT_E_NOT_FOUND: it does not wait; errors of staff_factor().
 */
int	price_change_approve(struct act *, const char *id, const char *code);

/* It is given up; the row stays. */
int	price_change_withdraw(struct act *, const char *id);

#endif
