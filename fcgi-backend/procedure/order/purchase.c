#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "payments/tariff.h"
#include "procedure/application/anew.h"
#include "procedure/datakey.h"
#include "procedure/clock/deadline.h"
#include "procedure/mailing.h"
#include "procedure/policy.h"
#include "procedure/order/purchase.h"
#include "procedure/order/received.h"
#include "procedure/order/transfer.h"
#include "procedure/trouble.h"

#define EXPIRES_S	(7 * 86400)
#define PAGE		50
#define CONSUMER_MAX	5000	/* cents: above, the tax authority wants a buyer with a name */

#define COLUMNS \
	"p.id, p.number, p.state, p.version, p.contact_id, p.key_id, p.tariff_id, p.container, p.kind, p.years, p.net, p.tax," \
	" p.total, p.tax_bp, p.currency, p.gateway, p.gateway_payment, p.created_at, p.expires_at, p.paid_at, p.ruc"
enum {
	COL_ID, COL_NUMBER, COL_STATE, COL_VERSION, COL_CONTACT, COL_KEY, COL_TARIFF, COL_CONTAINER, COL_KIND, COL_YEARS,
	COL_NET, COL_TAX, COL_TOTAL, COL_TAX_BP, COL_CURRENCY, COL_GATEWAY, COL_PAYMENT, COL_CREATED, COL_EXPIRES, COL_PAID, COL_RUC,
	COL_APPLICATION, COL_BILLING, COL_WRAPPED
};

#define WITH_CASE \
	"select " COLUMNS ", a.id, p.billing, k.wrapped from icert.purchase p join icert.data_key k on k.id = p.key_id" \
	" left join icert.application a on a.purchase_id = p.id and a.state <> 'removed'"

static const struct db_stmt number = { "purchase_number", "select nextval('icert.purchase_number')" };
static const struct db_stmt add = { "purchase_add",
	"insert into icert.purchase (id, number, state, contact_id, key_id, tariff_id, container, kind, years, net, tax, total,"
	" tax_bp, currency, billing, once, created_at, state_since, expires_at, origin_id, ruc)"
	" values ($1, $2, 'created', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17, $18, $19)" };
static const struct db_stmt by_once = { "purchase_by_once",
	"select id from icert.purchase where contact_id = $1 and once = $2" };
static const struct db_stmt get = { "purchase_get", WITH_CASE " where p.id = $1" };
static const struct db_stmt list = { "purchase_list",
	WITH_CASE " where $3::text is null or p.state = $3 order by p.created_at desc, p.id limit $1 offset $2" };
static const struct db_stmt search = { "purchase_search",
	WITH_CASE " where p.number = upper($1) or p.gateway_payment = $1 or p.id = (select y.purchase_id from icert.payment y"
	" where y.gateway_payment = $1 limit 1) or p.id = any(array(select i.purchase_id from icert.invoice i where i.serial = $1 or i.access_key = $1))"
	" or p.contact_id = (select c.id from icert.contact c where c.email_hash = $2)"
	" order by p.created_at desc, p.id limit $3" };
static const struct db_stmt pending = { "purchase_pending",
	"update icert.purchase set state = 'pending', version = version + 1, state_since = $4, gateway = $2,"
	" gateway_payment = $3, gateway_url = $5 where id = $1 and state in ('created', 'pending')"
	" and (coalesce(gateway, ''), coalesce(gateway_payment, '')) = ($6, $7) and (gateway, gateway_payment) is distinct from ($2, $3)" };
static const struct db_stmt checkout = { "purchase_checkout",
	"select gateway_payment, gateway_url from icert.purchase where id = $1 and state = 'pending' and gateway_payment is not null" };
static const struct db_stmt heard = { "purchase_heard",
	"select y.verdict from icert.purchase p join icert.payment y on y.purchase_id = p.id and y.gateway = p.gateway"
	" and y.gateway_payment = p.gateway_payment where p.id = $1 and p.state = 'pending' and y.verdict in ('pending', 'reject')"
	" order by y.at desc, y.verdict desc limit 1" };
/* What the gateway itself gave back is no longer there. */
static const struct db_stmt excess = { "purchase_excess",
	"select y.verdict from icert.payment y where y.purchase_id = $1 and y.gateway <> '" TRANSFER_GATEWAY "' and y.verdict in ('again', 'late', 'mismatch')"
	" and not exists (select from icert.payment o where o.gateway = y.gateway and o.gateway_payment = y.gateway_payment and o.verdict = 'refunded')"
	" and" RECEIVED("y") " order by y.at desc, y.verdict limit 1" };
/* Due at once, unless the gateway was asked a moment ago. */
static const struct db_stmt soon = { "purchase_ask_soon",
	"with due as (update icert.purchase set asked_at = null where id = $1 and state = 'pending' and asked_at <= $2 returning id)"
	" select pg_notify('icert_payment', '') from due" };
/* Payers pay soon, and there are gateways that give back after five minutes what nobody has asked them about. */
#define PAYING_S 1200
#define PAYING_ASK_S 120
#define BACK_ASK_S 30            /* gateways take few questions a minute; a page that is loaded again is no reason for one */
static const struct db_stmt unsure = { "purchase_unsure",
	"select " COLUMNS " from icert.purchase p where p.state = 'pending' and coalesce(p.asked_at, p.state_since)"
	" + least(greatest(coalesce(p.asked_at, p.state_since) - p.state_since, $4), case when $1 - p.state_since < $6 then $7::bigint else $5::bigint end) <= $1"
	" and not exists (select from icert.payment y where y.gateway = p.gateway and y.gateway_payment = p.gateway_payment"
	" and y.verdict = 'reject') and p.gateway <> all (string_to_array($8, ' ')) and" TROUBLE_RESTS_NOT("ask", "p.id::text", "$3")
	" order by coalesce(p.asked_at, p.state_since) limit $2" };

static void
fill(struct purchase *p, struct db_result *r, int row)
{
	memset(p, 0, sizeof *p);
	snprintf(p->id, sizeof p->id, "%s", db_text(r, row, COL_ID));
	snprintf(p->number, sizeof p->number, "%s", db_text(r, row, COL_NUMBER));
	snprintf(p->state, sizeof p->state, "%s", db_text(r, row, COL_STATE));
	p->version = (int)db_int(r, row, COL_VERSION);
	snprintf(p->contact, sizeof p->contact, "%s", db_text(r, row, COL_CONTACT));
	snprintf(p->key, sizeof p->key, "%s", db_text(r, row, COL_KEY));
	snprintf(p->tariff, sizeof p->tariff, "%s", db_text(r, row, COL_TARIFF));
	snprintf(p->container, sizeof p->container, "%s", db_text(r, row, COL_CONTAINER));
	snprintf(p->kind, sizeof p->kind, "%s", db_text(r, row, COL_KIND));
	p->years = (int)db_int(r, row, COL_YEARS);
	p->net = db_int(r, row, COL_NET);
	p->tax = db_int(r, row, COL_TAX);
	p->total = db_int(r, row, COL_TOTAL);
	p->tax_bp = (int)db_int(r, row, COL_TAX_BP);
	snprintf(p->currency, sizeof p->currency, "%s", db_text(r, row, COL_CURRENCY));
	snprintf(p->gateway, sizeof p->gateway, "%s", db_text(r, row, COL_GATEWAY));
	snprintf(p->gateway_payment, sizeof p->gateway_payment, "%s", db_text(r, row, COL_PAYMENT));
	p->created_at = db_int(r, row, COL_CREATED);
	p->expires_at = db_int(r, row, COL_EXPIRES);
	p->paid_at = db_int(r, row, COL_PAID);
	snprintf(p->ruc, sizeof p->ruc, "%s", db_text(r, row, COL_RUC));
	snprintf(p->application, sizeof p->application, "%s", db_text(r, row, COL_APPLICATION));
}

static int
open_billing(struct act *act, struct purchase *p, struct db_result *r, int row)
{
	struct buf plain = BUF_INIT;
	uint8_t key[DATAKEY_BYTES];
	const uint8_t *bytes;
	char place[80];
	size_t n;
	int error;

	bytes = db_bytes(r, row, COL_WRAPPED, &n);
	if ((error = datakey_unwrap(act, bytes, n, key)) != 0)
		return error;
	snprintf(place, sizeof place, "purchase|billing|%s", p->id);
	bytes = db_bytes(r, row, COL_BILLING, &n);
	if ((error = open_field(key, place, bytes, n, &plain)) == 0)
		error = billing_read(&p->billing, plain.p, plain.len);
	bytes_wipe(key, sizeof key);
	buf_free(&plain);
	return error;
}

int
purchase_mail(struct act *act, const struct purchase *p, const uint8_t *key, enum mail_template template,
    const char *dedup)
{
	char years[8], total[24], until[MAILING_MOMENT];
	struct outbox_variable variables[] = {
		{ "container", p->container }, { "kind", p->kind }, { "years", years }, { "total", total },
		{ "currency", p->currency }, { "until", mailing_moment(p->expires_at, until) },
	};
	struct mailing m = { .contact = p->contact, .purchase = p->id, .number = p->number, .key_id = p->key, .key = key };

	snprintf(years, sizeof years, "%d", p->years);
	snprintf(total, sizeof total, "%" PRId64, p->total);
	return mailing_contact(act, &m, template, variables, sizeof variables / sizeof variables[0], dedup, NULL);
}

/* The row of a new order, everything else of p being set. */
static int
insert(struct act *act, struct purchase *p, const uint8_t *key, const char *once)
{
	struct buf plain = BUF_INIT, sealed = BUF_INIT;
	char place[80];
	int error;

	snprintf(place, sizeof place, "purchase|billing|%s", p->id);
	if ((error = billing_write(&p->billing, &plain)) == 0 &&
	    (error = seal_field(key, place, plain.p, plain.len, &sealed)) == 0)
		error = DB_QUERY(act->db, &add, NULL, P_TEXT(p->id), P_TEXT(p->number), P_TEXT(p->contact), P_TEXT(p->key),
		    P_TEXT(p->tariff), P_TEXT(p->container), P_TEXT(p->kind), P_INT(p->years), P_INT(p->net), P_INT(p->tax),
		    P_INT(p->total), P_INT(p->tax_bp), P_TEXT(p->currency), P_BYTES(sealed.p, sealed.len), P_TEXT(once),
		    P_INT(p->created_at), P_INT(p->expires_at), P_TEXT(p->origin[0] != '\0' ? p->origin : NULL), P_TEXT(p->ruc));
	buf_free(&plain);
	buf_free(&sealed);
	return error;
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
	if (strcmp(p->billing.id_kind, "consumer") == 0 && p->total > policy_int(act, "invoice.consumer_max", CONSUMER_MAX))
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
purchase_get(struct act *act, const char *id, struct purchase *p)
{
	struct db_result *r;
	int error;

	memset(p, 0, sizeof *p);
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &get, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		fill(p, r, 0);
		error = open_billing(act, p, r, 0);
	}
	db_result_free(r);
	return error;
}

int
purchase_list(struct act *act, const char *state, int offset, struct purchase *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &list, &r, P_INT((int64_t)(room < PAGE ? room : PAGE)), P_INT(offset),
	    P_TEXT(state))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

int
purchase_search(struct act *act, const char *text, struct purchase *rows, size_t *n)
{
	uint8_t hash[32];
	struct db_result *r;
	size_t room = *n;
	int error, mailbox = strchr(text, '@') != NULL;

	*n = 0;
	if (mailbox && (error = keeper_lookup(act->keeper, "email", text, hash)) != 0)
		return error == ICERT_E_INVALID || error == ICERT_E_TOO_LARGE ? 0 : error;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &search, &r, P_TEXT(text),
	    mailbox ? P_BYTES(hash, sizeof hash) : P_NULL, P_INT((int64_t)(room < PAGE ? room : PAGE)))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

int
purchase_pending(struct act *act, const struct purchase *p, const char *gateway, const struct gateway_checkout *given)
{
	struct db_result *r;
	int error, changed;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &pending, &r, P_TEXT(p->id), P_TEXT(gateway),
	    P_TEXT(given->id), P_INT(clock_business()), P_TEXT(given->url), P_TEXT(p->gateway),
	    P_TEXT(p->gateway_payment))) != 0)
		goto fail;
	changed = db_affected(r) == 1;
	db_result_free(r);
	if (changed && (error = act_audit(act, "order.pending", "order", p->id, NULL, 0, NULL, NULL)) != 0)
		goto fail;
	return db_commit(act->db);
fail:
	db_rollback(act->db);
	return error;
}

int
purchase_checkout(struct act *act, const char *id, struct gateway_checkout *out)
{
	struct db_result *r;
	int error;

	memset(out, 0, sizeof *out);
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &checkout, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		snprintf(out->id, sizeof out->id, "%s", db_text(r, 0, 0));
		snprintf(out->url, sizeof out->url, "%s", db_text(r, 0, 1));
	}
	db_result_free(r);
	return error;
}

int
purchase_heard(struct act *act, const char *id)
{
	struct db_result *r;
	int error, said = 0;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &heard, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		said = strcmp(db_text(r, 0, 0), "reject") == 0 ? PURCHASE_REFUSED : PURCHASE_CHECKING;
	db_result_free(r);
	return said;
}

int
purchase_excess(struct act *act, const char *id, char out[PURCHASE_EXCESS])
{
	struct db_result *r;
	int error;

	out[0] = '\0';
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &excess, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		snprintf(out, PURCHASE_EXCESS, "%s", db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

int
purchase_ask_soon(struct act *act, const char *id)
{
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0)
		return error;
	return DB_QUERY_COMMIT(act->db, &soon, NULL, P_TEXT(id), P_INT(clock_business() - BACK_ASK_S));
}

int
purchase_unsure(struct act *act, int64_t first, int64_t most, const char *resting, struct purchase *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = DB_QUERY(act->db, &unsure, &r, P_INT(clock_business()), P_INT((int64_t)room), P_INT(clock_real()), P_INT(first),
	    P_INT(most), P_INT(PAYING_S), P_INT(PAYING_ASK_S), P_TEXT(resting))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}
