/* The clerk's hand: what two people decided to give back is asked of the gateway. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/datakey.h"
#include "procedure/mailing.h"
#include "procedure/order/dispute.h"
#include "procedure/order/inquiry.h"
#include "procedure/order/invoicing.h"
#include "procedure/order/refund.h"
#include "procedure/order/transfer.h"

#define RETRY_S		30
#define RETRY_MAX_S	3600

/* Taken with its next try pushed away: a crash after this only asks again, under the same key.  What a bank holds in dispute waits for the
 * dispute's end: it may take the money itself. */
static const struct db_stmt take = { "refund_take",
	"update icert.refund set tries = tries + 1, next_try_at = $1 + least($2::bigint << least(tries, 12), $3::bigint) where id = (select id"
	" from icert.refund q where state = 'confirmed' and next_try_at <= $1 and not (own and exists (select from icert.purchase p"
	" where p.id = q.purchase_id and p.state = 'disputed')) and not exists (select from icert.payment y where y.id = q.payment_id and" DISPUTE_LIVES("y") ")"
	" order by next_try_at limit 1 for update skip locked)"
	" returning id, purchase_id, payment_id, own, cents, currency" };
static const struct db_stmt around = { "refund_around",
	"select p.number, p.contact_id, p.key_id, k.wrapped, y.gateway, y.gateway_payment from icert.purchase p"
	" join icert.data_key k on k.id = p.key_id join icert.payment y on y.id = $2 where p.id = $1" };
static const struct db_stmt returned = { "refund_returned",
	"update icert.purchase set state = 'refunded', version = version + 1, state_since = $2"
	" where id = $1 and state in ('paid', 'used', 'refunding', 'disputed')" };
static const struct db_stmt end = { "refund_end",
	"update icert.refund set state = $2, gateway_refund = $3, outcome = $4, ended_at = $5 where id = $1 and state = 'confirmed'" };

struct given {
	char	id[ID_TEXT], order[ID_TEXT], conclusion[ID_TEXT], number[NUMBER_TEXT], contact[ID_TEXT], key_id[ID_TEXT];
	char	gateway[GATEWAY_NAME], payment[GATEWAY_ID], currency[4];
	uint8_t	key[DATAKEY_BYTES];
	int64_t	cents;
	int	own;
};

static int
take_one(struct act *act, struct given *g)
{
	struct db_result *r;
	const uint8_t *wrapped;
	size_t n;
	int error;

	memset(g, 0, sizeof *g);
	if ((error = DB_QUERY(act->db, &take, &r, P_INT(clock_real()), P_INT(RETRY_S), P_INT(RETRY_MAX_S))) != 0)
		return error;
	if (db_rows(r) == 0) {
		db_result_free(r);
		return ICERT_E_NOT_FOUND;
	}
	snprintf(g->id, sizeof g->id, "%s", db_text(r, 0, 0));
	snprintf(g->order, sizeof g->order, "%s", db_text(r, 0, 1));
	snprintf(g->conclusion, sizeof g->conclusion, "%s", db_text(r, 0, 2));
	g->own = db_bool(r, 0, 3);
	g->cents = db_int(r, 0, 4);
	snprintf(g->currency, sizeof g->currency, "%s", db_text(r, 0, 5));
	db_result_free(r);
	if ((error = DB_QUERY(act->db, &around, &r, P_TEXT(g->order), P_TEXT(g->conclusion))) != 0)
		return error;
	if (db_rows(r) == 1) {
		snprintf(g->number, sizeof g->number, "%s", db_text(r, 0, 0));
		snprintf(g->contact, sizeof g->contact, "%s", db_text(r, 0, 1));
		snprintf(g->key_id, sizeof g->key_id, "%s", db_text(r, 0, 2));
		wrapped = db_bytes(r, 0, 3, &n);
		error = datakey_unwrap(act, wrapped, n, g->key);
		snprintf(g->gateway, sizeof g->gateway, "%s", db_text(r, 0, 4));
		snprintf(g->payment, sizeof g->payment, "%s", db_text(r, 0, 5));
	} else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

static int
tell(struct act *act, const struct given *g, int done)
{
	const struct mailing m = { .contact = g->contact, .purchase = g->order, .number = g->number, .key_id = g->key_id, .key = g->key };
	char total[24], dedup[GATEWAY_ID + 24];
	struct outbox_variable variables[] = { { "total", total }, { "currency", g->currency }, { "again", g->own ? "" : "yes" } };

	snprintf(total, sizeof total, "%" PRId64, g->cents);
	/* The gateway's own notification may have told of it already. */
	if (done && g->own)
		snprintf(dedup, sizeof dedup, "refunded:%s", g->payment);
	else
		snprintf(dedup, sizeof dedup, "refund_%s:%s", done ? "done" : "failed", g->id);
	return done ? mailing_contact(act, &m, MAIL_REFUNDED, variables, sizeof variables / sizeof variables[0], dedup, NULL) :
	    mailing_national(act, &m, "refund_failed", dedup);
}

/* What the gateway answered, made true. */
static int
ended(struct act *act, const struct given *g, const char *refund, int refused)
{
	int done = refused == 0, error;

	if ((error = act_begin(act)) == 0 &&
	    (error = DB_QUERY(act->db, &end, NULL, P_TEXT(g->id), P_TEXT(done ? "done" : "failed"), P_TEXT(refund),
	    P_TEXT(done ? "" : icert_err_code(refused)), P_INT(clock_business()))) == 0 &&
	    (!done || !g->own || ((error = DB_QUERY(act->db, &returned, NULL, P_TEXT(g->order), P_INT(clock_business()))) == 0 &&
	    (error = invoicing_returned(act, g->order)) == 0)) &&
	    (error = tell(act, g, done)) == 0 &&
	    (error = act_audit(act, done ? "order.refund_done" : "order.refund_failed", "order", g->order, NULL, 0,
	    done ? NULL : icert_err_code(refused), NULL)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

/* Perhaps because it went back there already, or a bank holds it: what the gateway says of it is made true. */
static int
refused(struct act *act, struct settlement *settlement, const struct given *g, int why)
{
	struct gateway_payment answer;
	enum payment_verdict verdict;
	int error = ended(act, g, "", why), asked;

	if (error == 0 && (asked = settlement_ask_one(act, settlement, g->gateway, g->payment, &answer, &verdict)) != 0)
		log_warn("refund_unasked", "gateway %s: %s", g->gateway, icert_err_code(asked));
	return error;
}

static int
give_one(struct act *act, struct settlement *settlement, const struct given *g)
{
	struct gateway *gateway = settlement_gateway(settlement, g->gateway);
	struct gateway_refund_request ask = { .refund = g->id, .payment = g->payment, .cents = g->cents, .currency = g->currency };
	char refund[GATEWAY_ID] = "";
	int error, pending = 0;

	/* No gateway has that money: two people have said that the bank was told to return it. */
	if (strcmp(g->gateway, TRANSFER_GATEWAY) == 0)
		return ended(act, g, "", 0);
	if (gateway == NULL || settlement_rests(settlement, g->gateway))
		return ICERT_E_UNAVAILABLE;
	error = inquiry_refund(act, gateway, g->gateway, g->order, &ask, refund, &pending);
	settlement_heard(settlement, g->gateway, error);
	if (error == ICERT_E_DENIED || error == ICERT_E_NOT_FOUND)
		return refused(act, settlement, g, error);
	return error != 0 ? error : pending ? ICERT_E_BUSY : ended(act, g, refund, 0);
}

int
refund_give(struct act *act, struct settlement *settlement, size_t most, size_t *done)
{
	struct given g;
	int error = 0;

	*done = 0;
	for (size_t i = 0; i < most; i++) {
		if ((error = act_begin(act)) != 0)
			break;
		if ((error = take_one(act, &g)) != 0 || (error = db_commit(act->db)) != 0) {
			db_rollback(act->db);
			break;
		}
		error = give_one(act, settlement, &g);
		bytes_wipe(g.key, sizeof g.key);
		if (error == 0)
			(*done)++;
		else
			log_warn("refund_waits", "gateway %s: %s", g.gateway, icert_err_code(error));
		/* It waits for its next try; the others need not. */
		error = 0;
	}
	return error == ICERT_E_NOT_FOUND ? 0 : error;
}
