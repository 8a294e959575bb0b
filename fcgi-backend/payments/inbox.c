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

#define BODIES_AT_ONCE 2000
#define BOX_MS 60000              /* a box in use is asked for again: a month has ended, or the database was restored */

static const struct db_stmt box_newest = { "payment_box_newest",
	"select key_id::text, public from icert.payment_box order by created_at desc limit 1" };

/* In one statement, so that it is one round trip; the setting is the transaction's. */
static const struct db_stmt wake = { "payment_wake",
	"select case when set_config('synchronous_commit', 'off', true) is not null then pg_notify('icert_payment', '') end" };

static const struct db_stmt box_find = { "payment_box_find",
	"select 1 from icert.data_key where kind = 'payments-month' and label = $1" };
static const struct db_stmt key_add = { "payment_box_key_add",
	"insert into icert.data_key (id, kind, wrapped, label, created_at) values ($1, 'payments-month', $2, $3, $4)" };
static const struct db_stmt box_add = { "payment_box_add",
	"insert into icert.payment_box (key_id, public, created_at) values ($1, $2, $3)" };

/* Those of a month that is over are many: some at a time. */
static const struct db_stmt bodies_empty = { "payment_bodies_empty",
	"update icert.payment_event set body = '' where ctid = any(array(select e.ctid from icert.payment_event e join icert.data_key k on k.id = e.key_id"
	" where k.kind = 'payments-month' and k.destroyed_at is null and k.label < $1 and e.body <> '' limit $2)) and body <> ''" };
static const struct db_stmt box_over = { "payment_box_over",
	"select 1 from icert.data_key where kind = 'payments-month' and destroyed_at is null and label < $1 limit 1" };
static const struct db_stmt box_destroy = { "payment_box_destroy",
	"update icert.data_key set wrapped = '', destroyed_at = $1 where kind = 'payments-month' and destroyed_at is null"
	" and label < $2 returning label" };

/* The next try is pushed away in the statement that takes the row.  One that was read is not tried where nobody would be asked. */
static const struct db_stmt event_take = { "payment_event_take",
	"with due as (select e.gateway, e.event_id from icert.payment_event e where e.applied_at is null"
	" and e.next_try_at <= $1 and (e.tries = 0 or e.gateway <> all(string_to_array($2, ' '))) order by e.next_try_at, e.received_at limit 1 for update skip locked)"
	" update icert.payment_event e set tries = e.tries + 1,"
	" next_try_at = $1 + least(1::bigint << least(e.tries, 20), 3600)"
	" from due where e.gateway = due.gateway and e.event_id = due.event_id"
	" returning e.gateway, e.event_id, e.body, e.tries, (select k.wrapped from icert.data_key k where k.id = e.key_id),"
	" e.received_at, null, false" };
static const struct db_stmt replay_take = { "payment_replay_take",
	"with due as (select r.id from icert.payment_replay r where r.done_at is null and r.next_try_at <= $1"
	" order by r.next_try_at, r.asked_at, r.id limit 1 for update skip locked)"
	" update icert.payment_replay r set tries = r.tries + 1, next_try_at = $1 + least(1::bigint << least(r.tries, 20), 3600)"
	" from due, icert.payment_event e where r.id = due.id and e.gateway = r.gateway and e.event_id = r.event_id"
	" returning e.gateway, e.event_id, e.body, r.tries, (select k.wrapped from icert.data_key k where k.id = e.key_id),"
	" e.received_at, r.id, r.rehearsal" };
static const struct db_stmt replay_done = { "payment_replay_done",
	"update icert.payment_replay set done_at = $4, verdict = $2, purchase_id = $3,"
	" order_state = (select p.state from icert.purchase p where p.id = $3) where id = $1" };
static const struct db_stmt event_late = { "payment_event_late",
	"update icert.payment_event set applied_at = $4, verdict = $3, purchase_id = $5 where gateway = $1 and event_id = $2"
	" and (applied_at is null or verdict in ('unreadable', 'strange'))" };
static const struct db_stmt event_done = { "payment_event_done",
	"update icert.payment_event set applied_at = $4, verdict = $3, purchase_id = $5 where gateway = $1 and event_id = $2" };

/* The newest box, and a sender of our own for it. */
static int
box_open(struct db *db, struct inbox *inbox)
{
	struct db_result *r = NULL;
	const uint8_t *public;
	size_t n;
	int error;

	inbox->key_id[0] = '\0';
	if ((error = db_query(db, &box_newest, NULL, 0, &r)) < 0)
		return error;
	public = db_bytes(r, 0, 1, &n);
	error = db_rows(r) == 1 && n == SEAL_BOX_PUBLIC ? seal_sender_init(public, &inbox->sender) : ICERT_E_UNAVAILABLE;
	if (error == 0) {
		snprintf(inbox->key_id, sizeof(inbox->key_id), "%s", db_text(r, 0, 0));
		inbox->until_ms = clock_mono_ms() + BOX_MS;
	}
	db_result_free(r);
	return error;
}

/* The statement for n rows; each is written once and prepared by a connection that needs it.  No conflict target: it would ask for the right to read the table. */
static const struct db_stmt *
event_add(size_t n)
{
	static struct {
		struct db_stmt stmt;
		char name[32], sql[512];
	} all[INBOX_STORE_MAX + 1];
	struct db_stmt *stmt = &all[n].stmt;
	char *sql = all[n].sql;
	size_t i, len, room = sizeof(all[0].sql);

	if (stmt->sql != NULL)
		return stmt;
	len = (size_t)snprintf(sql, room, "insert into icert.payment_event (received_at, key_id, gateway, event_id, body) values");
	for (i = 0; i < n; i++)
		len += (size_t)snprintf(sql + len, room - len, "%s ($1, $2, $%zu, $%zu, $%zu)", i == 0 ? "" : ",", 3 * i + 3, 3 * i + 4, 3 * i + 5);
	snprintf(sql + len, room - len, " on conflict do nothing");
	snprintf(all[n].name, sizeof(all[0].name), "payment_event_add_%zu", n);
	*stmt = (struct db_stmt){ all[n].name, sql };
	return stmt;
}

static int
store(struct db *db, struct inbox *inbox, const struct inbox_notice *notices, size_t n, size_t *fresh)
{
	struct db_param params[2 + 3 * INBOX_STORE_MAX] = { P_INT(clock_real()), P_TEXT(inbox->key_id) };
	struct buf sealed[INBOX_STORE_MAX] = { BUF_INIT };
	struct db_result *r = NULL;
	size_t i;
	int error = 0;

	if ((inbox->key_id[0] == '\0' || clock_mono_ms() >= inbox->until_ms) && (error = box_open(db, inbox)) != 0)
		return error;
	for (i = 0; i < n && error == 0; i++) {
		error = seal_box_by(&inbox->sender, notices[i].body, notices[i].len, &sealed[i]);
		params[3 * i + 2] = P_TEXT(notices[i].gateway);
		params[3 * i + 3] = P_TEXT(notices[i].event_id);
		params[3 * i + 4] = P_BYTES(sealed[i].p, sealed[i].len);
	}
	if (error == 0)
		error = db_query(db, event_add(n), params, 2 + 3 * n, &r);
	*fresh = error >= 0 ? (size_t)db_affected(r) : 0;
	db_result_free(r);
	for (i = 0; i < n; i++)
		buf_free(&sealed[i]);
	return error < 0 ? error : 0;
}

int
inbox_store(struct db *db, struct inbox *inbox, const struct inbox_notice *notices, size_t n, size_t *fresh)
{
	int error = store(db, inbox, notices, n, fresh);

	/* The box is gone: the database was restored. */
	if (error == ICERT_E_INVALID) {
		inbox->key_id[0] = '\0';
		error = store(db, inbox, notices, n, fresh);
	}
	if (error == 0 && *fresh > 0 && inbox->owed_ms == 0)
		inbox->owed_ms = clock_mono_ms();
	return error;
}

void
inbox_wake(struct db *db, struct inbox *inbox, int busy)
{
	if (inbox->owed_ms == 0 || (busy && clock_mono_ms() - inbox->owed_ms < INBOX_WAKE_MS))
		return;
	/* Whatever becomes of it: the clerk looks by itself within a second. */
	db_query(db, &wake, NULL, 0, NULL);
	inbox->owed_ms = 0;
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

/* The octets go before the key does, whose end is on record: whoever reads that record finds neither. */
static int
empty(struct db *db, const char *label)
{
	struct db_result *r = NULL;
	int error, over;

	if ((error = DB_QUERY(db, &box_over, &r, P_TEXT(label))) != 0)
		return error;
	over = db_rows(r) > 0;
	db_result_free(r);
	r = NULL;
	if (!over)
		return 0;
	if ((error = DB_QUERY(db, &bodies_empty, &r, P_TEXT(label), P_INT(BODIES_AT_ONCE))) == 0)
		error = db_affected(r) > 0;
	db_result_free(r);
	return error;
}

static int
destroy(struct db *db, int64_t now, const char *label)
{
	struct audit_event event = { .action = "payment_box.destroy", .actor_kind = "program", .actor = "icert-clerk",
		.subject_kind = "payment_box" };
	struct db_result *r = NULL;
	int error, i;

	if ((error = db_begin(db, NULL)) == 0)
		error = DB_QUERY(db, &box_destroy, &r, P_INT(now), P_TEXT(label));
	for (i = 0; error >= 0 && i < db_rows(r); i++) {
		event.subject = db_text(r, i, 0);
		error = audit_append(db, &event);
	}
	if (error >= 0)
		error = db_commit(db);
	else
		db_rollback(db);
	db_result_free(r);
	return error < 0 ? error : 0;
}

int
inbox_retain(struct db *db, int64_t now, int64_t months)
{
	time_t t = (time_t)now;
	char label[32];
	struct tm tm;
	int64_t month;
	int more;

	gmtime_r(&t, &tm);
	month = (int64_t)(tm.tm_year + 1900) * 12 + tm.tm_mon - (months < 1 ? 1 : months);
	snprintf(label, sizeof(label), "%04d-%02d", (int)(month / 12), (int)(month % 12 + 1));
	more = empty(db, label);
	return more != 0 ? more : destroy(db, now, label);
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

/* That it came: when it is first taken, so that whoever sends it waits for one row and not for two. */
static int
audit_received(struct db *db, const struct inbox_event *event, int64_t at)
{
	struct audit_event row = { .at = at, .action = "payment_event.receive", .actor_kind = "program", .actor = "icert-webhook",
		.subject_kind = "gateway", .subject = event->gateway };

	return event->tries == 1 && event->replay[0] == '\0' ? audit_append(db, &row) : 0;
}

static int
take(struct db *db, struct keyclient *keeper, const struct db_stmt *stmt, int64_t now, const char *resting, struct inbox_event *event)
{
	const struct db_param params[] = { P_INT(now), P_TEXT(resting) };
	struct db_result *r = NULL;
	int error;

	memset(event, 0, sizeof(*event));
	if ((error = db_begin(db, NULL)) != 0 || (error = db_query(db, stmt, params, resting != NULL ? 2 : 1, &r)) < 0)
		goto out;
	if (db_rows(r) == 0) {
		error = ICERT_E_NOT_FOUND;
		goto out;
	}
	snprintf(event->gateway, sizeof(event->gateway), "%s", db_text(r, 0, 0));
	snprintf(event->event_id, sizeof(event->event_id), "%s", db_text(r, 0, 1));
	event->tries = (int)db_int(r, 0, 3);
	snprintf(event->replay, sizeof(event->replay), "%s", db_text(r, 0, 6));
	event->rehearsal = db_bool(r, 0, 7);
	if ((error = audit_received(db, event, db_int(r, 0, 5))) != 0 || (error = db_commit(db)) != 0)
		goto out;
	if ((error = event_open(keeper, r, &event->body)) != 0)
		buf_free(&event->body);
out:
	db_rollback(db);
	db_result_free(r);
	return error;
}

int
inbox_take(struct db *db, struct keyclient *keeper, int64_t now, const char *resting, struct inbox_event *event)
{
	int error = take(db, keeper, &event_take, now, resting, event);

	if (error == ICERT_E_FORGED || error == ICERT_E_DESTROYED) {
		log_error("payment_event_sealed", "gateway %s: %s", event->gateway, icert_err_code(error));
		inbox_done(db, event, icert_err_code(error), NULL, now);
	}
	return error;
}

int
inbox_replay_take(struct db *db, struct keyclient *keeper, int64_t now, struct inbox_event *event)
{
	int error = take(db, keeper, &replay_take, now, NULL, event);

	if (error == ICERT_E_FORGED || error == ICERT_E_DESTROYED)
		inbox_replay_done(db, event, icert_err_code(error), NULL, now);
	return error;
}

int
inbox_replay_done(struct db *db, const struct inbox_event *event, const char *verdict, const char *order, int64_t now)
{
	int error = db_begin(db, NULL);

	if (error == 0 && !event->rehearsal)
		error = DB_QUERY(db, &event_late, NULL, P_TEXT(event->gateway), P_TEXT(event->event_id), P_TEXT(verdict), P_INT(now),
		    P_TEXT(order));
	if (error >= 0)
		error = DB_QUERY(db, &replay_done, NULL, P_TEXT(event->replay), P_TEXT(verdict), P_TEXT(order), P_INT(now));
	if (error >= 0)
		error = db_commit(db);
	else
		db_rollback(db);
	return error < 0 ? error : 0;
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
