#include "procedure/order/refund.h"

#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/mailing.h"
#include "procedure/order/dispute.h"
#include "procedure/people/staff.h"

#define READERS		(BY_FINANCE | BY_NATIONAL | BY_AUDITOR)
#define DECIDERS	(BY_FINANCE | BY_NATIONAL)

const char *const refund_reasons[] = { "authority_fault", "again", "late", "mismatch", "other", NULL };

#define COLUMNS \
	OFFICE_COLUMNS ", q.purchase_id, p.number, q.payment_id, y.gateway, y.gateway_payment, q.currency, q.reason, q.outcome, q.cents," \
	" coalesce(q.ended_at, 0), q.own"
#define FROM \
	" from icert.refund q join icert.purchase p on p.id = q.purchase_id join icert.payment y on y.id = q.payment_id" OFFICE_JOINS

static const struct db_stmt list = { "refund_list",
	"select " COLUMNS FROM " where $1::uuid is null or q.purchase_id = $1"
	" order by q.state not in ('open', 'failed'), q.requested_at desc, q.id limit $2" };
static const struct db_stmt sealed_words = { "refund_words",
	"select q.words, k.wrapped from icert.refund q join icert.purchase p on p.id = q.purchase_id"
	" join icert.data_key k on k.id = p.key_id where q.id = $1" };
static const struct db_stmt one = { "refund_one", "select " COLUMNS FROM " where q.id = $1" };
static const struct db_stmt about = { "refund_about",
	"select p.id, p.number, p.state, p.contact_id, p.key_id, k.wrapped, y.verdict, case when exists (select from"
	" icert.payment o where o.gateway = y.gateway and o.gateway_payment = y.gateway_payment and o.verdict = 'refunded') then 0 else coalesce(y.cents, 0) end,"
	" coalesce(y.currency, ''), " DISPUTE_LIVES("y") " from icert.payment y join icert.purchase p on p.id = y.purchase_id join icert.data_key k on k.id = p.key_id where y.id = $1" };
static const struct db_stmt add = { "refund_add",
	"insert into icert.refund (id, purchase_id, payment_id, own, cents, currency, reason, words, requested_by, requested_at)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)" };
static const struct db_stmt decide = { "refund_decide",
	"update icert.refund set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'open'" };
/* First: the end of a dispute, which looks for confirmed refunds, and whoever issues wait for this row too. */
static const struct db_stmt hold = { "refund_hold", "select state from icert.purchase where id = $1 for update" };
static const struct db_stmt stop = { "refund_stop",
	"update icert.purchase set state = 'refunding', version = version + 1, state_since = $2 where id = $1 and state in ('paid', 'used')" };

static void
fill(struct refund *f, struct db_result *r, int row)
{
	memset(f, 0, sizeof *f);
	office_fill(&f->q, r, row);
	snprintf(f->order, sizeof f->order, "%s", db_text(r, row, OFFICE_N));
	snprintf(f->number, sizeof f->number, "%s", db_text(r, row, OFFICE_N + 1));
	snprintf(f->conclusion, sizeof f->conclusion, "%s", db_text(r, row, OFFICE_N + 2));
	snprintf(f->gateway, sizeof f->gateway, "%s", db_text(r, row, OFFICE_N + 3));
	snprintf(f->payment, sizeof f->payment, "%s", db_text(r, row, OFFICE_N + 4));
	snprintf(f->currency, sizeof f->currency, "%s", db_text(r, row, OFFICE_N + 5));
	snprintf(f->reason, sizeof f->reason, "%s", db_text(r, row, OFFICE_N + 6));
	snprintf(f->outcome, sizeof f->outcome, "%s", db_text(r, row, OFFICE_N + 7));
	f->cents = db_int(r, row, OFFICE_N + 8);
	f->ended_at = db_int(r, row, OFFICE_N + 9);
	f->own = db_bool(r, row, OFFICE_N + 10);
}

/* Who confirms reads what it is founded on. */
static int
open_words(struct act *act, struct refund *f)
{
	struct buf plain = BUF_INIT;
	uint8_t key[DATAKEY_BYTES];
	struct db_result *r;
	const uint8_t *bytes;
	char place[96];
	size_t n;
	int error;

	if ((error = DB_QUERY(act->db, &sealed_words, &r, P_TEXT(f->q.id))) != 0)
		return error;
	bytes = db_bytes(r, 0, 1, &n);
	if (db_rows(r) == 1 && (error = datakey_unwrap(act, bytes, n, key)) == 0) {
		snprintf(place, sizeof place, "refund|words|%s", f->q.id);
		bytes = db_bytes(r, 0, 0, &n);
		if ((error = open_field(key, place, bytes, n, &plain)) == 0 && plain.len < sizeof f->words)
			memcpy(f->words, plain.p, plain.len);
		bytes_wipe(key, sizeof key);
	}
	buf_free(&plain);
	db_result_free(r);
	return error == ICERT_E_DESTROYED ? 0 : error;
}

int
refund_list(struct act *act, const char *order, struct refund *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & READERS))
		return act_refuse(act, "refund.list", "refund", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY(act->db, &list, &r, P_TEXT(order), P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	for (size_t i = 0; order != NULL && i < *n && error == 0; i++)
		error = open_words(act, &rows[i]);
	if (error != 0) {
		db_rollback(act->db);
		return error;
	}
	return db_commit(act->db);
}

static int
known_reason(const char *reason)
{
	for (int i = 0; refund_reasons[i] != NULL; i++)
		if (strcmp(refund_reasons[i], reason) == 0)
			return 1;
	return 0;
}

/* The order whose money it is, while the request is written. */
struct about {
	char		order[ID_TEXT], number[NUMBER_TEXT], state[12], contact[ID_TEXT], key_id[ID_TEXT], verdict[16], currency[4];
	uint8_t		key[DATAKEY_BYTES];
	int64_t		cents;
	int		disputed;	/* the bank has it, or wants it */
};

static int
read_about(struct act *act, const char *conclusion, struct about *a)
{
	struct db_result *r;
	const uint8_t *wrapped;
	size_t n;
	int error;

	if (!id_valid(conclusion))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &about, &r, P_TEXT(conclusion))) != 0)
		return error;
	if (db_rows(r) == 1) {
		snprintf(a->order, sizeof a->order, "%s", db_text(r, 0, 0));
		snprintf(a->number, sizeof a->number, "%s", db_text(r, 0, 1));
		snprintf(a->state, sizeof a->state, "%s", db_text(r, 0, 2));
		snprintf(a->contact, sizeof a->contact, "%s", db_text(r, 0, 3));
		snprintf(a->key_id, sizeof a->key_id, "%s", db_text(r, 0, 4));
		wrapped = db_bytes(r, 0, 5, &n);
		error = datakey_unwrap(act, wrapped, n, a->key);
		snprintf(a->verdict, sizeof a->verdict, "%s", db_text(r, 0, 6));
		a->cents = db_int(r, 0, 7);
		snprintf(a->currency, sizeof a->currency, "%s", db_text(r, 0, 8));
		a->disputed = db_bool(r, 0, 9);
	} else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

/* Whether this payment's money is with us, and may go back. */
static int
returnable(const struct about *a)
{
	if (strcmp(a->verdict, "pay") == 0)
		return strcmp(a->state, "paid") == 0 || strcmp(a->state, "used") == 0 || strcmp(a->state, "refunding") == 0;
	return a->cents > 0 && !a->disputed && (strcmp(a->verdict, "again") == 0 || strcmp(a->verdict, "late") == 0 || strcmp(a->verdict, "mismatch") == 0);
}

static int
request_here(struct act *act, const struct about *a, const char *conclusion, const char *reason, const char *words)
{
	const struct mailing m = { .contact = a->contact, .purchase = a->order, .number = a->number, .key_id = a->key_id, .key = a->key };
	struct buf sealed = BUF_INIT;
	char id[ID_TEXT], place[96], dedup[ID_TEXT + 16];
	int error;

	if (!returnable(a))
		return ICERT_E_STATE;
	if ((error = id_new(id)) != 0)
		return error;
	snprintf(place, sizeof place, "refund|words|%s", id);
	snprintf(dedup, sizeof dedup, "refund:%s", id);
	if ((error = seal_field(a->key, place, (const uint8_t *)words, strlen(words), &sealed)) == 0 &&
	    (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(a->order), P_TEXT(conclusion),
	    P_BOOL(strcmp(a->verdict, "pay") == 0), P_INT(a->cents), P_TEXT(a->currency), P_TEXT(reason), P_BYTES(sealed.p, sealed.len),
	    P_TEXT(act->id), P_INT(clock_business()))) == 0 &&
	    (error = act_audit(act, "order.refund_request", "order", a->order, NULL, 0, reason, NULL)) == 0)
		error = mailing_national(act, &m, "refund", dedup);
	buf_free(&sealed);
	return error;
}

int
refund_request(struct act *act, const char *conclusion, const char *reason, const char *words)
{
	struct about a = { .order = "" };
	int error = ICERT_E_DENIED;

	if (!known_reason(reason) || words[0] == '\0' || strlen(words) > REFUND_WORDS)
		return ICERT_E_INVALID;
	if ((act->roles & BY_FINANCE) && (error = act_begin(act)) == 0 && (error = read_about(act, conclusion, &a)) == 0 &&
	    (error = request_here(act, &a, conclusion, reason, words)) == 0)
		error = db_commit(act->db);
	bytes_wipe(a.key, sizeof a.key);
	return error == 0 ? 0 : act_refuse(act, "order.refund_request", "order", a.order[0] != '\0' ? a.order : NULL, 0, error);
}

/* Inside the open transaction. */
static int
read_one(struct act *act, const char *id, struct refund *f)
{
	struct db_result *r;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &one, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		fill(f, r, 0);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

/* The order's own money is on its way back from here on: nothing is issued for it. */
static int
confirmed(struct act *act, const struct refund *f)
{
	int error;

	if ((error = DB_QUERY(act->db, &hold, NULL, P_TEXT(f->order))) != 0 || (error = office_settle(act, &decide, &f->q, "confirmed")) != 0)
		return error;
	return f->own ? DB_QUERY(act->db, &stop, NULL, P_TEXT(f->order), P_INT(clock_business())) : 0;
}

static int
settle(struct act *act, const char *id, const char *action, const char *code)
{
	struct refund f = { .own = 0 };
	int error = ICERT_E_DENIED, confirms = code != NULL;

	if ((act->roles & DECIDERS) && (error = confirms ? staff_factor(act, code) : 0) == 0 && (error = act_begin(act)) == 0 &&
	    (error = read_one(act, id, &f)) == 0 && (error = !confirms || f.q.other ? 0 : ICERT_E_DENIED) == 0 &&
	    (error = confirms ? confirmed(act, &f) : office_settle(act, &decide, &f.q, "withdrawn")) == 0 &&
	    (error = act_audit(act, action, "order", f.order, NULL, 0, f.reason, NULL)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, action, "order", f.order[0] != '\0' ? f.order : NULL, 0, error);
}

int
refund_confirm(struct act *act, const char *id, const char *code)
{
	return settle(act, id, "order.refund_confirm", code != NULL ? code : "");
}

int
refund_withdraw(struct act *act, const char *id)
{
	return settle(act, id, "order.refund_withdraw", NULL);
}
