#ifndef ICERT_PROCEDURE_SLIP_H
#define ICERT_PROCEDURE_SLIP_H
/*
 * What a payer shows of a deposit or transfer: files under the order's own key, for finance to look at beside the statement's line.
 * Never proof of a payment: nothing here changes an order.
 */
#include <stddef.h>
#include <stdint.h>

#include "documents/store.h"
#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"
#include "procedure/order/purchase.h"

#define SLIPS_MAX	5	/* of one order; the table's check says the same */

struct slip {
	char	id[ID_TEXT];		/* slip_add() makes it */
	char	order[ID_TEXT], key[ID_TEXT], file[ID_TEXT];
	char	type[24];		/* "application/pdf", "image/jpeg", "image/png" */
	int64_t	size;			/* octets of the plain bytes stored */
	uint8_t	sha256[32], original_sha256[32];
	int64_t	at;
};

/* An order that a transfer may still be on its way to: created, pending or expired. */
int	slip_wanted(const struct purchase *);

/*
 * By the order's contact.  The file is stored already; it is dropped by the caller unless 0 comes back.  ICERT_E_EXISTS: those bytes
 * are there already; ICERT_E_CEILING: SLIPS_MAX are; ICERT_E_STATE: the order wants none.
 */
int	slip_add(struct act *, const struct purchase *, struct slip *);

/* An order's, the oldest first, for its contact, finance, the national office, the auditor.  *n: room (SLIPS_MAX is enough), then
 * rows filled. */
int	slip_list(struct act *, const char *order, struct slip *, size_t *n);

/* One of them opened, appended to *out; finance and the national office.  The reading is a row of the log, written before.
 * ICERT_E_NOT_FOUND: not of that order. */
int	slip_read(struct act *, const struct document_store *, const char *order, const char *id, struct slip *, struct buf *out);

#endif
