#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/clock/breaker.h"
#include "procedure/clock/restoration.h"

#define BATCH 1000		/* rows of an array parameter */
#define DAY_S 86400
/* No office gives out as many numbers of one kind in a day. */
#define NUMBERS_DAY 5000

static const struct db_stmt no_triggers = { "restore_no_triggers", "set local session_replication_role = replica" };
static const struct db_stmt make_signed = { "restore_signed",
	"create temporary table restore_signed (serial bytea primary key, case_id uuid not null, not_after bigint not null,"
	" revoked_at bigint, reason smallint, issuer smallint not null) on commit drop" };
static const struct db_stmt make_id = { "restore_id",
	"create temporary table restore_id (kind text not null, id uuid not null, primary key (kind, id)) on commit drop" };
static const struct db_stmt add_signed = { "restore_add_signed",
	"insert into pg_temp.restore_signed select decode(s.serial, 'hex'), s.case_id, s.not_after, nullif(s.revoked_at, 0),"
	" case when s.revoked_at > 0 then s.reason end, s.issuer from unnest($1::text::text[], $2::text::uuid[], $3::text::bigint[],"
	" $4::text::bigint[], $5::text::smallint[], $6::text::smallint[]) s (serial, case_id, not_after, revoked_at, reason, issuer)"
	" on conflict do nothing" };
static const struct db_stmt add_id = { "restore_add_id",
	"insert into pg_temp.restore_id select $1, i from unnest($2::text::uuid[]) i on conflict do nothing" };

/* Good here, revoked in what was lost.  Its case closes where a revocation closes one. */
static const struct db_stmt revoke = { "restore_revoke",
	"with gone as (update icert.certificate c set state = 'revoked', revoked_at = s.revoked_at, reason = s.reason,"
	" reason_code = 'restored', revoked_by = 'restore' from pg_temp.restore_signed s where s.serial = c.serial"
	" and s.revoked_at is not null and c.state in ('good', 'suspended') returning c.id, c.application_id, c.reason,"
	" c.revoked_at), told as (insert into icert.status_change (certificate_id, state, reason, at)"
	" select id, 'revoked', reason, revoked_at from gone), closed as (update icert.application a set state = 'closed_revoked',"
	" version = version + 1, state_since = $1, reason = 'revoked_before_restore' from gone where a.id = gone.application_id"
	" and a.state in ('issued', 'contract_sent', 'contract_received', 'contract_signed') returning 1)"
	" select count(*) from gone" };
/* Being made here, with another key or order than the signer remembers, or revoked meanwhile: it cannot end well. */
static const struct db_stmt undo = { "restore_undo",
	"with gone as (update icert.certificate c set state = 'refused', refusal = 'restored' from pg_temp.restore_signed s"
	" where s.serial = c.serial and c.state = 'issuing' and (s.revoked_at is not null or c.spki is null)"
	" returning c.application_id), back as (update icert.application a set state = 'identified', version = version + 1,"
	" state_since = $1, reason = 'restored' from gone where a.id = gone.application_id and a.state = 'issuing' returning 1)"
	" select count(*) from gone" };
static const struct db_stmt lose = { "restore_lose",
	"insert into icert.lost_certificate (serial, case_id, not_after, state, revoked_at, reason, found_at, issuer)"
	" select s.serial, s.case_id, s.not_after, case when s.revoked_at is null then 'good' else 'revoked' end,"
	" s.revoked_at, s.reason, $1, s.issuer from pg_temp.restore_signed s where not exists (select from icert.certificate c"
	" where c.serial = s.serial and c.state <> 'refused') on conflict do nothing" };
static const struct db_stmt spend = { "restore_spend",
	"update icert.purchase p set state = 'used', version = version + 1, state_since = $1 from pg_temp.restore_id i"
	" where i.kind = 'spent' and i.id = p.id and p.state in ('created', 'pending', 'paid', 'expired')" };
static const struct db_stmt forget_keys = { "restore_keys",
	"update icert.data_key k set destroyed_at = $1 from pg_temp.restore_id i where i.kind = 'destroyed' and i.id = k.id"
	" and k.destroyed_at is null" };
static const struct db_stmt deliveries = { "restore_deliveries",
	"select c.application_id::text, d.label, d.certificate_id::text from icert.delivery d"
	" join icert.certificate c on c.id = d.certificate_id where d.sealed is not null" };
static const struct db_stmt forget_delivery = { "restore_delivery",
	"update icert.delivery set sealed = null, destroyed_at = $3 where certificate_id = $1 and label = $2" };
/* Who logged out yesterday is not logged in again, and a code that was used opens nothing. */
static const struct db_stmt end_sessions = { "restore_sessions",
	"with s as (delete from icert.session returning 1), c as (delete from icert.code returning 1)"
	" select (select count(*) from s) + (select count(*) from c)" };
static const struct db_stmt numbers = { "restore_numbers",
	"select setval(format('%I.%I', schemaname, sequencename)::regclass, least(coalesce(last_value, 0) + $1::bigint, max_value))"
	" from pg_sequences where schemaname = 'icert'" };
static const struct db_stmt audit_size = { "restore_audit_size", "select coalesce(max(size), 0) from icert.audit_head" };

static void
item(struct buf *list, const char *text)
{
	buf_putc(list, list->len == 0 ? '{' : ',');
	buf_puts(list, text);
}

static void
item_number(struct buf *list, int64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, n);
	item(list, text);
}

enum { SERIALS, CASES, ENDS, TIMES, REASONS, ISSUERS, COLUMNS };

/* One array a column, as PostgreSQL reads it. */
static int
put_signed(struct db *db, const struct restoration_certificate *c, size_t n)
{
	struct buf col[COLUMNS] = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT };
	char hex[33], id[ID_TEXT];
	int error = 0;

	for (size_t i = 0; i < n; i++) {
		bytes_to_hex(hex, c[i].serial, sizeof c[i].serial);
		id_text(c[i].case_id, id);
		item(&col[SERIALS], hex);
		item(&col[CASES], id);
		item_number(&col[ENDS], c[i].not_after);
		item_number(&col[TIMES], c[i].revoked ? c[i].revoked_at : 0);
		item_number(&col[REASONS], c[i].reason);
		item_number(&col[ISSUERS], c[i].issuer);
	}
	for (size_t k = 0; k < COLUMNS; k++) {
		buf_putc(&col[k], '}');
		if (error == 0)
			error = buf_error(&col[k]);
	}
	if (error == 0)
		error = DB_QUERY(db, &add_signed, NULL, P_TEXT(buf_str(&col[0])), P_TEXT(buf_str(&col[1])),
		    P_TEXT(buf_str(&col[2])), P_TEXT(buf_str(&col[3])), P_TEXT(buf_str(&col[4])),
		    P_TEXT(buf_str(&col[5])));
	for (size_t k = 0; k < COLUMNS; k++)
		buf_free(&col[k]);
	return error;
}

static int
put_ids(struct db *db, const char *kind, const uint8_t (*ids)[16], size_t n)
{
	struct buf list = BUF_INIT;
	char id[ID_TEXT];
	int error;

	for (size_t i = 0; i < n; i++) {
		id_text(ids[i], id);
		item(&list, id);
	}
	buf_putc(&list, '}');
	if ((error = buf_error(&list)) == 0)
		error = DB_QUERY(db, &add_id, NULL, P_TEXT(kind), P_TEXT(buf_str(&list)));
	buf_free(&list);
	return error;
}

static size_t
batch(size_t at, size_t n)
{
	return n - at < BATCH ? n - at : BATCH;
}

/* What survived, as tables of this transaction. */
static int
load(struct db *db, const struct restoration *in)
{
	int error;

	if ((error = db_query(db, &make_signed, NULL, 0, NULL)) != 0 || (error = db_query(db, &make_id, NULL, 0, NULL)) != 0)
		return error;
	for (size_t at = 0; at < in->n_certificates && error == 0; at += BATCH)
		error = put_signed(db, in->certificates + at, batch(at, in->n_certificates));
	for (size_t at = 0; at < in->n_spent && error == 0; at += BATCH)
		error = put_ids(db, "spent", in->spent + at, batch(at, in->n_spent));
	for (size_t at = 0; at < in->n_destroyed && error == 0; at += BATCH)
		error = put_ids(db, "destroyed", in->destroyed + at, batch(at, in->n_destroyed));
	return error;
}

/* A statement whose one row holds a count. */
static int
counted(struct db *db, const struct db_stmt *sql, const struct db_param *params, size_t n, int64_t *count)
{
	struct db_result *r;
	int error = db_query(db, sql, params, n, &r);

	if (error != 0)
		return error;
	*count = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* A statement that says itself how many rows it changed. */
static int
changed(struct db *db, const struct db_stmt *sql, int64_t at, int64_t *count)
{
	struct db_result *r;
	int error = DB_QUERY(db, sql, &r, P_INT(at));

	if (error != 0)
		return error;
	*count = db_affected(r);
	db_result_free(r);
	return 0;
}

static int
drop_deliveries(struct db *db, const struct restoration *in, int64_t *count)
{
	struct db_result *r;
	int error;

	if ((error = db_query(db, &deliveries, NULL, 0, &r)) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && error == 0; i++) {
		if (!in->delivery_gone(in->ctx, db_text(r, i, 0), db_text(r, i, 1)))
			continue;
		error = DB_QUERY(db, &forget_delivery, NULL, P_TEXT(db_text(r, i, 2)), P_TEXT(db_text(r, i, 1)),
		    P_INT(clock_real()));
		(*count)++;
	}
	db_result_free(r);
	return error;
}

/* In the order of what rests on what: first certificates, then what they were paid and packed with. */
static int
reconcile(struct act *act, const struct restoration *in, struct restoration_report *out)
{
	int64_t business = clock_business(), real = clock_real(), days = (real - in->made_at) / DAY_S + 1;
	struct db *db = act->db;
	int error;

	if ((error = counted(db, &revoke, DB_PARAMS(P_INT(business)), &out->revoked)) != 0 ||
	    (error = counted(db, &undo, DB_PARAMS(P_INT(business)), &out->undone)) != 0 ||
	    (error = changed(db, &lose, real, &out->lost)) != 0 ||
	    (error = changed(db, &spend, business, &out->spent)) != 0 ||
	    (error = changed(db, &forget_keys, real, &out->keys)) != 0 ||
	    (error = drop_deliveries(db, in, &out->deliveries)) != 0 ||
	    (error = counted(db, &end_sessions, NULL, 0, &out->sessions)) != 0 ||
	    (error = counted(db, &audit_size, NULL, 0, &out->audit_size)) != 0)
		return error;
	return DB_QUERY(db, &numbers, NULL, P_INT((days < 1 ? 1 : days) * NUMBERS_DAY));
}

static int
note(struct act *act, const struct restoration *in, const struct restoration_report *r)
{
	char detail[320];

	snprintf(detail, sizeof detail, "{\"made_at\":%" PRId64 ",\"leaves\":%" PRId64 ",\"revoked\":%" PRId64 ",\"lost\":%" PRId64
	    ",\"undone\":%" PRId64 ",\"spent\":%" PRId64 ",\"deliveries\":%" PRId64 ",\"keys\":%" PRId64 "}", in->made_at, r->audit_size,
	    r->revoked, r->lost, r->undone, r->spent, r->deliveries, r->keys);
	return act_audit(act, "backup.restored", "backup", "-", NULL, 0, NULL, detail);
}

int
restoration_reconcile(struct act *act, const struct restoration *in, struct restoration_report *out)
{
	int error;

	memset(out, 0, sizeof *out);
	/* The breaker before all else: whatever fails below, nothing ends by itself. */
	if ((error = breaker_trip(act, BREAKER_RESTORE, clock_real() - in->made_at)) != 0)
		return error;
	if ((error = act_begin(act)) == 0 && (error = db_query(act->db, &no_triggers, NULL, 0, NULL)) == 0 &&
	    (error = load(act->db, in)) == 0 && (error = reconcile(act, in, out)) == 0 && (error = note(act, in, out)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}
