/*
 * Stripe Checkout (docs.stripe.com/api): sessions of a form-encoded API with idempotency keys; events signed as
 * "Stripe-Signature: t=…,v1=…", HMAC-SHA-256 over "t.body" under the whole whsec_ text.  Events of a session carry amount and currency;
 * those of charges and disputes name a payment intent, and are hints.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "payments/gateway_adapter.h"

#define VERSION "2024-06-20"     /* of the API: what is read here is as that version writes it */
#define SECRET_PREFIX "whsec_"
#define SECRET_MIN 16
#define SIGNATURES_MAX 16        /* in one header; more is nobody's key rotation */
#define EXPIRES_LEAST 1860       /* seconds; a session stays open for 30 minutes to 24 hours */
#define EXPIRES_MOST 86340
#define DAY 86400
#define PAGE "50"
#define PAGES_MAX 1000
#define LIST_MAX (2 * 1024 * 1024)  /* octets of one page of sessions with their payments */
#define EXPAND "payment_intent.latest_charge"

static int
stripe_secret(const char *text, struct gateway_secret *out)
{
	return strncmp(text, SECRET_PREFIX, strlen(SECRET_PREFIX)) == 0 ? gateway_secret_text(text, SECRET_MIN, out) : ICERT_E_CONFIG;
}

/* ---- events ---- */

/* "t=…,v1=…,v1=…": the time as it stands, and the signatures that are ones.  How many, or -1 without one time. */
static int
header_read(const char *header, char time[16], uint8_t sent[SIGNATURES_MAX][GATEWAY_MAC])
{
	int n = 0, times = 0;
	size_t len;

	for (; *header != '\0'; header += len + (header[len] == ',')) {
		len = strcspn(header, ",");
		if (len > 2 && len - 2 < 16 && strncmp(header, "t=", 2) == 0) {
			memcpy(time, header + 2, len - 2);
			time[len - 2] = '\0';
			times++;
		} else if (len == 3 + 2 * GATEWAY_MAC && strncmp(header, "v1=", 3) == 0 && n < SIGNATURES_MAX) {
			char hex[2 * GATEWAY_MAC + 1];

			memcpy(hex, header + 3, 2 * GATEWAY_MAC);
			hex[2 * GATEWAY_MAC] = '\0';
			n += bytes_from_hex(sent[n], GATEWAY_MAC, hex) == 0;
		}
	}
	return times == 1 ? n : -1;
}

static int
stripe_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now, char event_id[GATEWAY_ID])
{
	const char *header = notice->header(notice->header_arg, "stripe-signature");
	uint8_t sent[SIGNATURES_MAX][GATEWAY_MAC];
	struct buf text = BUF_INIT;
	char time[16], id[GATEWAY_ID];
	json_t *json;
	int64_t at;
	int n, error = ICERT_E_FORGED;

	if (header == NULL || (n = header_read(header, time, sent)) < 1 || !gateway_digits(time, &at))
		return ICERT_E_FORGED;
	buf_printf(&text, "%s.", time);
	buf_put(&text, notice->body, notice->len);
	if (buf_error(&text) != 0)
		error = buf_error(&text);
	else if (gateway_hmac_holds(gateway, text.p, text.len, sent, (size_t)n))
		error = at < now - gateway->tolerance || at > now + gateway->tolerance ? ICERT_E_STALE : 0;
	buf_free(&text);
	if (error != 0)
		return error;
	json = gateway_json(notice->body, notice->len);
	if (gateway_text(json, "id", id, sizeof(id), 1) == 0 && gateway_id_ok(id))
		strcpy(event_id, id);
	else
		/* Signed, and yet no event: kept once, and found to say nothing. */
		gateway_event_id(notice->body, notice->len, event_id);
	json_decref(json);
	return 0;
}

static int
currency_read(const json_t *object, char out[4])
{
	if (gateway_text(object, "currency", out, 4, 0) != 0)
		return ICERT_E_MALFORMED;
	for (; *out != '\0'; out++)
		*out = (char)toupper((unsigned char)*out);
	return 0;
}

/* Whole cents: the currencies without them are none of ours. */
static int
minor(const json_t *value, int64_t *cents)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return ICERT_E_MALFORMED;
	*cents = json_integer_value(value);
	return 0;
}

/* What a session says of itself, without its payment. */
static int
session_read(const json_t *session, struct gateway_payment *out)
{
	char status[16], paid[24];

	if (gateway_text(session, "id", out->id, sizeof(out->id), 1) != 0 || !gateway_id_ok(out->id) ||
	    gateway_text(session, "client_reference_id", out->order, sizeof(out->order), 0) != 0 ||
	    gateway_text(session, "status", status, sizeof(status), 0) != 0 ||
	    gateway_text(session, "payment_status", paid, sizeof(paid), 1) != 0 || currency_read(session, out->currency) != 0)
		return ICERT_E_MALFORMED;
	if (json_is_integer(json_object_get(session, "amount_total")) && minor(json_object_get(session, "amount_total"), &out->cents) != 0)
		return ICERT_E_MALFORMED;
	if (json_is_integer(json_object_get(session, "created")))
		out->at = json_integer_value(json_object_get(session, "created"));
	if (strcmp(paid, "paid") == 0) {
		out->state = GATEWAY_APPROVED;
		out->times = 1;
	} else if (strcmp(status, "expired") == 0)
		out->state = GATEWAY_EXPIRED;
	else {
		out->state = GATEWAY_PENDING;
		/* Completed and not yet paid: a method that takes its time. */
		out->checking = strcmp(status, "complete") == 0;
	}
	return 0;
}

static int
stripe_read(const void *body, size_t len, struct gateway_payment *out)
{
	json_t *json = gateway_json(body, len);
	const json_t *object = json_object_get(json_object_get(json, "data"), "object");
	char type[64];
	int error = ICERT_E_MALFORMED;

	if (gateway_text(json, "type", type, sizeof(type), 1) != 0)
		;
	else if (strncmp(type, "checkout.session.", 17) == 0) {
		if ((error = session_read(object, out)) == 0 && strcmp(type + 17, "async_payment_failed") == 0) {
			out->state = GATEWAY_REJECTED;
			out->checking = 0;
		}
		out->sure = error == 0 && out->cents >= 0 && out->currency[0] != '\0';
	} else if (strncmp(type, "charge.", 7) == 0 || strncmp(type, "refund.", 7) == 0) {
		/* Of a charge, a refund, a dispute: each names the payment intent. */
		if (gateway_text(object, "payment_intent", out->id, sizeof(out->id), 1) == 0 && gateway_id_ok(out->id)) {
			out->state = GATEWAY_PENDING;
			error = 0;
		}
	}
	json_decref(json);
	return error;
}

/* ---- the API ---- */

static int
stripe_call(struct gateway *gateway, struct gateway_call *call, const char *key, struct gateway_answer *answer)
{
	struct gateway_field headers[4] = {
		{ "Authorization", NULL }, { "Stripe-Version", VERSION }, { key != NULL ? "Idempotency-Key" : NULL, key }, { NULL, NULL },
	};
	struct buf bearer = BUF_INIT;
	int error;

	buf_printf(&bearer, "Bearer %s", gateway_credential(gateway, "secret_key"));
	headers[0].value = buf_str(&bearer);
	call->headers = headers;
	call->repeatable = key != NULL;
	error = gateway_call(gateway, call, answer);
	buf_free(&bearer);
	return error;
}

static int
stripe_checkout(struct gateway *gateway, const struct gateway_checkout_request *request, struct gateway_checkout *out)
{
	int64_t seconds = request->seconds < EXPIRES_LEAST ? EXPIRES_LEAST : request->seconds > EXPIRES_MOST ? EXPIRES_MOST : request->seconds;
	char cents[24], expires[24], currency[4] = "";
	struct buf key = BUF_INIT;
	struct gateway_answer answer;
	size_t i;
	int error;

	for (i = 0; i < 3 && request->currency[i] != '\0'; i++)
		currency[i] = (char)tolower((unsigned char)request->currency[i]);
	snprintf(cents, sizeof(cents), "%" PRId64, request->cents);
	/* By the hour, so that a repeat says the same; and in the key, which goes with one wording only. */
	snprintf(expires, sizeof(expires), "%" PRId64, (clock_real() + seconds) / 3600 * 3600);
	if (seconds < 2 * 3600)
		snprintf(expires, sizeof(expires), "%" PRId64, clock_real() + seconds);
	buf_printf(&key, "%s:%s", request->once, expires);
	if (buf_error(&key) != 0)
		return buf_error(&key);
	{
		const struct gateway_field form[] = {
			{ "mode", "payment" }, { "client_reference_id", request->order }, { "locale", "es-419" },
			{ "line_items[0][quantity]", "1" }, { "line_items[0][price_data][currency]", currency },
			{ "line_items[0][price_data][unit_amount]", cents },
			{ "line_items[0][price_data][product_data][name]", request->description },
			{ "metadata[order]", request->order }, { "metadata[number]", request->number },
			{ "payment_intent_data[description]", request->number }, { "payment_intent_data[metadata][order]", request->order },
			{ "success_url", request->return_url }, { "cancel_url", request->return_url }, { "expires_at", expires },
			{ NULL, NULL },
		};
		struct gateway_call call = { .path = "/v1/checkout/sessions", .form = form };

		error = stripe_call(gateway, &call, buf_str(&key), &answer);
	}
	buf_free(&key);
	if (error == 0 && (gateway_text(answer.json, "id", out->id, sizeof(out->id), 1) != 0 || !gateway_id_ok(out->id) ||
	    gateway_text(answer.json, "url", out->url, sizeof(out->url), 1) != 0))
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

/* How the newest dispute about a payment stands; only for one whose charge was disputed, also after it was given back. */
static int
dispute_query(struct gateway *gateway, const char *intent, struct gateway_payment *out)
{
	const struct gateway_field query[] = { { "payment_intent", intent }, { "limit", "1" }, { NULL, NULL } };
	struct gateway_call call = { .path = "/v1/disputes", .query = query };
	struct gateway_answer answer;
	const json_t *dispute;
	char status[32];
	int error;

	if ((error = stripe_call(gateway, &call, NULL, &answer)) == 0) {
		dispute = json_array_get(json_object_get(answer.json, "data"), 0);
		if (dispute != NULL && gateway_text(dispute, "status", status, sizeof(status), 1) != 0)
			error = ICERT_E_MALFORMED;
		else if (dispute != NULL && strcmp(status, "lost") == 0) {
			out->refunded += out->refunded > 0 ? out->cents : 0;
			out->state = GATEWAY_REFUNDED;
		}
		else if (dispute != NULL && strcmp(status, "won") != 0 && strcmp(status, "warning_closed") != 0 && strcmp(status, "prevented") != 0)
			out->state = GATEWAY_DISPUTED;
	}
	json_decref(answer.json);
	return error;
}

/* A session with its payment intent and that one's charge. */
static int
payment_read(struct gateway *gateway, const json_t *session, struct gateway_payment *out)
{
	const json_t *intent = json_object_get(session, "payment_intent"), *charge = json_object_get(intent, "latest_charge");
	char id[GATEWAY_ID], status[32];
	int error;

	if ((error = session_read(session, out)) != 0 || !json_is_object(intent))
		return error;
	if (gateway_text(intent, "id", id, sizeof(id), 1) != 0 || !gateway_id_ok(id) ||
	    gateway_text(intent, "status", status, sizeof(status), 0) != 0)
		return ICERT_E_MALFORMED;
	if (out->state == GATEWAY_PENDING) {
		if (out->checking && (strcmp(status, "requires_payment_method") == 0 || strcmp(status, "canceled") == 0)) {
			out->state = GATEWAY_REJECTED;
			out->checking = 0;
		}
		return 0;
	}
	if (out->state != GATEWAY_APPROVED || !json_is_object(charge))
		return 0;
	/* What was charged counts, not what the session was to be. */
	if (minor(json_object_get(charge, "amount"), &out->cents) != 0 || currency_read(charge, out->currency) != 0 ||
	    minor(json_object_get(charge, "amount_refunded"), &out->refunded) != 0)
		return ICERT_E_MALFORMED;
	if (json_is_integer(json_object_get(charge, "created")))
		out->at = json_integer_value(json_object_get(charge, "created"));
	if (json_is_true(json_object_get(charge, "refunded")))
		out->state = GATEWAY_REFUNDED;
	return json_is_true(json_object_get(charge, "disputed")) ? dispute_query(gateway, id, out) : 0;
}

/* The session itself, with its payment; payment: its id, or a payment intent's. */
static int
session_query(struct gateway *gateway, const char *payment, struct gateway_answer *answer, const json_t **session)
{
	const struct gateway_field whole[] = { { "expand[]", EXPAND }, { NULL, NULL } };
	const struct gateway_field of_intent[] = { { "payment_intent", payment }, { "limit", "1" }, { "expand[]", "data." EXPAND }, { NULL, NULL } };
	int by_intent = strncmp(payment, "pi_", 3) == 0, error;
	char path[GATEWAY_ID + 32];
	struct gateway_call call = { .path = path, .query = by_intent ? of_intent : whole };

	memset(answer, 0, sizeof(*answer));
	if (!gateway_id_ok(payment))
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/v1/checkout/sessions%s%s", by_intent ? "" : "/", by_intent ? "" : payment);
	if ((error = stripe_call(gateway, &call, NULL, answer)) != 0)
		return error;
	*session = by_intent ? json_array_get(json_object_get(answer->json, "data"), 0) : answer->json;
	return *session == NULL ? ICERT_E_NOT_FOUND : 0;
}

static int
stripe_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	struct gateway_answer answer;
	const json_t *session = NULL;
	int error;

	if ((error = session_query(gateway, payment, &answer, &session)) == 0)
		error = payment_read(gateway, session, out);
	if (error == 0 && strncmp(payment, "pi_", 3) != 0 && strcmp(out->id, payment) != 0)
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

static int
refund_read(const json_t *refund, char id[GATEWAY_ID], int *pending)
{
	char status[24];

	if (gateway_text(refund, "id", id, GATEWAY_ID, 1) != 0 || gateway_text(refund, "status", status, sizeof(status), 1) != 0)
		return ICERT_E_MALFORMED;
	*pending = strcmp(status, "pending") == 0 || strcmp(status, "requires_action") == 0;
	return *pending || strcmp(status, "succeeded") == 0 ? 0 : ICERT_E_DENIED;
}

/* The one that we asked for under this key, as it is now: an idempotency key gives the first answer again and lasts a day. */
static int
refund_find(struct gateway *gateway, const char *intent, const char *key, char id[GATEWAY_ID], int *pending)
{
	const struct gateway_field query[] = { { "payment_intent", intent }, { "limit", "100" }, { NULL, NULL } };
	struct gateway_call call = { .path = "/v1/refunds", .query = query, .answer_max = LIST_MAX };
	struct gateway_answer answer;
	const json_t *data;
	int error;

	if ((error = stripe_call(gateway, &call, NULL, &answer)) == 0) {
		error = ICERT_E_NOT_FOUND;
		data = json_object_get(answer.json, "data");
		for (size_t i = 0; i < json_array_size(data) && error == ICERT_E_NOT_FOUND; i++) {
			const json_t *refund = json_array_get(data, i);
			const char *its = json_string_value(json_object_get(json_object_get(refund, "metadata"), "refund"));

			if (its != NULL && strcmp(its, key) == 0)
				error = refund_read(refund, id, pending);
		}
	}
	json_decref(answer.json);
	return error;
}

static int
stripe_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	struct gateway_answer answer;
	const json_t *session = NULL;
	char intent[GATEWAY_ID] = "", cents[24];
	int error;

	if ((error = session_query(gateway, request->payment, &answer, &session)) == 0 &&
	    (gateway_text(json_object_get(session, "payment_intent"), "id", intent, sizeof(intent), 1) != 0 || !gateway_id_ok(intent)))
		error = ICERT_E_DENIED;
	json_decref(answer.json);
	if (error != 0 || (error = refund_find(gateway, intent, request->refund, id, pending)) != ICERT_E_NOT_FOUND)
		return error;
	snprintf(cents, sizeof(cents), "%" PRId64, request->cents);
	{
		const struct gateway_field form[] = {
			{ "payment_intent", intent }, { "amount", cents }, { "metadata[refund]", request->refund }, { NULL, NULL },
		};
		struct gateway_call call = { .path = "/v1/refunds", .form = form };

		if ((error = stripe_call(gateway, &call, request->refund, &answer)) == 0)
			error = refund_read(answer.json, id, pending);
	}
	json_decref(answer.json);
	return error;
}

/* One page of sessions to each(); last: the id it goes on after, "" from the first. */
static int
stripe_page(struct gateway *gateway, const char *since, const char *until, char last[GATEWAY_ID], int64_t from, int64_t to,
    int (*each)(void *, const struct gateway_payment *), void *arg, int *more)
{
	const struct gateway_field query[] = {
		{ "created[gte]", since }, { "created[lt]", until }, { "limit", PAGE }, { "expand[]", "data." EXPAND },
		{ last[0] != '\0' ? "starting_after" : NULL, last }, { NULL, NULL },
	};
	struct gateway_call call = { .path = "/v1/checkout/sessions", .query = query, .answer_max = LIST_MAX };
	struct gateway_payment payment;
	struct gateway_answer answer;
	char before[GATEWAY_ID];
	const json_t *data;
	int error;

	snprintf(before, sizeof(before), "%s", last);
	if ((error = stripe_call(gateway, &call, NULL, &answer)) == 0 && !json_is_array(json_object_get(answer.json, "data")))
		error = ICERT_E_MALFORMED;
	data = json_object_get(answer.json, "data");
	*more = json_is_true(json_object_get(answer.json, "has_more"));
	for (size_t i = 0; error == 0 && i < json_array_size(data); i++) {
		const json_t *session = json_array_get(data, i);
		int64_t begun = json_integer_value(json_object_get(session, "created"));

		memset(&payment, 0, sizeof(payment));
		payment.cents = -1;
		payment.sure = 1;
		if ((error = payment_read(gateway, session, &payment)) != 0)
			break;
		strcpy(last, payment.id);
		if ((begun >= from && begun < to) || (payment.at >= from && payment.at < to))
			error = each(arg, &payment);
	}
	*more = *more && json_array_size(data) > 0;
	/* A page that leads to itself has no end. */
	if (error == 0 && *more && strcmp(last, before) == 0)
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

/* Sessions live a day at most: one paid today was begun today or yesterday. */
static int
stripe_list(struct gateway *gateway, int64_t from, int64_t to, int (*each)(void *, const struct gateway_payment *), void *arg)
{
	char since[24], until[24], last[GATEWAY_ID] = "";
	int pages, more, error;

	snprintf(since, sizeof(since), "%" PRId64, from - DAY);
	snprintf(until, sizeof(until), "%" PRId64, to);
	for (pages = 0; pages < PAGES_MAX; pages++)
		if ((error = stripe_page(gateway, since, until, last, from, to, each, arg, &more)) != 0 || !more)
			return error;
	return ICERT_E_TOO_LARGE;
}

const struct gateway_adapter gateway_stripe = {
	.name = "stripe",
	.credentials = { "secret_key" },
	.needed = 1,
	.secret = stripe_secret,
	.verify = stripe_verify,
	.read = stripe_read,
	.checkout = stripe_checkout,
	.query = stripe_query,
	.refund = stripe_refund,
	.list = stripe_list,
};
