/* The clerk's hand: invoices awaited and dropped with the money, copies for operators, what was mailed, and what goes with the mails. */
#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/mailing.h"
#include "procedure/order/billing.h"
#include "procedure/order/invoicing.h"
#include "procedure/trouble.h"

/* One that is there already, after a dispute was won, is the one. */
static const struct db_stmt await = { "invoicing_paid",
	"insert into icert.invoice (id, purchase_id, state, created_at) values ($1, $2, 'awaited', $3) on conflict do nothing" };
static const struct db_stmt drop = { "invoicing_returned", "update icert.invoice set state = 'dropped' where purchase_id = $1 and state = 'awaited'" };

static const struct db_stmt uncopied = { "invoicing_uncopied",
	"select i.id from icert.invoice i join icert.application a on a.purchase_id = i.purchase_id and a.province is not null and a.state <> 'removed'"
	" where i.copied_at is null and i.state in ('filed', 'mailed') and" TROUBLE_RESTS_NOT("invoice", "i.id::text", "$1") " order by i.filed_at limit $2" };
static const struct db_stmt copy = { "invoicing_copy",
	"select p.id, p.number, p.key_id, k.wrapped, i.serial, i.voids is not null, a.id, a.province, a.number from icert.invoice i"
	" join icert.purchase p on p.id = i.purchase_id join icert.data_key k on k.id = p.key_id"
	" join icert.application a on a.purchase_id = i.purchase_id and a.province is not null and a.state <> 'removed'"
	" where i.id = $1 and i.copied_at is null" };
static const struct db_stmt copied = { "invoicing_copied", "update icert.invoice set copied_at = $2 where id = $1 and copied_at is null" };
/* One may have been voided before its mail left. */
static const struct db_stmt mailed = { "invoicing_mailed",
	"update icert.invoice i set state = case i.state when 'filed' then 'mailed' else i.state end, mailed_at = o.sent_at from icert.outbox o"
	" where i.mailed_at is null and i.state in ('filed', 'voided') and o.state = 'sent'"
	" and coalesce(o.application_id, o.purchase_id, o.contact_id) = i.purchase_id and o.dedup = 'invoice:' || i.id" };

static const struct db_stmt parts = { "invoicing_parts",
	"select k.wrapped, i.pdf, i.pdf_size, i.xml, i.xml_size from icert.invoice i join icert.purchase p on p.id = i.purchase_id"
	" join icert.data_key k on k.id = p.key_id where i.id = $1 and i.pdf is not null" };
static const struct db_stmt billed = { "invoicing_billed",
	"select k.wrapped, p.billing from icert.purchase p join icert.data_key k on k.id = p.key_id where p.id = $1" };

int
invoicing_paid(struct act *act, const char *order)
{
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) != 0)
		return error;
	return DB_QUERY(act->db, &await, NULL, P_TEXT(id), P_TEXT(order), P_INT(clock_business()));
}

int
invoicing_returned(struct act *act, const char *order)
{
	return DB_QUERY(act->db, &drop, NULL, P_TEXT(order));
}

static int
write_copy(struct act *act, const char *id, struct db_result *r)
{
	struct outbox_variable variables[] = {
		{ "number", db_text(r, 0, 1) }, { "application", db_text(r, 0, 8) }, { "invoice", id }, { "serial", db_text(r, 0, 4) },
		{ "note", db_bool(r, 0, 5) ? "1" : "" },
	};
	struct outbox_mail mail = { .template = MAIL_INVOICE_COPY, .province = (int)db_int(r, 0, 7), .application = db_text(r, 0, 6),
		.order = db_text(r, 0, 0), .key_id = db_text(r, 0, 2), .variables = variables, .n_variables = sizeof variables / sizeof variables[0] };
	uint8_t key[DATAKEY_BYTES];
	char dedup[ID_TEXT + 16];
	const uint8_t *wrapped;
	size_t n;
	int error;

	wrapped = db_bytes(r, 0, 3, &n);
	if ((error = datakey_unwrap(act, wrapped, n, key)) != 0)
		return error;
	snprintf(dedup, sizeof dedup, "invoice_copy:%s", id);
	mail.key = key;
	mail.dedup = dedup;
	if ((error = outbox_add(act->db, &mail, NULL)) == 0)
		error = DB_QUERY(act->db, &copied, NULL, P_TEXT(id), P_INT(clock_business()));
	bytes_wipe(key, sizeof key);
	return error;
}

static int
copy_one(void *ctx, const char *id)
{
	struct act *act = ctx;
	struct db_result *r = NULL;
	int error;

	if ((error = act_begin(act)) == 0 && (error = DB_QUERY(act->db, &copy, &r, P_TEXT(id))) == 0) {
		error = db_rows(r) == 1 ? write_copy(act, id, r) : 0;
		db_result_free(r);
		if (error == 0)
			return db_commit(act->db);
	}
	db_rollback(act->db);
	return error;
}

int
invoicing_run(struct act *act, size_t most, size_t *done)
{
	struct db_result *r;
	int error;

	*done = 0;
	if ((error = act_begin(act)) != 0)
		return error;
	if ((error = db_query(act->db, &mailed, NULL, 0, NULL)) != 0) {
		db_rollback(act->db);
		return error;
	}
	if ((error = DB_QUERY_COMMIT(act->db, &uncopied, &r, P_INT(clock_real()), P_INT((int64_t)most))) != 0)
		return error;
	return trouble_each(act, "invoice", r, copy_one, act, done);
}

int
invoicing_files(struct act *act, const struct document_store *store, const char *id, struct buf *pdf, struct buf *xml)
{
	uint8_t key[DATAKEY_BYTES];
	struct db_result *r;
	const uint8_t *wrapped;
	size_t n;
	int error;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &parts, &r, P_TEXT(id))) != 0)
		return error;
	wrapped = db_bytes(r, 0, 0, &n);
	error = db_rows(r) != 1 ? ICERT_E_DESTROYED : datakey_unwrap(act, wrapped, n, key);
	if (error == 0) {
		if ((error = document_get_bytes(store, key, db_text(r, 0, 1), (size_t)db_int(r, 0, 2), pdf)) == 0)
			error = document_get_bytes(store, key, db_text(r, 0, 3), (size_t)db_int(r, 0, 4), xml);
		bytes_wipe(key, sizeof key);
	}
	db_result_free(r);
	return error;
}

int
invoicing_address(struct act *act, const char *order, char *out, size_t size)
{
	struct buf plain = BUF_INIT;
	uint8_t key[DATAKEY_BYTES];
	struct billing billing;
	struct db_result *r;
	const uint8_t *bytes;
	char place[80];
	size_t n;
	int error;

	out[0] = '\0';
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &billed, &r, P_TEXT(order))) != 0)
		return error;
	bytes = db_bytes(r, 0, 0, &n);
	error = db_rows(r) != 1 ? ICERT_E_DESTROYED : datakey_unwrap(act, bytes, n, key);
	if (error == 0) {
		snprintf(place, sizeof place, "purchase|billing|%s", order);
		bytes = db_bytes(r, 0, 1, &n);
		if ((error = open_field(key, place, bytes, n, &plain)) == 0 && (error = billing_read(&billing, plain.p, plain.len)) == 0)
			snprintf(out, size, "%s", billing.email);
		bytes_wipe(key, sizeof key);
	}
	buf_free(&plain);
	db_result_free(r);
	return error;
}
