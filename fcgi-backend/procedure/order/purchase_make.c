/*
 * How an order is made, and who is invoiced for it.
 */
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "payments/tariff.h"
#include "procedure/application/anew.h"
#include "procedure/clock/deadline.h"
#include "procedure/datakey.h"
#include "procedure/order/purchase.h"
#include "procedure/policy.h"

#define EXPIRES_S	(7 * 86400)
#define CONSUMER_MAX	5000	/* cents: above, the tax authority wants a buyer with a name */

static const struct db_stmt number = { "purchase_number", "select nextval('icert.purchase_number')" };
static const struct db_stmt add = { "purchase_add",
	"insert into icert.purchase (id, number, state, contact_id, key_id, tariff_id, container, kind, years, net, tax, total,"
	" tax_bp, currency, billing, once, created_at, state_since, expires_at, origin_id, ruc, buyer_hash)"
	" values ($1, $2, 'created', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17, $18, $19, $20)" };
static const struct db_stmt correct = { "purchase_correct",
	"update icert.purchase set billing = $2, buyer_hash = $3, version = version + 1 where id = $1 and state in ('created', 'pending')" };
static const struct db_stmt by_once = { "purchase_by_once",
	"select id from icert.purchase where contact_id = $1 and once = $2" };

/* Who is invoiced, as it is kept of an order: sealed, and what it is found by. */
struct buyer {
	struct buf	sealed;
	uint8_t		hash[32];
	int		named;		/* the final consumer has no number */
};

static int
buyer_make(struct act *act, const char *order, const struct billing *billing, const uint8_t *key, struct buyer *out)
{
	struct buf plain = BUF_INIT;
	char place[80];
	int error = 0;

	*out = (struct buyer){ .sealed = BUF_INIT, .named = strcmp(billing->id_kind, "consumer") != 0 };
	snprintf(place, sizeof place, "purchase|billing|%s", order);
	if ((!out->named || (error = keeper_lookup(act->keeper, "person", billing->id_number, out->hash)) == 0) &&
	    (error = billing_write(billing, &plain)) == 0)
		error = seal_field(key, place, plain.p, plain.len, &out->sealed);
	bytes_wipe(plain.p, plain.len);
	buf_free(&plain);
	return error;
}

#define BUYER_HASH(b)	((b)->named ? P_BYTES((b)->hash, sizeof (b)->hash) : P_NULL)

/* The row of a new order, everything else of p being set. */
static int
insert(struct act *act, struct purchase *p, const uint8_t *key, const char *once)
{
	struct buyer b;
	int error = buyer_make(act, p->id, &p->billing, key, &b);

	if (error == 0)
		error = DB_QUERY(act->db, &add, NULL, P_TEXT(p->id), P_TEXT(p->number), P_TEXT(p->contact), P_TEXT(p->key),
		    P_TEXT(p->tariff), P_TEXT(p->container), P_TEXT(p->kind), P_INT(p->years), P_INT(p->net), P_INT(p->tax),
		    P_INT(p->total), P_INT(p->tax_bp), P_TEXT(p->currency), P_BYTES(b.sealed.p, b.sealed.len), P_TEXT(once),
		    P_INT(p->created_at), P_INT(p->expires_at), P_TEXT(p->origin[0] != '\0' ? p->origin : NULL), P_TEXT(p->ruc), BUYER_HASH(&b));
	buf_free(&b.sealed);
	return error;
}

/* The tax authority's rule for who is not named. */
static int
too_much_for_nobody(struct act *act, const struct billing *b, int64_t total)
{
	return strcmp(b->id_kind, "consumer") == 0 && total > policy_int(act, "invoice.consumer_max", CONSUMER_MAX);
}

static int
priced(struct act *act, struct purchase *p, const char *tariff)
{
	struct tariff_item item;
	struct tariff_total total;
	int error;

	p->created_at = clock_business();
	if ((error = tariff_get(act->db, p->created_at, tariff, &item)) != 0 ||
	    (error = tariff_total(item.net, item.tax_bp, &total)) != 0)
		return error;
	snprintf(p->tariff, sizeof p->tariff, "%s", item.id);
	snprintf(p->container, sizeof p->container, "%s", item.container);
	snprintf(p->kind, sizeof p->kind, "%s", item.kind);
	snprintf(p->ruc, sizeof p->ruc, "%s", item.ruc);
	snprintf(p->currency, sizeof p->currency, "%s", item.currency);
	p->years = item.years;
	p->tax_bp = item.tax_bp;
	p->net = total.net;
	p->tax = total.tax;
	p->total = total.total;
	if (too_much_for_nobody(act, &p->billing, p->total))
		return ICERT_E_TOO_LARGE;
	p->expires_at = p->created_at + policy_int(act, "purchase.expires", EXPIRES_S);
	return 0;
}

static int
create(struct act *act, struct purchase *p, const char *tariff, const char *once)
{
	struct db_result *r = NULL;
	uint8_t key[DATAKEY_BYTES];
	int error;

	if ((error = priced(act, p, tariff)) != 0 || (error = anew_may(act, p->origin, p->container, p->kind)) != 0 ||
	    (error = db_query(act->db, &number, NULL, 0, &r)) != 0)
		return error;
	number_purchase(p->created_at, db_int(r, 0, 0), p->number);
	db_result_free(r);
	if ((error = id_new(p->id)) != 0 || (error = datakey_new(act, "order", p->key, key)) != 0)
		return error;
	if ((error = insert(act, p, key, once)) == 0 &&
	    (error = deadline_add(act, DEADLINE_PURCHASE_EXPIRE, "purchase", p->id, NULL, p->expires_at)) == 0 &&
	    (error = purchase_mail(act, p, key, MAIL_ORDER_CREATED, "created")) == 0)
		error = act_audit(act, "order.created", "order", p->id, NULL, 0, NULL, NULL);
	bytes_wipe(key, sizeof key);
	return error;
}

int
purchase_create(struct act *act, const char *tariff, const struct billing *billing, const char *origin, const char *once,
    char id[ID_TEXT])
{
	struct billing_fault faults[BILLING_FAULTS_MAX];
	struct db_result *r = NULL;
	struct purchase p;
	int error;

	memset(&p, 0, sizeof p);
	p.billing = *billing;
	if (!(act->roles & BY_APPLICANT))
		return ICERT_E_DENIED;
	if (!id_valid(tariff) || once[0] == '\0' || billing_check(&p.billing, faults) > 0)
		return ICERT_E_INVALID;
	snprintf(p.contact, sizeof p.contact, "%s", act->id);
	snprintf(p.origin, sizeof p.origin, "%s", origin != NULL ? origin : "");
	for (int again = 0; again < 2; again++) {
		if ((error = act_begin(act)) != 0 ||
		    (error = DB_QUERY(act->db, &by_once, &r, P_TEXT(p.contact), P_TEXT(once))) != 0)
			break;
		if (db_rows(r) > 0) {
			snprintf(id, ID_TEXT, "%s", db_text(r, 0, 0));
			db_result_free(r);
			return db_commit(act->db);
		}
		db_result_free(r);
		if ((error = create(act, &p, tariff, once)) == 0 && (error = db_commit(act->db)) == 0) {
			snprintf(id, ID_TEXT, "%s", p.id);
			return 0;
		}
		db_rollback(act->db);
		/* The same form sent twice at the same moment. */
		if (error != ICERT_E_EXISTS)
			break;
	}
	db_rollback(act->db);
	return error;
}

int
purchase_made(struct act *act, const char *once, char id[ID_TEXT])
{
	struct db_result *r;
	int error;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &by_once, &r, P_TEXT(act->id), P_TEXT(once))) != 0)
		return error;
	if (db_rows(r) == 1)
		snprintf(id, ID_TEXT, "%s", db_text(r, 0, 0));
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

static int
corrected(struct act *act, const struct purchase *p, const struct buyer *b)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &correct, &r, P_TEXT(p->id), P_BYTES(b->sealed.p, b->sealed.len), BUYER_HASH(b))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_STATE;
	db_result_free(r);
	return error;
}

int
purchase_correct(struct act *act, const struct purchase *p, const struct billing *billing)
{
	struct billing_fault faults[BILLING_FAULTS_MAX];
	struct billing checked = *billing;
	struct buyer b = { .sealed = BUF_INIT };
	uint8_t key[DATAKEY_BYTES];
	int error;

	if (!(act->roles & BY_APPLICANT))
		return ICERT_E_DENIED;
	if (billing_check(&checked, faults) > 0)
		return ICERT_E_INVALID;
	if ((error = act_begin(act)) != 0)
		return error;
	if (too_much_for_nobody(act, &checked, p->total))
		error = ICERT_E_TOO_LARGE;
	else if ((error = datakey_open(act, p->key, key)) == 0) {
		if ((error = buyer_make(act, p->id, &checked, key, &b)) == 0 && (error = corrected(act, p, &b)) == 0 &&
		    (error = act_audit(act, "order.billing", "order", p->id, NULL, 0, NULL, NULL)) == 0)
			error = db_commit(act->db);
		bytes_wipe(key, sizeof key);
		buf_free(&b.sealed);
	}
	if (error != 0)
		db_rollback(act->db);
	return error;
}
