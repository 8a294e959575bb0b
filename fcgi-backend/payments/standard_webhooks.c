/*
 * Gateways that notify in the form of Standard Webhooks
 * (github.com/standard-webhooks/standard-webhooks, spec): headers webhook-id,
 * webhook-timestamp, webhook-signature; HMAC-SHA-256 over
 * "id.timestamp.body" under the base64 after "whsec_".
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "payments/gateway_adapter.h"
#include "payments/tariff.h"

#define SECRET_PREFIX "whsec_"
#define SECRET_MIN 24            /* bytes; the specification asks for 24 to 64 */
#define MAC 32
#define SIGNATURES_MAX 16        /* in one header; more is nobody's key rotation */
#define TIMESTAMP_DIGITS 12

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
	if (n < 0 || (size_t)n - pad < SECRET_MIN || (size_t)n - pad > sizeof(out->key))
		return ICERT_E_CONFIG;
	out->len = (size_t)n - pad;
	memcpy(out->key, room, out->len);
	bytes_wipe(room, sizeof(room));
	return 0;
}

/* The id is signed before a dot: one without dots cannot be read two ways. */
static int
id_ok(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len < GATEWAY_ID &&
	    strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-:") == len;
}

static int
timestamp_read(const char *text, int64_t *at)
{
	size_t len = strlen(text);

	if (len == 0 || len > TIMESTAMP_DIGITS || strspn(text, "0123456789") != len)
		return 0;
	for (*at = 0; *text != '\0'; text++)
		*at = *at * 10 + (*text - '0');
	return 1;
}

/* One "v1,<base64 of 32 bytes>" of len characters. */
static int
signature_read(const char *text, size_t len, uint8_t out[MAC])
{
	uint8_t room[MAC + 4];

	if (len != 3 + 44 || strncmp(text, "v1,", 3) != 0 || text[len - 1] != '=' || text[len - 2] == '=')
		return 0;
	if (EVP_DecodeBlock(room, (const uint8_t *)text + 3, 44) != MAC + 1)
		return 0;
	memcpy(out, room, MAC);
	return 1;
}

static size_t
signatures_read(const char *header, uint8_t out[SIGNATURES_MAX][MAC])
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

/* Every secret against every signature, without an early way out. */
static int
any_holds(const struct gateway *gateway, const struct buf *text, uint8_t sent[][MAC], size_t n)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	size_t i, k;
	int holds = 0;

	for (k = 0; k < gateway->n_secrets; k++) {
		if (HMAC(EVP_sha256(), gateway->secret[k].key, (int)gateway->secret[k].len, text->p, text->len, mac,
		    &len) == NULL || len != MAC)
			return 0;
		for (i = 0; i < n; i++)
			holds |= bytes_equal(mac, sent[i], MAC);
	}
	bytes_wipe(mac, sizeof(mac));
	return holds;
}

static int
sw_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now, char event_id[GATEWAY_ID])
{
	const char *id = notice->header(notice->header_arg, "webhook-id");
	const char *timestamp = notice->header(notice->header_arg, "webhook-timestamp");
	const char *signature = notice->header(notice->header_arg, "webhook-signature");
	uint8_t sent[SIGNATURES_MAX][MAC];
	struct buf text = BUF_INIT;
	size_t n;
	int64_t at;
	int error = ICERT_E_FORGED;

	if (id == NULL || timestamp == NULL || signature == NULL || !id_ok(id) || !timestamp_read(timestamp, &at))
		return ICERT_E_FORGED;
	n = signatures_read(signature, sent);
	buf_printf(&text, "%s.%s.", id, timestamp);
	buf_put(&text, notice->body, notice->len);
	if (buf_error(&text) != 0)
		error = buf_error(&text);
	else if (any_holds(gateway, &text, sent, n))
		error = at < now - gateway->tolerance || at > now + gateway->tolerance ? ICERT_E_STALE : 0;
	buf_free(&text);
	if (error == 0)
		strcpy(event_id, id);
	return error;
}

static int
copy_text(const json_t *object, const char *name, char *out, size_t size, int required)
{
	const char *text = json_string_value(json_object_get(object, name));

	out[0] = '\0';
	if (text == NULL)
		return required ? ICERT_E_MALFORMED : 0;
	if (strlen(text) >= size)
		return ICERT_E_MALFORMED;
	strcpy(out, text);
	return 0;
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
	char state[16], amount[24];
	size_t i, n = sizeof(states) / sizeof(states[0]);

	memset(out, 0, sizeof(*out));
	out->cents = -1;
	if (copy_text(object, "id", out->id, sizeof(out->id), 1) != 0 ||
	    copy_text(object, "reference", out->order, sizeof(out->order), 0) != 0 ||
	    copy_text(object, "status", state, sizeof(state), 1) != 0 ||
	    copy_text(object, "currency", out->currency, sizeof(out->currency), 0) != 0 ||
	    copy_text(object, "amount", amount, sizeof(amount), 0) != 0)
		return ICERT_E_MALFORMED;
	/* Without dots or slashes: ids go into paths. */
	if (!id_ok(out->id))
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
	return 0;
}

static int
sw_read(const void *body, size_t len, struct gateway_payment *out)
{
	json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(json, "type"));
	int error = ICERT_E_MALFORMED;

	if (type != NULL && strncmp(type, "payment.", 8) == 0)
		error = payment_read(json_object_get(json, "data"), out);
	json_decref(json);
	return error;
}

static void
amount_write(int64_t cents, char out[24])
{
	snprintf(out, 24, "%lld.%02lld", (long long)(cents / 100), (long long)(cents % 100));
}

static int
sw_checkout(struct gateway *gateway, const struct gateway_checkout_request *request, struct gateway_checkout *out)
{
	char amount[24];
	json_t *body, *answer;
	int error;

	amount_write(request->cents, amount);
	body = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "reference", request->order, "number", request->number,
	    "description", request->description, "amount", amount, "currency", request->currency,
	    "return_url", request->return_url, "notify_url", request->notify_url);
	if (body == NULL)
		return ICERT_E_INVALID;
	if ((error = gateway_http(gateway, "/v1/checkouts", body, request->order, &answer)) != 0)
		return error;
	if (copy_text(answer, "id", out->id, sizeof(out->id), 1) != 0 || !id_ok(out->id) ||
	    copy_text(answer, "url", out->url, sizeof(out->url), 1) != 0)
		error = ICERT_E_MALFORMED;
	json_decref(answer);
	return error;
}

static int
sw_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	char path[GATEWAY_ID + 16];
	json_t *answer;
	int error;

	if (!id_ok(payment))
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/v1/payments/%s", payment);
	if ((error = gateway_http(gateway, path, NULL, NULL, &answer)) != 0)
		return error;
	error = payment_read(answer, out);
	if (error == 0 && strcmp(out->id, payment) != 0)
		error = ICERT_E_MALFORMED;
	json_decref(answer);
	return error;
}

static int
sw_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	char path[GATEWAY_ID + 32], amount[24], status[16];
	json_t *body, *answer;
	int error;

	if (!id_ok(request->payment))
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/v1/payments/%s/refunds", request->payment);
	amount_write(request->cents, amount);
	if ((body = json_pack("{s:s,s:s,s:s}", "reference", request->refund, "amount", amount, "currency", request->currency)) == NULL)
		return ICERT_E_INVALID;
	if ((error = gateway_http(gateway, path, body, request->refund, &answer)) != 0)
		return error;
	if (copy_text(answer, "id", id, GATEWAY_ID, 1) != 0 || copy_text(answer, "status", status, sizeof(status), 1) != 0)
		error = ICERT_E_MALFORMED;
	else if (strcmp(status, "pending") == 0)
		*pending = 1;
	else if (strcmp(status, "refunded") == 0)
		*pending = 0;
	else
		error = strcmp(status, "rejected") == 0 ? ICERT_E_DENIED : ICERT_E_MALFORMED;
	json_decref(answer);
	return error;
}

const struct gateway_adapter gateway_standard_webhooks = {
	.name = "standard_webhooks",
	.signs_amount = 1,
	.secret = sw_secret,
	.verify = sw_verify,
	.read = sw_read,
	.checkout = sw_checkout,
	.query = sw_query,
	.refund = sw_refund,
};
