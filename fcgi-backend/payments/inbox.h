#ifndef ICERT_PAYMENTS_INBOX_H
#define ICERT_PAYMENTS_INBOX_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "payments/gateway.h"

struct db;
struct keyclient;

/*
 * Notifications as they were received: rows of icert.payment_event, unique by
 * (gateway, event id), their bodies in boxes that only the clerk can open.
 * icert-webhook may insert, read the boxes' public halves, and nothing else.
 */

/*
 * icert-webhook: stores one verified notification durably (committed on
 * return), with its audit row, and wakes the clerk.  *fresh is 0 when that
 * event id was stored before: answered 200 all the same.
 * ICERT_E_UNAVAILABLE: no database, or the clerk has made no box yet.
 */
int	inbox_store(struct db *db, const char *gateway, const char *event_id, const void *body, size_t len, int *fresh);

/*
 * icert-clerk: makes the box of the month of `now` (UTC seconds, real time)
 * unless it exists.  Its data key, of kind payments-month, is what retention destroys.
 */
int	inbox_box(struct db *db, struct keyclient *keeper, int64_t now);

struct inbox_event {
	char gateway[GATEWAY_NAME];
	char event_id[GATEWAY_ID];
	struct buf body;          /* opened; freed by inbox_event_free() */
	int tries;                /* this one included */
};

/*
 * icert-clerk: takes one event that waits for being applied, and pushes its next try
 * away (5 s doubled up to an hour), so that a crash only repeats it.
 * ICERT_E_NOT_FOUND: none waits.  A box that cannot be opened is marked and skipped.
 */
int	inbox_take(struct db *db, struct keyclient *keeper, int64_t now, struct inbox_event *event);
void	inbox_event_free(struct inbox_event *event);

/* Marks it as applied, with the verdict's name and the order it was about (NULL: none that we know). */
int	inbox_done(struct db *db, const struct inbox_event *event, const char *verdict, const char *order, int64_t now);

#endif
