#ifndef ICERT_PAYMENTS_INBOX_H
#define ICERT_PAYMENTS_INBOX_H

#include <stddef.h>
#include <stdint.h>

#include "crypt/seal.h"
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

/* What icert-webhook keeps between notifications; all zero to begin with. */
struct inbox {
	char key_id[ID_TEXT];         /* of the box in use; "" none yet */
	struct seal_sender sender;
	int64_t until_ms;             /* then the newest box is asked for again, and the sender's key is a new one */
	int64_t owed_ms;              /* since when the clerk is to be woken; 0: it is not */
};

struct inbox_notice {
	const char *gateway, *event_id;
	const void *body;
	size_t len;
};

#define INBOX_STORE_MAX 8	/* in one statement */

/*
 * icert-webhook: stores n verified notifications (1 to INBOX_STORE_MAX) durably, all of them or none: committed on
 * return.  In the order of gateway and event id, so that two who store the same ones wait for each other, and not both.
 * *fresh: how many were not stored before; the others are answered 200 all the same.  The clerk is woken by inbox_wake(),
 * and writes the audit row when it first takes the event.
 * ICERT_E_UNAVAILABLE: no database, or the clerk has made no box yet.
 */
int	inbox_store(struct db *db, struct inbox *inbox, const struct inbox_notice *notices, size_t n, size_t *fresh);

/*
 * After the answer, for it costs the gateway nothing then: wakes the clerk when it is owed.  busy: another request
 * waits, and the clerk may too, for INBOX_WAKE_MS.  Commits without waiting for the disk: the event itself is there.
 */
#define INBOX_WAKE_MS 50
void	inbox_wake(struct db *db, struct inbox *inbox, int busy);

/*
 * icert-clerk: makes the box of the month of `now` (UTC seconds, real time)
 * unless it exists.  Its data key, of kind payments-month, is what retention destroys.
 */
int	inbox_box(struct db *db, struct keyclient *keeper, int64_t now);

/*
 * icert-clerk: empties the boxes older than `months` whole months before `now`, some thousand bodies at a time, and destroys their
 * keys, each with an audit row.  The table keeps which events came, and what became of them.  1: there is more to empty, call again.
 */
int	inbox_retain(struct db *db, int64_t now, int64_t months);

struct inbox_event {
	char replay[ID_TEXT];     /* of a replay: its row; else "" */
	int rehearsal;            /* of a replay: only tell what it would do */
	char gateway[GATEWAY_NAME];
	char event_id[GATEWAY_ID];
	struct buf body;          /* opened; freed by inbox_event_free() */
	int tries;                /* this one included */
};

/*
 * icert-clerk: takes one event that waits for being applied, and pushes its next try
 * away (a second doubled up to an hour), so that a crash only repeats it.  resting: names of gateways, blanks between, "" none; of
 * these only what nobody has read yet.
 * ICERT_E_NOT_FOUND: none waits.  A box that cannot be opened is marked and skipped.
 */
int	inbox_take(struct db *db, struct keyclient *keeper, int64_t now, const char *resting, struct inbox_event *event);
void	inbox_event_free(struct inbox_event *event);

/*
 * icert-clerk: the same of an event that the administrator wants applied once more (icert.payment_replay), and its end.
 * order_state: as it is after that.  The event's own verdict stays, unless it had none or was about nothing.
 */
int	inbox_replay_take(struct db *db, struct keyclient *keeper, int64_t now, struct inbox_event *event);
int	inbox_replay_done(struct db *db, const struct inbox_event *event, const char *verdict, const char *order, int64_t now);

/* Marks it as applied, with the verdict's name and the order it was about (NULL: none that we know). */
int	inbox_done(struct db *db, const struct inbox_event *event, const char *verdict, const char *order, int64_t now);

#endif
