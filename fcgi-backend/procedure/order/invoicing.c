#include "procedure/order/invoicing.h"

#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/access_key.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/mailing.h"
#include "procedure/order/invoice.h"
#include "procedure/policy.h"

#define READERS	(BY_APPLICANT | BY_FINANCE | BY_NATIONAL | BY_AUDITOR)

/* Who filed it is for staff: the portal's role sees no name, and needs none. */
#define COLUMNS \
	"select i.id, i.purchase_id, i.voids, i.state, i.access_key, i.serial, i.day::text, i.net, i.tax, i.total, i.created_at, i.filed_at, i.mailed_at," \
	" i.copied_at, i.pdf, i.pdf_size, i.pdf_sha256, i.xml, i.xml_size, i.xml_sha256"
#define MINE	COLUMNS ", '' from icert.invoice i"
#define FILED	COLUMNS ", s.name from icert.invoice i left join icert.staff s on s.id = i.filed_by"
#define OF_ORDER " where i.purchase_id = $1 order by i.created_at, i.voids is null, i.id limit $2"
#define ONE	" where i.purchase_id = $1 and i.id = $2 and i.pdf is not null"
static const struct db_stmt list_mine = { "invoicing_list_mine", MINE OF_ORDER };
static const struct db_stmt list_filed = { "invoicing_list_filed", FILED OF_ORDER };
static const struct db_stmt one_mine = { "invoicing_one_mine", MINE ONE };
static const struct db_stmt one_filed = { "invoicing_one_filed", FILED ONE };

static const struct db_stmt about = { "invoicing_about",
	"select p.number, p.state, p.contact_id, p.key_id, p.net, p.tax, p.total, p.currency, p.billing, k.wrapped, l.id, l.state, l.serial"
	" from icert.purchase p join icert.data_key k on k.id = p.key_id left join icert.invoice l on l.purchase_id = p.id and l.voids is null"
	" and l.state not in ('voided', 'dropped') where p.id = $1" };
/* One at a time files with an order, and its money does not go back meanwhile: what is awaited then is. */
static const struct db_stmt hold = { "invoicing_hold", "select state from icert.purchase where id = $1 for update" };
static const struct db_stmt used = { "invoicing_used",
	"select p.id, p.number, i.state from icert.invoice i join icert.purchase p on p.id = i.purchase_id where i.access_key = $1" };
#define PARTS	"pdf = $9, pdf_size = $10, pdf_sha256 = $11, xml = $12, xml_size = $13, xml_sha256 = $14, filed_by = $15, filed_at = $16"
static const struct db_stmt fill_awaited = { "invoicing_fill",
	"update icert.invoice set state = 'filed', access_key = $3, serial = $4, day = $5, net = $6, tax = $7, total = $8, " PARTS
	" where id = $1 and purchase_id = $2 and state = 'awaited'" };
static const struct db_stmt add_note = { "invoicing_add_note",
	"insert into icert.invoice (id, purchase_id, voids, state, created_at, access_key, serial, day, net, tax, total, pdf, pdf_size, pdf_sha256, xml,"
	" xml_size, xml_sha256, filed_by, filed_at) values ($1, $2, $17, 'filed', $16, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)" };
static const struct db_stmt void_it = { "invoicing_void", "update icert.invoice set state = 'voided' where id = $1 and state in ('filed', 'mailed')" };
static const struct db_stmt await = { "invoicing_await",
	"insert into icert.invoice (id, purchase_id, state, created_at) values ($1, $2, 'awaited', $3)" };

static int
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

#define COPY(field, column) snprintf(v->field, sizeof v->field, "%s", db_text(r, row, column))

static void
fill_part(struct invoicing_file *f, struct db_result *r, int row, int column)
{
	const uint8_t *digest;
	size_t n;

	snprintf(f->file, sizeof f->file, "%s", db_text(r, row, column));
	f->size = db_int(r, row, column + 1);
	digest = db_bytes(r, row, column + 2, &n);
	if (n == sizeof f->sha256)
		memcpy(f->sha256, digest, n);
}

static void
fill(struct invoicing *v, struct db_result *r, int row)
{
	memset(v, 0, sizeof *v);
	COPY(id, 0);
	COPY(order, 1);
	COPY(voids, 2);
	COPY(state, 3);
	COPY(access_key, 4);
	COPY(serial, 5);
	COPY(day, 6);
	v->net = db_int(r, row, 7);
	v->tax = db_int(r, row, 8);
	v->total = db_int(r, row, 9);
	v->created_at = db_int(r, row, 10);
	v->filed_at = db_int(r, row, 11);
	v->mailed_at = db_int(r, row, 12);
	v->copied_at = db_int(r, row, 13);
	fill_part(&v->part[INVOICING_PDF], r, row, 14);
	fill_part(&v->part[INVOICING_XML], r, row, 17);
	COPY(filed_by, 20);
}

int
invoicing_list(struct act *act, const char *order, struct invoicing *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!id_valid(order))
		return ICERT_E_NOT_FOUND;
	if (!(act->roles & READERS))
		return act_refuse(act, "order.invoice_read", "order", order, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, act->roles & BY_APPLICANT ? &list_mine : &list_filed, &r,
	    P_TEXT(order), P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

/* Inside the open transaction: one that has files, and the wrapped key they are under. */
static int
find(struct act *act, const char *order, const char *id, struct invoicing *v)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, act->roles & BY_APPLICANT ? &one_mine : &one_filed, &r, P_TEXT(order), P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		fill(v, r, 0);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
invoicing_read(struct act *act, const struct document_store *store, const char *order, const char *id, enum invoicing_part part,
    struct invoicing *v, struct buf *out)
{
	static const struct db_stmt key_of = { "invoicing_key", "select key_id from icert.purchase where id = $1" };
	uint8_t key[DATAKEY_BYTES];
	char key_id[ID_TEXT] = "";
	struct db_result *r = NULL;
	int error = ICERT_E_DENIED;

	if (!id_valid(order) || !id_valid(id))
		return ICERT_E_NOT_FOUND;
	if (!(act->roles & READERS) || (error = act_begin(act)) != 0 || (error = find(act, order, id, v)) != 0 ||
	    (error = DB_QUERY(act->db, &key_of, &r, P_TEXT(order))) != 0)
		return act_refuse(act, "order.invoice_read", "order", order, 0, error);
	snprintf(key_id, sizeof key_id, "%s", db_text(r, 0, 0));
	db_result_free(r);
	if ((error = act_audit(act, "order.invoice_read", "order", order, NULL, 0, NULL, NULL)) != 0 || (error = db_commit(act->db)) != 0) {
		db_rollback(act->db);
		return error;
	}
	if ((error = datakey_open(act, key_id, key)) != 0)
		return error;
	error = document_get_bytes(store, key, v->part[part].file, (size_t)v->part[part].size, out);
	bytes_wipe(key, sizeof key);
	return error;
}

/* The order that one is filed with, and the invoice it has. */
struct about {
	char	order[ID_TEXT], number[NUMBER_TEXT], state[12], contact[ID_TEXT], key_id[ID_TEXT], currency[4];
	char	living[ID_TEXT], living_state[12], living_serial[INVOICING_SERIAL];	/* "" none */
	uint8_t	key[DATAKEY_BYTES];
	struct billing billing;
	int64_t	net, tax, total;
};

#define TAKE(field, column) snprintf(a->field, sizeof a->field, "%s", db_text(r, 0, column))

static int
fill_about(struct act *act, struct about *a, struct db_result *r)
{
	struct buf plain = BUF_INIT;
	const uint8_t *bytes;
	char place[80];
	size_t n;
	int error;

	TAKE(number, 0);
	TAKE(state, 1);
	TAKE(contact, 2);
	TAKE(key_id, 3);
	a->net = db_int(r, 0, 4);
	a->tax = db_int(r, 0, 5);
	a->total = db_int(r, 0, 6);
	TAKE(currency, 7);
	TAKE(living, 10);
	TAKE(living_state, 11);
	TAKE(living_serial, 12);
	bytes = db_bytes(r, 0, 9, &n);
	if ((error = datakey_unwrap(act, bytes, n, a->key)) != 0)
		return error;
	snprintf(place, sizeof place, "purchase|billing|%s", a->order);
	bytes = db_bytes(r, 0, 8, &n);
	if ((error = open_field(a->key, place, bytes, n, &plain)) == 0)
		error = billing_read(&a->billing, plain.p, plain.len);
	buf_free(&plain);
	return error;
}

static int
read_about(struct act *act, const char *order, struct about *a)
{
	struct db_result *r;
	int error;

	memset(a, 0, sizeof *a);
	snprintf(a->order, sizeof a->order, "%s", order);
	if ((error = DB_QUERY(act->db, &about, &r, P_TEXT(order))) != 0)
		return error;
	error = db_rows(r) == 1 ? fill_about(act, a, r) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

static int
refused(struct invoicing_refusal *why, const char *code)
{
	snprintf(why->code, sizeof why->code, "%s", code);
	return ICERT_E_MISMATCH;
}

static int
refused_texts(struct invoicing_refusal *why, const char *code, const char *due, const char *said)
{
	snprintf(why->due, sizeof why->due, "%s", due);
	snprintf(why->said, sizeof why->said, "%s", said);
	return refused(why, code);
}

static int
refused_cents(struct invoicing_refusal *why, const char *code, int64_t due, int64_t said)
{
	why->due_cents = due;
	why->said_cents = said;
	return refused(why, code);
}

/* What it says against what it has to say. */
static int
compare(struct act *act, const struct about *a, const struct invoice *v, int note, struct invoicing_refusal *why)
{
	struct invoice_due due = { .document = note ? ACCESS_KEY_CREDIT_NOTE : ACCESS_KEY_INVOICE, .billing = &a->billing,
		.net = a->net, .tax = a->tax, .total = a->total };
	char ruc[16];
	const char *code;
	int error;

	if ((error = policy_text(act, INVOICING_RUC, ruc, sizeof ruc)) != 0)
		return error;
	if (ruc[0] == '\0')
		return refused(why, "unset");
	due.ruc = ruc;
	due.production = policy_int(act, INVOICING_PRODUCTION, 1) != 0;
	if ((code = invoice_differs(v, &due)) == NULL)
		return 0;
	if (is(code, "issuer"))
		return refused_texts(why, code, ruc, v->ruc);
	if (is(code, "buyer"))
		return refused_texts(why, code, a->billing.id_number, v->buyer);
	if (is(code, "buyer_kind"))
		return refused_texts(why, code, a->billing.id_kind, v->buyer_kind);
	if (is(code, "buyer_name"))
		return refused_texts(why, code, a->billing.name, v->buyer_name);
	if (is(code, "net"))
		return refused_cents(why, code, a->net, v->net);
	if (is(code, "tax"))
		return refused_cents(why, code, a->tax, v->tax);
	if (is(code, "total"))
		return refused_cents(why, code, a->total, v->total);
	return refused(why, code);
}

/* A key stands for one document: of this order it was filed before, of another it is refused. */
static int
key_is_free(struct act *act, const struct about *a, const struct invoice *v, struct invoicing_refusal *why)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &used, &r, P_TEXT(v->access_key))) != 0)
		return error;
	if (db_rows(r) > 0 && is(db_text(r, 0, 0), a->order))
		error = is(db_text(r, 0, 2), "voided") ? refused(why, "access_key.voided") : ICERT_E_EXISTS;
	else if (db_rows(r) > 0) {
		snprintf(why->number, sizeof why->number, "%s", db_text(r, 0, 1));
		error = refused(why, "access_key.used");
	}
	db_result_free(r);
	return error;
}

static int
paid(const struct about *a)
{
	return is(a->state, "paid") || is(a->state, "used");
}

/* Whether the order is one for which this document is made now. */
static int
its_time(const struct about *a, const struct invoice *v, int note, struct invoicing_refusal *why)
{
	int filed = is(a->living_state, "filed") || is(a->living_state, "mailed");

	if (note && !filed)
		return refused(why, "nothing_to_void");
	if (note)
		return is(v->modifies, a->living_serial) ? 0 : refused_texts(why, "modifies", a->living_serial, v->modifies);
	if (is(a->state, "created") || is(a->state, "pending") || is(a->state, "expired"))
		return refused(why, "unpaid");
	if (!paid(a))
		return refused(why, "returned");
	return filed ? refused_texts(why, "standing", a->living_serial, "") : 0;
}

static int
mail_it(struct act *act, const struct about *a, const char *id, const char *serial, const struct invoice *v, int note)
{
	const struct mailing m = { .contact = a->contact, .purchase = a->order, .number = a->number, .key_id = a->key_id, .key = a->key };
	char total[24], dedup[ID_TEXT + 16];
	struct outbox_variable variables[] = {
		{ "invoice", id }, { "serial", serial }, { "total", total }, { "currency", a->currency }, { "note", note ? "1" : "" },
	};
	int error;

	snprintf(total, sizeof total, "%lld", (long long)v->total);
	snprintf(dedup, sizeof dedup, "invoice:%s", id);
	if ((error = mailing_contact(act, &m, MAIL_INVOICE, variables, sizeof variables / sizeof variables[0], dedup, NULL)) != 0 ||
	    a->billing.email[0] == '\0')
		return error;
	snprintf(dedup, sizeof dedup, "invoice_payer:%s", id);
	return mailing_payer(act, &m, MAIL_INVOICE_PAYER, variables, sizeof variables / sizeof variables[0], dedup);
}

/* The row, and what it changes of others.  $16 is now. */
static int
write_rows(struct act *act, const struct about *a, const struct invoice *v, int note, const char *serial,
    const struct invoicing_file part[INVOICING_PARTS], const char *id)
{
	const struct invoicing_file *pdf = &part[INVOICING_PDF], *xml = &part[INVOICING_XML];
	struct db_param params[] = {
		P_TEXT(id), P_TEXT(a->order), P_TEXT(v->access_key), P_TEXT(serial), P_TEXT(v->day), P_INT(v->net), P_INT(v->tax), P_INT(v->total),
		P_TEXT(pdf->file), P_INT(pdf->size), P_BYTES(pdf->sha256, sizeof pdf->sha256),
		P_TEXT(xml->file), P_INT(xml->size), P_BYTES(xml->sha256, sizeof xml->sha256), P_TEXT(act->id), P_INT(clock_business()),
		P_TEXT(a->living),
	};
	size_t n = sizeof params / sizeof params[0];
	struct db_result *r;
	char next[ID_TEXT];
	int error, one;

	/* The credit note's row first: when its key was used meanwhile, nothing else is done. */
	if (note && (error = db_query(act->db, &add_note, params, n, NULL)) != 0)
		return error == ICERT_E_EXISTS ? ICERT_E_CONFLICT : error;
	if ((error = note ? DB_QUERY(act->db, &void_it, &r, P_TEXT(a->living)) : db_query(act->db, &fill_awaited, params, n - 1, &r)) != 0)
		return error == ICERT_E_EXISTS ? ICERT_E_CONFLICT : error;
	one = db_affected(r) == 1;
	db_result_free(r);
	if (!one)
		return ICERT_E_CONFLICT;
	/* It was wrong, and the money is with us: another one is made. */
	if (!note || !paid(a))
		return 0;
	return (error = id_new(next)) != 0 ? error :
	    DB_QUERY(act->db, &await, NULL, P_TEXT(next), P_TEXT(a->order), P_INT(clock_business()));
}

/* Inside the open transaction: what the order is, and whether this is its document now. */
static int
judge(struct act *act, const char *order, struct about *a, const struct invoice *v, struct invoicing_refusal *why)
{
	int note = is(v->document, ACCESS_KEY_CREDIT_NOTE), error;

	if ((error = read_about(act, order, a)) != 0 || (error = compare(act, a, v, note, why)) != 0 || (error = key_is_free(act, a, v, why)) != 0)
		return error;
	return its_time(a, v, note, why);
}

/* What differs is in the log too, as a code; what is filed already is no refusal. */
static int
refuse(struct act *act, const char *order, int error, const struct invoicing_refusal *why)
{
	char reason[48];

	if (error == ICERT_E_EXISTS) {
		db_rollback(act->db);
		return error;
	}
	if (error != ICERT_E_MISMATCH || why->code[0] == '\0')
		return act_refuse(act, "order.invoice_file", "order", order, 0, error);
	snprintf(reason, sizeof reason, "invoice.%s", why->code);
	return act_refuse_for(act, "order.invoice_file", "order", order, error, reason);
}

int
invoicing_check(struct act *act, const char *order, const struct invoice *v, struct invoicing_refusal *why)
{
	struct about a = { .order = "" };
	int error = ICERT_E_DENIED;

	*why = (struct invoicing_refusal){ .due_cents = -1, .said_cents = -1 };
	if (!id_valid(order))
		return ICERT_E_NOT_FOUND;
	if ((act->roles & BY_FINANCE) && (error = act_begin(act)) == 0 && (error = judge(act, order, &a, v, why)) == 0)
		error = db_commit(act->db);
	bytes_wipe(a.key, sizeof a.key);
	return error == 0 ? 0 : refuse(act, order, error, why);
}

static int
file_here(struct act *act, const struct about *a, const struct invoice *v, const struct invoicing_file part[INVOICING_PARTS], char id[ID_TEXT])
{
	int note = is(v->document, ACCESS_KEY_CREDIT_NOTE), error;
	char serial[INVOICING_SERIAL];

	/* A key that was read has both. */
	snprintf(serial, sizeof serial, "%.3s-%.3s-%.9s", v->place, v->place + 3, v->sequence);
	if (note && (error = id_new(id)) != 0)
		return error;
	if (!note)
		snprintf(id, ID_TEXT, "%s", a->living);
	if ((error = write_rows(act, a, v, note, serial, part, id)) != 0 ||
	    (error = act_audit(act, note ? "order.invoice_void" : "order.invoice_file", "order", a->order, NULL, 0, NULL, NULL)) != 0)
		return error;
	return mail_it(act, a, id, serial, v, note);
}

static int
file_once(struct act *act, const char *order, const struct invoice *v, const struct invoicing_file part[INVOICING_PARTS], char row[ID_TEXT],
    struct invoicing_refusal *why)
{
	struct about a = { .order = "" };
	int error;

	if ((error = act_begin(act)) == 0 && (error = DB_QUERY(act->db, &hold, NULL, P_TEXT(order))) == 0 &&
	    (error = judge(act, order, &a, v, why)) == 0 && (error = file_here(act, &a, v, part, row)) == 0)
		error = db_commit(act->db);
	bytes_wipe(a.key, sizeof a.key);
	return error;
}

int
invoicing_file(struct act *act, const char *order, const struct invoice *v, const struct invoicing_file part[INVOICING_PARTS],
    char id[ID_TEXT], struct invoicing_refusal *why)
{
	char row[ID_TEXT] = "";
	int error = ICERT_E_DENIED;

	*why = (struct invoicing_refusal){ .due_cents = -1, .said_cents = -1 };
	if (!id_valid(order))
		return ICERT_E_NOT_FOUND;
	/* Its key was filed with another order at this very moment: now it is there to be named. */
	if ((act->roles & BY_FINANCE) && (error = file_once(act, order, v, part, row, why)) == ICERT_E_CONFLICT) {
		db_rollback(act->db);
		error = file_once(act, order, v, part, row, why);
	}
	if (error == 0 && id != NULL)
		memcpy(id, row, ID_TEXT);
	return error == 0 ? 0 : refuse(act, order, error, why);
}
