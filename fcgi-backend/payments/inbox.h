#ifndef ICERT_PAYMENTS_INBOX_H
#define ICERT_PAYMENTS_INBOX_H

#include <stddef.h>

#include "libicert/buf.h"

struct db;

/*
 * Notifications as they were received: rows of icert.payment_event (gateway,
 * event_id, body as a sealed box that only the clerk can open, received_at).
 * icert-webhook may insert and nothing else.
 */

/* Inserts durably (committed on return) and notifies the clerk.  *fresh is 0
 * when that event id was stored before: answered 200 all the same. */
int	inbox_store(struct db *db, const char *gateway, const char *event_id,
	    const void *body, size_t len, const unsigned char box_public[32], int *fresh);

#endif
