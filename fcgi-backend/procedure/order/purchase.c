#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/mailing.h"
#include "procedure/order/checkout.h"
#include "procedure/order/purchase.h"
#include "procedure/order/received.h"
#include "procedure/order/transfer.h"

#define PAGE		50

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

static const struct db_stmt get = { "purchase_get", WITH_CASE " where p.id = $1" };
static const struct db_stmt list = { "purchase_list",
	WITH_CASE " where $3::text is null or p.state = $3 order by p.created_at desc, p.id limit $1 offset $2" };
static const struct db_stmt some = { "purchase_some",
	WITH_CASE " where p.id = any(string_to_array(rtrim($1), ' ')::uuid[]) order by p.created_at desc, p.id limit $2" };
/* Another checkout takes the place of one that was refused, or has lapsed. */
static const struct db_stmt pending = { "purchase_pending",
	"with behind as (" CHECKOUT_LEFT("$1", "$2", "$3", "$4", "and (was.gateway, was.gateway_payment) = ($6, $7)") ") update icert.purchase set state = 'pending', version = version + 1, state_since = $4, gateway = $2,"
	" gateway_payment = $3, gateway_url = $5 where id = $1 and state in ('created', 'pending')"
	" and (coalesce(gateway, ''), coalesce(gateway_payment, '')) = ($6, $7) and (gateway, gateway_payment) is distinct from ($2, $3)" };
static const struct db_stmt checkout = { "purchase_checkout",
	"select gateway_payment, gateway_url from icert.purchase where id = $1 and state = 'pending' and gateway_payment is not null" };
static const struct db_stmt heard = { "purchase_heard",
	"select y.verdict from icert.purchase p join icert.payment y on y.purchase_id = p.id and y.gateway = p.gateway"
	" and y.gateway_payment = p.gateway_payment where p.id = $1 and p.state = 'pending' and y.verdict in ('pending', 'reject')"
	" order by y.at desc, y.verdict desc limit 1" };
/* What waits to go back first; what the gateway itself gave back is no longer there. */
#define WENT_BACK(y) \
	" (exists (select from icert.payment o where o.gateway = " y ".gateway and o.gateway_payment = " y ".gateway_payment and o.verdict = 'refunded')" \
	" or exists (select from icert.refund q where q.payment_id = " y ".id and q.state = 'done'))"
static const struct db_stmt excess = { "purchase_excess",
	"select y.verdict, b.back from icert.payment y cross join lateral (select" WENT_BACK("y") " as back) b where y.purchase_id = $1"
	" and y.gateway <> '" TRANSFER_GATEWAY "' and y.verdict in ('again', 'late', 'mismatch') and" RECEIVED("y")
	" order by b.back, y.at desc, y.verdict limit 1" };
/* Due at once, unless the gateway was asked a moment ago. */
static const struct db_stmt soon = { "purchase_ask_soon",
	"with due as (update icert.purchase set asked_at = null where id = $1 and state = 'pending' and asked_at <= $2 returning id)"
	" select pg_notify('icert_payment', '') from due" };
#define BACK_ASK_S 30            /* gateways take few questions a minute; a page that is loaded again is no reason for one */
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
purchase_some(struct act *act, const char *ids, struct purchase *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &some, &r, P_TEXT(ids),
	    P_INT((int64_t)(room < PAGE ? room : PAGE)))) != 0)
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
purchase_excess(struct act *act, const char *id, char out[PURCHASE_EXCESS], int *back)
{
	struct db_result *r;
	int error;

	out[0] = '\0';
	*back = 0;
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &excess, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1) {
		snprintf(out, PURCHASE_EXCESS, "%s", db_text(r, 0, 0));
		*back = db_bool(r, 0, 1);
	}
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
