/*
 * Gateways that notify in the form of Standard Webhooks
 * (github.com/standard-webhooks/standard-webhooks, spec): headers webhook-id,
 * webhook-timestamp, webhook-signature; HMAC-SHA-256 over
 * "id.timestamp.body" under the base64 after "whsec_".
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "payments/gateway_adapter.h"
#include "payments/tariff.h"

#define SECRET_PREFIX "whsec_"
#define SECRET_MIN 24            /* bytes; the specification asks for 24 to 64 */
#define SECRET_MAX 64
#define SIGNATURES_MAX 16        /* in one header; more is nobody's key rotation */
#define PAGE "100"               /* payments in one answer of the list */
#define PAGES_MAX 1000           /* a list that never ends is not read for ever */

static int
sw_secret(const char *text, struct gateway_secret *out)
{
	uint8_t room[GATEWAY_SECRET_MAX + 3];
	size_t len, pad = 0;
	int n;

	if (strncmp(text, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0)
		return ICERT_E_CONFIG;
	text += strlen(SECRET_PREFIX);
	len = strlen(text);
	if (len == 0 || len % 4 != 0 || len / 4 * 3 > sizeof(room))
		return ICERT_E_CONFIG;
	while (pad < 2 && text[len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock(room, (const uint8_t *)text, (int)len);
	if (n < 0 || (size_t)n - pad < SECRET_MIN || (size_t)n - pad > SECRET_MAX)
		return ICERT_E_CONFIG;
	out->len = (size_t)n - pad;
	memcpy(out->key, room, out->len);
	bytes_wipe(room, sizeof(room));
	return 0;
}

/* One "v1,<base64 of 32 bytes>" of len characters. */
static int
signature_read(const char *text, size_t len, uint8_t out[GATEWAY_MAC])
{
	uint8_t room[GATEWAY_MAC + 4];

	if (len != 3 + 44 || strncmp(text, "v1,", 3) != 0 || text[len - 1] != '=' || text[len - 2] == '=')
		return 0;
	if (EVP_DecodeBlock(room, (const uint8_t *)text + 3, 44) != GATEWAY_MAC + 1)
		return 0;
	memcpy(out, room, GATEWAY_MAC);
	return 1;
}

static size_t
signatures_read(const char *header, uint8_t out[SIGNATURES_MAX][GATEWAY_MAC])
{
	size_t n = 0, len;

	while (n < SIGNATURES_MAX) {
		header += strspn(header, " ");
		if ((len = strcspn(header, " ")) == 0)
			break;
		if (signature_read(header, len, out[n]))
			n++;
		header += len;
	}
	return n;
}

static int
sw_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now, char event_id[GATEWAY_ID])
{
	/* The id is signed before a dot: one without dots cannot be read two ways. */
	const char *id = notice->header(notice->header_arg, "webhook-id");
	const char *timestamp = notice->header(notice->header_arg, "webhook-timestamp");
	const char *signature = notice->header(notice->header_arg, "webhook-signature");
	uint8_t sent[SIGNATURES_MAX][GATEWAY_MAC];
	struct buf text = BUF_INIT;
	size_t n;
	int64_t at;
	int error = ICERT_E_FORGED;

	if (id == NULL || timestamp == NULL || signature == NULL || !gateway_id_ok(id) || !gateway_digits(timestamp, &at))
		return ICERT_E_FORGED;
	n = signatures_read(signature, sent);
	buf_printf(&text, "%s.%s.", id, timestamp);
	buf_put(&text, notice->body, notice->len);
	if (buf_error(&text) != 0)
		error = buf_error(&text);
	else if (gateway_hmac_holds(gateway, text.p, text.len, sent, n))
		error = at < now - gateway->tolerance || at > now + gateway->tolerance ? ICERT_E_STALE : 0;
	buf_free(&text);
	if (error == 0)
		strcpy(event_id, id);
	return error;
}

/* The payment object, the same in notifications and in answers of the API. */
static int
payment_read(const json_t *object, struct gateway_payment *out)
{
	static const struct { const char *name; enum gateway_state state; int checking; } states[] = {
		{ "pending", GATEWAY_PENDING, 0 }, { "checking", GATEWAY_PENDING, 1 },
		{ "approved", GATEWAY_APPROVED, 0 }, { "rejected", GATEWAY_REJECTED, 0 },
		{ "expired", GATEWAY_EXPIRED, 0 }, { "refunded", GATEWAY_REFUNDED, 0 },
		{ "disputed", GATEWAY_DISPUTED, 0 },
	};
	const json_t *captures = json_object_get(object, "captures");
	char state[16], amount[24], at[40];
	size_t i, n = sizeof(states) / sizeof(states[0]);

	memset(out, 0, sizeof(*out));
	out->cents = -1;
	if (gateway_text(object, "id", out->id, sizeof(out->id), 1) != 0 ||
	    gateway_text(object, "reference", out->order, sizeof(out->order), 0) != 0 ||
	    gateway_text(object, "status", state, sizeof(state), 1) != 0 ||
	    gateway_text(object, "currency", out->currency, sizeof(out->currency), 0) != 0 ||
	    gateway_text(object, "amount", amount, sizeof(amount), 0) != 0)
		return ICERT_E_MALFORMED;
	/* Without dots or slashes: ids go into paths. */
	if (!gateway_id_ok(out->id))
		return ICERT_E_MALFORMED;
	if (gateway_text(object, "at", at, sizeof(at), 0) != 0 || (at[0] != '\0' && gateway_time(at, &out->at) != 0))
		return ICERT_E_MALFORMED;
	if (amount[0] != '\0' && tariff_parse(amount, &out->cents) != 0)
		return ICERT_E_MALFORMED;
	for (i = 0; i < n && strcmp(states[i].name, state) != 0; i++)
		;
	if (i == n)
		return ICERT_E_MALFORMED;
	out->state = states[i].state;
	out->checking = states[i].checking;
	if (json_is_integer(captures) && json_integer_value(captures) >= 0 && json_integer_value(captures) < 1000)
		out->times = (int)json_integer_value(captures);
	if (out->state == GATEWAY_REFUNDED)
		out->refunded = out->cents;
	if (gateway_text(object, "refunded", amount, sizeof(amount), 0) != 0 || (amount[0] != '\0' && tariff_parse(amount, &out->refunded) != 0))
		return ICERT_E_MALFORMED;
	return 0;
}

static int
sw_read(const void *body, size_t len, struct gateway_payment *out)
{
	json_t *json = gateway_json(body, len);
	const char *type = json_string_value(json_object_get(json, "type"));
	int error = ICERT_E_MALFORMED;

	if (type != NULL && strncmp(type, "payment.", 8) == 0)
		error = payment_read(json_object_get(json, "data"), out);
	out->sure = error == 0 && out->cents >= 0 && out->currency[0] != '\0';
	json_decref(json);
	return error;
}

/* GET without a body, POST with one, which it takes over.  key: the idempotency key, NULL none. */
static int
sw_call(struct gateway *gateway, const char *path, json_t *body, const char *key, struct gateway_answer *answer)
{
	struct buf bearer = BUF_INIT;
	struct gateway_field headers[3] = { { "Authorization", NULL }, { key != NULL ? "Idempotency-Key" : NULL, key }, { NULL, NULL } };
	struct gateway_call call = { .path = path, .headers = headers, .json = body, .repeatable = key != NULL };
	int error;

	buf_printf(&bearer, "Bearer %s", gateway_credential(gateway, "api_key"));
	headers[0].value = buf_str(&bearer);
	error = gateway_call(gateway, &call, answer);
	buf_free(&bearer);
	return error;
}

static int
sw_checkout(struct gateway *gateway, const struct gateway_checkout_request *request, struct gateway_checkout *out)
{
	struct gateway_answer answer;
	char amount[24];
	json_t *body;
	int error;

	gateway_amount(request->cents, amount);
	body = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "reference", request->order, "number", request->number,
	    "description", request->description, "amount", amount, "currency", request->currency,
	    "return_url", request->return_url, "notify_url", request->notify_url);
	if (body == NULL)
		return ICERT_E_INVALID;
	error = sw_call(gateway, "/v1/checkouts", body, request->once, &answer);
	if (error == 0 && (gateway_text(answer.json, "id", out->id, sizeof(out->id), 1) != 0 || !gateway_id_ok(out->id) ||
	    gateway_text(answer.json, "url", out->url, sizeof(out->url), 1) != 0))
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

static int
sw_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	char path[GATEWAY_ID + 16];
	struct gateway_answer answer;
	int error;

	if (!gateway_id_ok(payment))
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/v1/payments/%s", payment);
	if ((error = sw_call(gateway, path, NULL, NULL, &answer)) == 0)
		error = payment_read(answer.json, out);
	if (error == 0 && strcmp(out->id, payment) != 0)
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

static int
sw_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	char path[GATEWAY_ID + 32], amount[24], status[16];
	struct gateway_answer answer;
	json_t *body;
	int error;

	if (!gateway_id_ok(request->payment))
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/v1/payments/%s/refunds", request->payment);
	gateway_amount(request->cents, amount);
	if ((body = json_pack("{s:s,s:s,s:s}", "reference", request->refund, "amount", amount, "currency", request->currency)) == NULL)
		return ICERT_E_INVALID;
	error = sw_call(gateway, path, body, request->refund, &answer);
	if (error == 0 && (gateway_text(answer.json, "id", id, GATEWAY_ID, 1) != 0 ||
	    gateway_text(answer.json, "status", status, sizeof(status), 1) != 0))
		error = ICERT_E_MALFORMED;
	else if (error == 0 && strcmp(status, "pending") == 0)
		*pending = 1;
	else if (error == 0 && strcmp(status, "refunded") != 0)
		error = strcmp(status, "rejected") == 0 ? ICERT_E_DENIED : ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

/* One page to each(); cursor: where it begins ("" the first), then the next one's, "" after the last. */
static int
sw_page(struct gateway *gateway, const char *from, const char *to, char cursor[GATEWAY_ID],
    int (*each)(void *, const struct gateway_payment *), void *arg)
{
	struct buf path = BUF_INIT;
	struct gateway_answer answer;
	struct gateway_payment payment;
	char before[GATEWAY_ID];
	const json_t *data;
	size_t i;
	int error;

	/* Digits, and an id of the gateway: nothing to encode. */
	buf_printf(&path, "/v1/payments?from=%s&to=%s&limit=" PAGE "%s%s", from, to, cursor[0] != '\0' ? "&cursor=" : "", cursor);
	error = sw_call(gateway, buf_str(&path), NULL, NULL, &answer);
	buf_free(&path);
	data = json_object_get(answer.json, "data");
	if (error == 0 && !json_is_array(data))
		error = ICERT_E_MALFORMED;
	for (i = 0; error == 0 && i < json_array_size(data); i++) {
		if ((error = payment_read(json_array_get(data, i), &payment)) == 0) {
			payment.sure = 1;
			error = each(arg, &payment);
		}
	}
	snprintf(before, sizeof(before), "%s", cursor);
	if (error == 0 && (gateway_text(answer.json, "next", cursor, GATEWAY_ID, 0) != 0 || (cursor[0] != '\0' && !gateway_id_ok(cursor))))
		error = ICERT_E_MALFORMED;
	/* A page that leads to itself has no end. */
	if (error == 0 && cursor[0] != '\0' && strcmp(cursor, before) == 0)
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

static int
sw_list(struct gateway *gateway, int64_t from, int64_t to, int (*each)(void *, const struct gateway_payment *), void *arg)
{
	char first[24], last[24], cursor[GATEWAY_ID] = "";
	int pages, error;

	snprintf(first, sizeof(first), "%" PRId64, from);
	snprintf(last, sizeof(last), "%" PRId64, to);
	for (pages = 0; pages < PAGES_MAX; pages++)
		if ((error = sw_page(gateway, first, last, cursor, each, arg)) != 0 || cursor[0] == '\0')
			return error;
	return ICERT_E_TOO_LARGE;
}

const struct gateway_adapter gateway_standard_webhooks = {
	.name = "standard_webhooks",
	.credentials = { "api_key" },
	.needed = 1,
	.secret = sw_secret,
	.verify = sw_verify,
	.read = sw_read,
	.checkout = sw_checkout,
	.query = sw_query,
	.refund = sw_refund,
	.list = sw_list,
};
