#include "payments/inbox.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/audit.h"
#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "store/db.h"

#define CHANNEL "icert_payment"

static const struct db_stmt box_newest = { "payment_box_newest",
	"select key_id::text, public from icert.payment_box order by created_at desc limit 1" };

/* No conflict target: it would ask for the right to read the table. */
static const struct db_stmt event_add = { "payment_event_add",
	"insert into icert.payment_event (gateway, event_id, body, received_at, key_id) values ($1, $2, $3, $4, $5)"
	" on conflict do nothing" };

static const struct db_stmt box_find = { "payment_box_find",
	"select 1 from icert.data_key where kind = 'payments-month' and label = $1" };
static const struct db_stmt key_add = { "payment_box_key_add",
	"insert into icert.data_key (id, kind, wrapped, label, created_at) values ($1, 'payments-month', $2, $3, $4)" };
static const struct db_stmt box_add = { "payment_box_add",
	"insert into icert.payment_box (key_id, public, created_at) values ($1, $2, $3)" };

/* The next try is pushed away in the statement that takes the row. */
static const struct db_stmt event_take = { "payment_event_take",
	"with due as (select e.gateway, e.event_id from icert.payment_event e where e.applied_at is null"
	" and e.next_try_at <= $1 order by e.next_try_at, e.received_at limit 1 for update skip locked)"
	" update icert.payment_event e set tries = e.tries + 1,"
	" next_try_at = $1 + least(1::bigint << least(e.tries, 20), 3600)"
	" from due where e.gateway = due.gateway and e.event_id = due.event_id"
	" returning e.gateway, e.event_id, e.body, e.tries, (select k.wrapped from icert.data_key k where k.id = e.key_id)" };
static const struct db_stmt event_done = { "payment_event_done",
	"update icert.payment_event set applied_at = $4, verdict = $3, purchase_id = $5 where gateway = $1 and event_id = $2" };

int
inbox_store(struct db *db, const char *gateway, const char *event_id, const void *body, size_t len, int *fresh)
{
	struct audit_event event = { .action = "payment_event.receive", .actor_kind = "program", .actor = "icert-webhook",
		.subject_kind = "gateway", .subject = gateway };
	struct db_result *box = NULL, *r = NULL;
	struct buf sealed = BUF_INIT;
	const uint8_t *public;
	size_t n;
	int error;

	*fresh = 0;
	if ((error = db_begin(db, NULL)) != 0 || (error = db_query(db, &box_newest, NULL, 0, &box)) < 0)
		goto out;
	public = db_bytes(box, 0, 1, &n);
	error = db_rows(box) == 1 && n == SEAL_BOX_PUBLIC ? seal_box(public, body, len, &sealed) : ICERT_E_UNAVAILABLE;
	if (error != 0)
		goto out;
	error = DB_QUERY(db, &event_add, &r, P_TEXT(gateway), P_TEXT(event_id), P_BYTES(sealed.p, sealed.len),
	    P_INT(clock_real()), P_TEXT(db_text(box, 0, 0)));
	if (error < 0)
		goto out;
	*fresh = db_affected(r) > 0;
	error = 0;
	if (*fresh && (error = audit_append(db, &event)) == 0 && (error = db_notify(db, CHANNEL, "")) == 0)
		error = db_recv(db, NULL);
	if (error == 0)
		error = db_commit(db);
out:
	db_result_free(box);
	db_result_free(r);
	buf_free(&sealed);
	if (error < 0)
		db_rollback(db);
	return error < 0 ? error : 0;
}

static int
box_make(struct db *db, struct keyclient *keeper, const char *label, int64_t now)
{
	uint8_t key[32], wrapped[KEEPER_WRAPPED], public[SEAL_BOX_PUBLIC];
	struct audit_event event = { .action = "payment_box.make", .actor_kind = "program", .actor = "icert-clerk",
		.subject_kind = "payment_box", .subject = label };
	char id[ID_TEXT];
	int error;

	if ((error = keeper_datakey_new(keeper, DATAKEY_PAYMENTS_MONTH, id, key, wrapped)) != 0)
		return error;
	error = seal_box_public(key, public);
	bytes_wipe(key, sizeof(key));
	if (error != 0 || (error = db_begin(db, NULL)) != 0)
		return error;
	error = DB_QUERY(db, &key_add, NULL, P_TEXT(id), P_BYTES(wrapped, sizeof(wrapped)), P_TEXT(label), P_INT(now));
	if (error >= 0)
		error = DB_QUERY(db, &box_add, NULL, P_TEXT(id), P_BYTES(public, sizeof(public)), P_INT(now));
	if (error >= 0 && (error = audit_append(db, &event)) == 0)
		error = db_commit(db);
	if (error < 0)
		db_rollback(db);
	/* Another clerk was first. */
	return error == ICERT_E_EXISTS || error > 0 ? 0 : error;
}

int
inbox_box(struct db *db, struct keyclient *keeper, int64_t now)
{
	struct db_result *r = NULL;
	time_t t = (time_t)now;
	char label[16];
	struct tm tm;
	int error, there;

	gmtime_r(&t, &tm);
	strftime(label, sizeof(label), "%Y-%m", &tm);
	if ((error = DB_QUERY(db, &box_find, &r, P_TEXT(label))) < 0)
		return error;
	there = db_rows(r) > 0;
	db_result_free(r);
	return there ? 0 : box_make(db, keeper, label, now);
}

static int
event_open(struct keyclient *keeper, struct db_result *r, struct buf *out)
{
	uint8_t wrapped[1][KEEPER_WRAPPED], key[1][32];
	const uint8_t *bytes;
	size_t n;
	int error;

	bytes = db_bytes(r, 0, 4, &n);
	if (n != KEEPER_WRAPPED)
		return ICERT_E_DESTROYED;
	memcpy(wrapped[0], bytes, n);
	if ((error = keeper_datakey_unwrap(keeper, 1, wrapped, key)) != 0)
		return error;
	bytes = db_bytes(r, 0, 2, &n);
	error = open_box(key[0], bytes, n, out);
	bytes_wipe(key, sizeof(key));
	return error;
}

int
inbox_take(struct db *db, struct keyclient *keeper, int64_t now, struct inbox_event *event)
{
	struct db_result *r = NULL;
	int error;

	memset(event, 0, sizeof(*event));
	if ((error = DB_QUERY(db, &event_take, &r, P_INT(now))) < 0)
		return error;
	if (db_rows(r) == 0) {
		db_result_free(r);
		return ICERT_E_NOT_FOUND;
	}
	snprintf(event->gateway, sizeof(event->gateway), "%s", db_text(r, 0, 0));
	snprintf(event->event_id, sizeof(event->event_id), "%s", db_text(r, 0, 1));
	event->tries = (int)db_int(r, 0, 3);
	error = event_open(keeper, r, &event->body);
	db_result_free(r);
	if (error == ICERT_E_FORGED || error == ICERT_E_DESTROYED) {
		log_error("payment_event_sealed", "gateway %s: %s", event->gateway, icert_err_code(error));
		inbox_done(db, event, icert_err_code(error), NULL, now);
	}
	return error;
}

void
inbox_event_free(struct inbox_event *event)
{
	buf_free(&event->body);
}

int
inbox_done(struct db *db, const struct inbox_event *event, const char *verdict, const char *order, int64_t now)
{
	int error = DB_QUERY(db, &event_done, NULL, P_TEXT(event->gateway), P_TEXT(event->event_id), P_TEXT(verdict),
	    P_INT(now), P_TEXT(order));

	return error < 0 ? error : 0;
}
