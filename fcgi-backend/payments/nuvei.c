/*
 * Nuvei in Ecuador, which was Paymentez (developers.paymentez.com): a link to pay for each checkout (LinkToPay), notifications whose stoken
 * is the MD5 of transaction, application, user and key, and over neither state, amount nor currency: they are hints, and the transaction
 * is asked about.  A checkout is "<order>-<begun>:L:<link>" to us, and what is paid in it "<order>-<begun>:T:<transaction>": a second payment
 * in one link is a payment of its own.  Charges in dollars alone, so a transaction that names no currency is one in dollars.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "payments/gateway_adapter.h"

#define SECRET_MIN 16
#define REFERENCE 48             /* "<order>-<begun>", their dev_reference */
#define NUMBER 40                /* of a transaction or a link, with the NUL */
#define MD5 16
#define LINK_S 3600              /* a link can be paid for so long, */
#define LINK_REST_S 600          /* and a card that was being charged then has this */
#define NOTICE "transaction:"    /* before the transaction of a notification */
#define TRANSACTIONS_MAX 16      /* of one link that are asked about */

static int
nuvei_secret(const char *text, struct gateway_secret *out)
{
	return gateway_secret_text(text, SECRET_MIN, out);
}

/* Letters, digits and dashes: no underscore, so that what is signed one after the other cannot be read two ways. */
static int
plain(const char *text)
{
	return text[0] != '\0' && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

/* ---- notifications ---- */

struct signed_notice {
	char transaction[NUMBER], application[64], user[GATEWAY_ORDER], stoken[2 * MD5 + 1];
	char status[8], detail[8];
};

static int
notice_read(const json_t *json, struct signed_notice *out)
{
	const json_t *transaction = json_object_get(json, "transaction"), *user = json_object_get(json, "user");

	return gateway_text(transaction, "id", out->transaction, sizeof(out->transaction), 1) != 0 || !plain(out->transaction) ||
	    gateway_text(transaction, "application_code", out->application, sizeof(out->application), 1) != 0 ||
	    gateway_text(user, "id", out->user, sizeof(out->user), 1) != 0 || strlen(out->user) != GATEWAY_ORDER - 1 || !plain(out->user) ||
	    gateway_text(transaction, "stoken", out->stoken, sizeof(out->stoken), 0) != 0 ||
	    gateway_text_or_number(transaction, "status", out->status, sizeof(out->status), 1) != 0 ||
	    gateway_text_or_number(transaction, "status_detail", out->detail, sizeof(out->detail), 1) != 0 ? ICERT_E_MALFORMED : 0;
}

/* Under any secret, in constant time. */
static int
notice_holds(const struct gateway *gateway, const struct signed_notice *n, const uint8_t sent[MD5])
{
	uint8_t made[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT;
	unsigned len = 0;
	int holds = 0;

	for (size_t i = 0; i < gateway->n_secrets; i++) {
		buf_reset(&text);
		buf_printf(&text, "%s_%s_%s_", n->transaction, n->application, n->user);
		buf_put(&text, gateway->secret[i].key, gateway->secret[i].len);
		if (buf_error(&text) == 0 && EVP_Digest(text.p, text.len, made, &len, EVP_md5(), NULL) == 1 && len == MD5)
			holds |= bytes_equal(made, sent, MD5);
	}
	buf_free(&text);
	return holds;
}

static int
nuvei_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now, char event_id[GATEWAY_ID])
{
	json_t *json = gateway_json(notice->body, notice->len);
	struct signed_notice n;
	uint8_t sent[MD5];
	int error = ICERT_E_FORGED;

	(void)now;	/* no time is signed */
	if (notice_read(json, &n) == 0 && strlen(n.stoken) == 2 * MD5 && bytes_from_hex(sent, MD5, n.stoken) == 0 && notice_holds(gateway, &n, sent))
		error = 0;
	json_decref(json);
	/* Won disputes say what the payment said: only the whole body tells them apart. */
	if (error == 0)
		gateway_event_id(notice->body, notice->len, event_id);
	return error;
}

static int
nuvei_read(const void *body, size_t len, struct gateway_payment *out)
{
	json_t *json = gateway_json(body, len);
	struct signed_notice n;
	int error = notice_read(json, &n);

	if (error == 0 && (error = gateway_order_read(n.user, out->order)) == 0) {
		snprintf(out->id, sizeof(out->id), NOTICE "%s", n.transaction);
		/* Outside the signature, like the amount: a hint. */
		out->state = strcmp(n.status, "1") == 0 && strcmp(n.detail, "3") == 0 ? GATEWAY_APPROVED : GATEWAY_PENDING;
	}
	json_decref(json);
	return error;
}

/* ---- the API ---- */

/* base64("<code>;<Unix time>;<SHA-256 of key and time>"), good for seconds. */
static int
token_write(const struct gateway *gateway, int64_t now, struct buf *out)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT, plain_token = BUF_INIT;
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned len = 0;
	char *room;
	int error;

	buf_printf(&text, "%s%" PRId64, gateway_credential(gateway, "app_key"), now);
	if ((error = buf_error(&text)) == 0 && EVP_Digest(text.p, text.len, digest, &len, EVP_sha256(), NULL) != 1)
		error = ICERT_E_MEMORY;
	if (error == 0) {
		bytes_to_hex(hex, digest, len);
		buf_printf(&plain_token, "%s;%" PRId64 ";%s", gateway_credential(gateway, "application_code"), now, hex);
		error = buf_error(&plain_token);
	}
	if (error == 0 && (room = (char *)buf_room(out, plain_token.len * 4 / 3 + 5)) == NULL)
		error = ICERT_E_MEMORY;
	if (error == 0)
		buf_took(out, (size_t)EVP_EncodeBlock((uint8_t *)room, plain_token.p, (int)plain_token.len));
	buf_free(&text);
	buf_free(&plain_token);
	return error != 0 ? error : buf_error(out);
}

static int
nuvei_call(struct gateway *gateway, struct gateway_call *call, struct gateway_answer *answer)
{
	struct gateway_field headers[] = { { "Auth-Token", NULL }, { NULL, NULL } };
	struct buf token = BUF_INIT;
	int error = token_write(gateway, clock_real(), &token);

	memset(answer, 0, sizeof(*answer));
	if (error == 0) {
		headers[0].value = buf_str(&token);
		call->headers = headers;
		error = gateway_call(gateway, call, answer);
	} else
		json_decref(call->json);
	buf_free(&token);
	return error;
}

/* Links are opened at noccapi…, and transactions are asked about at ccapi… of the same domain. */
static const char *
transactions_base(const struct gateway *gateway, char out[256])
{
	const char *host = strstr(gateway->url, "//noccapi");

	if (host == NULL)
		return NULL;
	snprintf(out, 256, "%.*s//%s", (int)(host - gateway->url), gateway->url, host + strlen("//no"));
	return out;
}

static json_t *
link_request(const struct gateway *gateway, const struct gateway_checkout_request *request, const char *reference, const char *user)
{
	json_t *order = json_pack("{s:s,s:s,s:o,s:i,s:s,s:o,s:o,s:o}", "dev_reference", reference, "description", request->description,
	    "amount", gateway_amount_json(request->cents), "installments_type", 0, "currency", request->currency,
	    "vat", gateway_amount_json(request->tax), "taxable_amount", gateway_amount_json(request->tax > 0 ? request->net : 0),
	    "tax_percentage", gateway_amount_json(request->tax_bp));

	return order == NULL ? NULL : json_pack("{s:{s:s,s:s,s:s,s:s},s:o,s:{s:b,s:i,s:[s],s:s,s:s,s:s,s:s}}", "user", "id", user,
	    "email", gateway_credential(gateway, "contact_email"), "name", "Orden", "last_name", request->number, "order", order,
	    "configuration", "partial_payment", 0, "expiration_time", LINK_S, "allowed_payment_methods", "Card",
	    "success_url", request->return_url, "failure_url", request->return_url, "pending_url", request->return_url,
	    "review_url", request->return_url);
}

static int
nuvei_checkout(struct gateway *gateway, const struct gateway_checkout_request *request, struct gateway_checkout *out)
{
	/* A second one is a second link: not tried again here. */
	struct gateway_call call = { .path = "/linktopay/init_order/" };
	struct gateway_answer answer;
	char reference[REFERENCE], user[GATEWAY_ORDER], link[NUMBER];
	const json_t *data;
	int error;

	gateway_order_write(request->order, user);
	snprintf(reference, sizeof(reference), "%s-%" PRId64, user, clock_real());
	if ((call.json = link_request(gateway, request, reference, user)) == NULL)
		return ICERT_E_INVALID;
	error = nuvei_call(gateway, &call, &answer);
	data = json_object_get(answer.json, "data");
	if (error == 0 && (gateway_text_or_number(json_object_get(data, "order"), "id", link, sizeof(link), 1) != 0 || !gateway_id_ok(link) ||
	    strchr(link, ':') != NULL || gateway_text(json_object_get(data, "payment"), "payment_url", out->url, sizeof(out->url), 1) != 0))
		error = ICERT_E_MALFORMED;
	if (error == 0)
		snprintf(out->id, sizeof(out->id), "%s:L:%s", reference, link);
	json_decref(answer.json);
	return error;
}

/* ---- what became of it ---- */

struct transaction {
	char reference[REFERENCE], currency[4];
	enum { OPEN = 1, CHECKING, PAID, BACK, DISPUTED, RETURNING, REFUSED } state;
	int64_t cents, back;             /* back: of it, what went back */
};

#define PART 34                  /* status_detail of one of which a part went back, in Nuvei's own console */

/* Their status_detail, which is finer than their status. */
static int
state_read(int64_t detail)
{
	switch (detail) {
	case 0:
		return OPEN;
	case 1: case 30: case 31: case 32: case 35: case 36:
		return CHECKING;
	case 3: case PART:
		return PAID;
	case 7: case 29:
		return BACK;
	case 8:
		return DISPUTED;
	case 21: case 22: case 23: case 24: case 25: case 26: case 27: case 28:
		return RETURNING;
	}
	return REFUSED;
}

static int
reference_read(const char *reference, char order[GATEWAY_ID], int64_t *begun)
{
	char user[GATEWAY_ORDER];

	snprintf(user, sizeof(user), "%s", reference);
	return gateway_order_read(user, order) == 0 && reference[GATEWAY_ORDER - 1] == '-' && gateway_digits(reference + GATEWAY_ORDER, begun) ?
	    0 : ICERT_E_NOT_FOUND;
}

/* ICERT_E_NOT_FOUND: they know no such transaction, or it is none of ours. */
static int
transaction_ask(struct gateway *gateway, const char *id, struct transaction *out)
{
	char path[NUMBER + 32], base[256], named[NUMBER], detail[8], order[GATEWAY_ID];
	struct gateway_call call = { .path = path, .base = transactions_base(gateway, base) };
	struct gateway_answer answer;
	const json_t *transaction;
	int64_t number = 0, begun;
	int error;

	memset(out, 0, sizeof(*out));
	if (!plain(id) || strlen(id) >= NUMBER)
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/v2/transaction/%s", id);
	error = nuvei_call(gateway, &call, &answer);
	transaction = json_object_get(answer.json, "transaction");
	if (error == 0 && (gateway_text(transaction, "id", named, sizeof(named), 1) != 0 || strcmp(named, id) != 0 ||
	    gateway_text_or_number(transaction, "status_detail", detail, sizeof(detail), 1) != 0 || !gateway_digits(detail, &number) ||
	    gateway_cents(json_object_get(transaction, "amount"), &out->cents) != 0 ||
	    gateway_text(transaction, "currency", out->currency, sizeof(out->currency), 0) != 0))
		error = ICERT_E_MALFORMED;
	/* Of whatever else is charged with the same application. */
	if (error == 0 && (gateway_text(transaction, "dev_reference", out->reference, sizeof(out->reference), 1) != 0 ||
	    reference_read(out->reference, order, &begun) != 0))
		error = ICERT_E_NOT_FOUND;
	if (out->currency[0] == '\0')
		strcpy(out->currency, "USD");
	out->state = state_read(number);
	/* Of a part their documentation names no amount: a cent of it at least is not there. */
	out->back = out->state == BACK ? out->cents : number == PART;
	json_decref(answer.json);
	return error;
}

static void
transaction_state(const struct transaction *t, const char *id, struct gateway_payment *out)
{
	(void)reference_read(t->reference, out->order, &out->at);
	snprintf(out->id, sizeof(out->id), "%s:T:%s", t->reference, id);
	strcpy(out->currency, t->currency);
	out->cents = t->cents;
	out->times = t->state == PAID;
	out->refunded = t->back;
	/* A refused card is no refused checkout: the link waits for another. */
	out->state = t->state == PAID ? GATEWAY_APPROVED : t->state == BACK ? GATEWAY_REFUNDED : t->state == DISPUTED ? GATEWAY_DISPUTED :
	    GATEWAY_PENDING;
	out->checking = t->state == RETURNING || t->state == CHECKING;
}

/*
 * The transactions of a link; what the answer calls them is not documented well, and whoever does not answer at all (no such address) says
 * nothing against the payment.
 */
static int
link_ask(struct gateway *gateway, const char *link, struct gateway_answer *answer, const json_t **list)
{
	struct gateway_call call = { .path = "/linktopay/check_order/", .repeatable = 1 };
	const json_t *data;
	int error;

	*list = NULL;
	if ((call.json = json_pack("{s:s}", "order_id", link)) == NULL)
		return ICERT_E_INVALID;
	error = nuvei_call(gateway, &call, answer);
	if (error == ICERT_E_NOT_FOUND || (error == ICERT_E_DENIED && (answer->status == 400 || answer->status == 405)))
		return 0;
	data = json_object_get(answer->json, "data") != NULL ? json_object_get(answer->json, "data") : answer->json;
	*list = json_object_get(data, "transactions") != NULL ? json_object_get(data, "transactions") : json_object_get(data, "transaction");
	return error;
}

static int
link_query(struct gateway *gateway, const char *payment, const char *link, int64_t begun, struct gateway_payment *out)
{
	struct gateway_answer answer;
	struct transaction t;
	const json_t *list;
	char id[NUMBER];
	/* What went back stands for the link only where no other card of it has paid. */
	int error = link_ask(gateway, link, &answer, &list), waiting = 0, best = 0;
	size_t n = json_is_array(list) ? json_array_size(list) : list != NULL;

	if (n > TRANSACTIONS_MAX)
		error = ICERT_E_MALFORMED;
	for (size_t i = 0; error == 0 && i < n && best != PAID; i++) {
		if ((error = gateway_text(json_is_array(list) ? json_array_get(list, i) : list, "id", id, sizeof(id), 1)) != 0 ||
		    (error = transaction_ask(gateway, id, &t)) != 0)
			break;
		if (strncmp(payment, t.reference, strlen(t.reference)) != 0)
			error = ICERT_E_MALFORMED;
		else if (t.state == PAID || (best == 0 && (t.state == BACK || t.state == DISPUTED))) {
			transaction_state(&t, id, out);
			best = (int)t.state;
		}
		waiting |= t.state == CHECKING || t.state == RETURNING;
	}
	json_decref(answer.json);
	if (error == 0 && out->id[0] == '\0') {
		snprintf(out->id, sizeof(out->id), "%s", payment);
		out->at = begun;
		out->checking = waiting;
		out->state = waiting || clock_real() <= begun + LINK_S + LINK_REST_S ? GATEWAY_PENDING : GATEWAY_EXPIRED;
	}
	return error;
}

/* The transaction of "…:T:<transaction>", or NULL. */
static const char *
paid_id(const char *payment)
{
	const char *colon = strchr(payment, ':');

	return colon != NULL && strncmp(colon, ":T:", 3) == 0 ? colon + 3 : NULL;
}

static int
nuvei_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	const char *colon = strchr(payment, ':'), *paid = paid_id(payment);
	char reference[REFERENCE], order[GATEWAY_ID];
	struct transaction t;
	int64_t begun = 0;
	int error;

	if (strncmp(payment, NOTICE, strlen(NOTICE)) == 0) {
		if ((error = transaction_ask(gateway, payment + strlen(NOTICE), &t)) == 0)
			transaction_state(&t, payment + strlen(NOTICE), out);
		return error;
	}
	if (colon == NULL || colon - payment >= REFERENCE)
		return ICERT_E_INVALID;
	snprintf(reference, sizeof(reference), "%.*s", (int)(colon - payment), payment);
	if (reference_read(reference, order, &begun) != 0)
		return ICERT_E_INVALID;
	if (paid == NULL && strncmp(colon, ":L:", 3) == 0) {
		error = link_query(gateway, payment, colon + 3, begun, out);
		snprintf(out->order, sizeof(out->order), "%s", order);
		return error;
	}
	if (paid == NULL)
		return ICERT_E_INVALID;
	if ((error = transaction_ask(gateway, paid, &t)) == 0 && strcmp(t.reference, reference) != 0)
		error = ICERT_E_NOT_FOUND;
	if (error == 0)
		transaction_state(&t, paid, out);
	return error;
}

/* It has no idempotency key: the transaction says whether it went back already, or is about to. */
static int
nuvei_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	const char *paid = paid_id(request->payment);
	char base[256];
	struct gateway_call call = { .path = "/v2/transaction/refund/", .base = transactions_base(gateway, base) };
	struct gateway_answer answer;
	struct transaction t;
	int error;

	if (paid == NULL)
		return ICERT_E_INVALID;
	if ((error = transaction_ask(gateway, paid, &t)) != 0)
		return error;
	snprintf(id, GATEWAY_ID, "%s", paid);
	*pending = t.state == RETURNING;
	if (t.state == BACK || t.state == RETURNING)
		return 0;
	/* Nor is the rest of what went back in part asked for: that is for finance, who knows how much it is. */
	if (t.state != PAID || t.back > 0 || t.cents != request->cents || strcmp(t.currency, request->currency) != 0)
		return ICERT_E_DENIED;
	if ((call.json = json_pack("{s:{s:s}}", "transaction", "id", paid)) == NULL)
		return ICERT_E_INVALID;
	if ((error = nuvei_call(gateway, &call, &answer)) == 0)
		error = gateway_given_back(answer.json, "pending", "success", pending);
	json_decref(answer.json);
	return error;
}

const struct gateway_adapter gateway_nuvei = {
	.name = "nuvei",
	.credentials = { "application_code", "app_key", "contact_email" },
	.needed = 3,
	.secret = nuvei_secret,
	.verify = nuvei_verify,
	.read = nuvei_read,
	.checkout = nuvei_checkout,
	.query = nuvei_query,
	.refund = nuvei_refund,
};
