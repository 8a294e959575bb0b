/*
 * Placetopay Checkout, of Evertec (docs.placetopay.dev/en/checkout): sessions of its REST API, each call with a fresh
 * authentication of its own; notifications with a signature over session, status and date, and over no amount: they are hints,
 * and the session is queried.  It has no list of payments.
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

#define SECRET_MIN 8
#define NONCE 16                 /* octets */
#define EXPIRATION_LEAST 600     /* seconds; it wants 5 minutes at least */
#define SHA256_PREFIX "sha256:"
#define TRANSACTIONS_MAX 16      /* of one session that are counted */

static int
ptp_secret(const char *text, struct gateway_secret *out)
{
	return gateway_secret_text(text, SECRET_MIN, out);
}

/* ---- notifications ---- */

struct signed_notice {
	char request[24], status[24], date[40];
};

static int
notice_read(const json_t *json, struct signed_notice *out)
{
	const json_t *status = json_object_get(json, "status");
	int64_t at;

	if (gateway_text_or_number(json, "requestId", out->request, sizeof(out->request), 1) != 0 ||
	    gateway_text(status, "status", out->status, sizeof(out->status), 1) != 0 ||
	    gateway_text(status, "date", out->date, sizeof(out->date), 1) != 0)
		return ICERT_E_MALFORMED;
	/* Number, word, date: what is signed one after the other cannot be read two ways. */
	if (out->request[0] == '\0' || strspn(out->request, "0123456789") != strlen(out->request) ||
	    out->status[0] == '\0' || strspn(out->status, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != strlen(out->status) ||
	    gateway_time(out->date, &at) != 0)
		return ICERT_E_MALFORMED;
	return 0;
}

/* Under any secret, in constant time: the digest that `hash` makes of the three and the secret. */
static int
notice_holds(const struct gateway *gateway, const struct signed_notice *n, const EVP_MD *hash, const uint8_t *sent)
{
	uint8_t made[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT;
	unsigned len = 0;
	int holds = 0;

	for (size_t i = 0; i < gateway->n_secrets; i++) {
		buf_reset(&text);
		buf_printf(&text, "%s%s%s", n->request, n->status, n->date);
		buf_put(&text, gateway->secret[i].key, gateway->secret[i].len);
		if (buf_error(&text) == 0 && EVP_Digest(text.p, text.len, made, &len, hash, NULL) == 1)
			holds |= bytes_equal(made, sent, len);
	}
	buf_free(&text);
	return holds;
}

static int
ptp_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now, char event_id[GATEWAY_ID])
{
	json_t *json = gateway_json(notice->body, notice->len);
	const char *signature = json_string_value(json_object_get(json, "signature"));
	struct signed_notice n;
	const EVP_MD *hash = EVP_sha1();
	uint8_t sent[EVP_MAX_MD_SIZE];
	struct buf said = BUF_INIT;
	int error = ICERT_E_FORGED;

	(void)now;	/* the date is the status's, and stays while a notification is sent again */
	if (signature != NULL && strncmp(signature, SHA256_PREFIX, strlen(SHA256_PREFIX)) == 0) {
		signature += strlen(SHA256_PREFIX);
		hash = EVP_sha256();
	}
	if (signature != NULL && notice_read(json, &n) == 0 && strlen(signature) == 2 * (size_t)EVP_MD_get_size(hash) &&
	    bytes_from_hex(sent, (size_t)EVP_MD_get_size(hash), signature) == 0 && notice_holds(gateway, &n, hash, sent)) {
		buf_printf(&said, "%s %s %s", n.request, n.status, n.date);
		if ((error = buf_error(&said)) == 0)
			gateway_event_id(said.p, said.len, event_id);
	}
	buf_free(&said);
	json_decref(json);
	return error;
}

static const struct ptp_state {
	const char *name;
	enum gateway_state state;
	int checking;
} states[] = {
	{ "PENDING", GATEWAY_PENDING, 0 }, { "APPROVED", GATEWAY_APPROVED, 0 }, { "REJECTED", GATEWAY_REJECTED, 0 },
	{ "FAILED", GATEWAY_REJECTED, 0 },
	/* We ask for no parts.  Who paid one all the same is not done while the session lasts, and has paid too little after it. */
	{ "APPROVED_PARTIAL", GATEWAY_PENDING, 1 }, { "PARTIAL_EXPIRED", GATEWAY_APPROVED, 0 },
};

static const struct ptp_state *
state_find(const char *name)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(states[i].name, name) == 0)
			return &states[i];
	return NULL;
}

static int
ptp_read(const void *body, size_t len, struct gateway_payment *out)
{
	json_t *json = gateway_json(body, len);
	const struct ptp_state *state = NULL;
	struct signed_notice n;
	char reference[64];
	int error = ICERT_E_MALFORMED;

	if (notice_read(json, &n) == 0 && (state = state_find(n.status)) != NULL &&
	    gateway_text(json, "reference", reference, sizeof(reference), 0) == 0) {
		strcpy(out->id, n.request);
		/* Outside the signature, like the amount: a hint. */
		(void)gateway_order_read(reference, out->order);
		out->state = state->state;
		out->checking = state->checking;
		error = 0;
	}
	json_decref(json);
	return error;
}

/* ---- the API ---- */

/* { login, tranKey, nonce, seed }: a new one for each call; NULL on failure. */
static json_t *
authentication(const struct gateway *gateway)
{
	const char *key = gateway_credential(gateway, "secret_key");
	uint8_t nonce[NONCE], digest[EVP_MAX_MD_SIZE];
	char nonce64[2 * NONCE], key64[64], seed[32];
	struct buf text = BUF_INIT;
	json_t *auth = NULL;
	unsigned len = 0;

	if (bytes_random(nonce, sizeof(nonce)) != 0)
		return NULL;
	gateway_time_write(clock_real(), seed);
	buf_put(&text, nonce, sizeof(nonce));
	buf_printf(&text, "%s%s", seed, key);
	if (buf_error(&text) == 0 && EVP_Digest(text.p, text.len, digest, &len, EVP_sha256(), NULL) == 1) {
		EVP_EncodeBlock((uint8_t *)nonce64, nonce, NONCE);
		EVP_EncodeBlock((uint8_t *)key64, digest, (int)len);
		auth = json_pack("{s:s,s:s,s:s,s:s}", "login", gateway_credential(gateway, "login"), "tranKey", key64,
		    "nonce", nonce64, "seed", seed);
	}
	buf_free(&text);
	return auth;
}

/* POST with the authentication; body is taken over. */
static int
ptp_call(struct gateway *gateway, const char *path, json_t *body, int repeatable, struct gateway_answer *answer)
{
	struct gateway_call call = { .path = path, .json = body, .repeatable = repeatable };
	json_t *auth = authentication(gateway);

	memset(answer, 0, sizeof(*answer));
	if (body == NULL || auth == NULL || json_object_set_new(body, "auth", auth) != 0) {
		json_decref(body);
		if (body == NULL)
			json_decref(auth);
		return ICERT_E_INVALID;
	}
	return gateway_call(gateway, &call, answer);
}

static int
ptp_checkout(struct gateway *gateway, const struct gateway_checkout_request *request, struct gateway_checkout *out)
{
	int64_t seconds = request->seconds < EXPIRATION_LEAST ? EXPIRATION_LEAST : request->seconds;
	const char *browser = request->browser != NULL && request->browser[0] != '\0' ? request->browser : "unknown";
	const char *address = request->address != NULL && request->address[0] != '\0' ? request->address : "127.0.0.1";
	struct gateway_answer answer;
	char reference[GATEWAY_ORDER], expiration[32];
	json_t *body, *amount;
	int error;

	gateway_order_write(request->order, reference);
	gateway_time_write(clock_real() + seconds, expiration);
	amount = json_pack("{s:s,s:o}", "currency", request->currency, "total", gateway_amount_json(request->cents));
	if (amount != NULL && request->tax > 0)
		json_object_set_new(amount, "taxes", json_pack("[{s:s,s:o,s:o}]", "kind", "valueAddedTax",
		    "amount", gateway_amount_json(request->tax), "base", gateway_amount_json(request->net)));
	body = json_pack("{s:s,s:{s:s,s:s,s:o,s:b},s:s,s:s,s:s,s:s}", "locale", "es_EC", "payment", "reference", reference,
	    "description", request->description, "amount", amount, "allowPartial", 0, "expiration", expiration,
	    "returnUrl", request->return_url, "ipAddress", address, "userAgent", browser);
	/* A second one is a second session: not tried again here. */
	error = ptp_call(gateway, "/api/session", body, 0, &answer);
	if (error == 0 && (gateway_text_or_number(answer.json, "requestId", out->id, sizeof(out->id), 1) != 0 ||
	    strspn(out->id, "0123456789") != strlen(out->id) || out->id[0] == '\0' ||
	    gateway_text(answer.json, "processUrl", out->url, sizeof(out->url), 1) != 0))
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

/* What the transactions of one session come to. */
struct session_sum {
	int approved, refunded, pending;
	int64_t cents, first;            /* of the approved that were not given back; of one of them */
	int64_t returned;
	char currency[4], internal[24];  /* of the last approved one */
};

static int
transaction_add(const json_t *transaction, struct session_sum *sum)
{
	const json_t *from = json_object_get(json_object_get(transaction, "amount"), "from");
	char status[24], currency[4];
	int64_t cents;

	if (gateway_text(json_object_get(transaction, "status"), "status", status, sizeof(status), 1) != 0)
		return ICERT_E_MALFORMED;
	sum->pending += strcmp(status, "PENDING") == 0;
	if (strcmp(status, "APPROVED") != 0)
		return 0;
	if (gateway_cents(json_object_get(from, "total"), &cents) != 0 || gateway_text(from, "currency", currency, sizeof(currency), 1) != 0)
		return ICERT_E_MALFORMED;
	/* Two currencies in one session are none that an order has. */
	strcpy(sum->currency, sum->currency[0] == '\0' || strcmp(sum->currency, currency) == 0 ? currency : "XXX");
	if (json_is_true(json_object_get(transaction, "refunded"))) {
		sum->refunded++;
		sum->returned += cents;
		return 0;
	}
	sum->approved++;
	sum->first = cents;
	sum->cents += cents;
	return gateway_text_or_number(transaction, "internalReference", sum->internal, sizeof(sum->internal), 0);
}

static int
session_read(const json_t *json, const char *id, struct gateway_payment *out, struct session_sum *sum)
{
	const json_t *status = json_object_get(json, "status"), *asked = json_object_get(json_object_get(json, "request"), "payment");
	const json_t *amount = json_object_get(asked, "amount"), *payments = json_object_get(json, "payment");
	char word[24], reason[16], date[40], reference[64];
	const struct ptp_state *state;

	memset(sum, 0, sizeof(*sum));
	if (gateway_text_or_number(json, "requestId", out->id, sizeof(out->id), 1) != 0 || strcmp(out->id, id) != 0 ||
	    gateway_text(status, "status", word, sizeof(word), 1) != 0 || (state = state_find(word)) == NULL ||
	    gateway_text_or_number(status, "reason", reason, sizeof(reason), 0) != 0 || gateway_text(status, "date", date, sizeof(date), 0) != 0 ||
	    (date[0] != '\0' && gateway_time(date, &out->at) != 0) ||
	    gateway_text(asked, "reference", reference, sizeof(reference), 0) != 0 ||
	    gateway_text(amount, "currency", out->currency, sizeof(out->currency), 0) != 0)
		return ICERT_E_MALFORMED;
	for (size_t i = 0; i < json_array_size(payments); i++)
		if (i == TRANSACTIONS_MAX || transaction_add(json_array_get(payments, i), sum) != 0)
			return ICERT_E_MALFORMED;
	(void)gateway_order_read(reference, out->order);
	out->state = state->state;
	out->checking = state->checking || (out->state == GATEWAY_PENDING && sum->pending > 0);
	if (out->state == GATEWAY_REJECTED && strcmp(reason, "EX") == 0)
		out->state = GATEWAY_EXPIRED;
	if (out->state == GATEWAY_PENDING || sum->approved + sum->refunded == 0)
		/* Approved, and no transaction says how much: nothing to believe. */
		return out->state == GATEWAY_APPROVED ? ICERT_E_MALFORMED :
		    json_object_get(amount, "total") != NULL ? gateway_cents(json_object_get(amount, "total"), &out->cents) : 0;
	strcpy(out->currency, sum->currency);
	out->refunded = sum->returned;
	out->state = sum->approved > 0 ? GATEWAY_APPROVED : GATEWAY_REFUNDED;
	/* The same amount twice is a payment too many; parts are one payment. */
	out->times = sum->approved > 1 && sum->cents == sum->first * sum->approved && strcmp(word, "APPROVED") == 0 ? sum->approved : 1;
	out->cents = sum->approved > 0 ? sum->cents / out->times : sum->returned;
	return 0;
}

static int
session_query(struct gateway *gateway, const char *payment, struct gateway_payment *out, struct session_sum *sum)
{
	char path[GATEWAY_ID + 16];
	struct gateway_answer answer;
	int error;

	if (payment[0] == '\0' || strspn(payment, "0123456789") != strlen(payment) || strlen(payment) >= 24)
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/api/session/%s", payment);
	if ((error = ptp_call(gateway, path, json_object(), 1, &answer)) == 0)
		error = session_read(answer.json, payment, out, sum);
	json_decref(answer.json);
	return error;
}

static int
ptp_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	struct session_sum sum;

	return session_query(gateway, payment, out, &sum);
}

/*
 * It has no idempotency key: the session says whether its one payment went back already.  Of several, and for a part of one, nobody
 * could tell after a crash: that is for finance, in Placetopay's own administration.
 */
static int
ptp_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	struct gateway_payment now;
	struct gateway_answer answer;
	struct session_sum sum;
	int error;

	if ((error = session_query(gateway, request->payment, &now, &sum)) != 0)
		return error;
	snprintf(id, GATEWAY_ID, "%s", request->payment);
	if (sum.approved == 0 && sum.refunded == 1)
		return 0;
	if (sum.approved != 1 || sum.refunded != 0 || sum.cents != request->cents || strcmp(sum.currency, request->currency) != 0 ||
	    sum.internal[0] == '\0')
		return ICERT_E_DENIED;
	error = ptp_call(gateway, "/api/reverse", json_pack("{s:I}", "internalReference", (json_int_t)strtoll(sum.internal, NULL, 10)), 0,
	    &answer);
	if (error == 0)
		error = gateway_given_back(json_object_get(answer.json, "status"), "PENDING", "APPROVED", pending);
	json_decref(answer.json);
	return error;
}

const struct gateway_adapter gateway_placetopay = {
	.name = "placetopay",
	.credentials = { "login", "secret_key" },
	.needed = 2,
	.secret = ptp_secret,
	.verify = ptp_verify,
	.read = ptp_read,
	.checkout = ptp_checkout,
	.query = ptp_query,
	.refund = ptp_refund,
};
