/*
 * Payphone, the payment button with redirection (docs.payphone.app): a form is prepared, the payer pays there, and whoever sold has to
 * confirm within five minutes, or Payphone gives the money back by itself.  So each question confirms what it finds paid: the payer's
 * return, a notification, and the clerk of its own accord, whichever is first.  Notifications are not signed and only make us ask.
 * What they name is a reference of ours that nobody can invent: strangers' notifications are refused without a question.
 * There is no list that could be asked for every day.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "payments/gateway_adapter.h"

#define SECRET_MIN 16
#define PART 5                   /* digits of each part of a reference, five bits each */
#define REFERENCE (3 * PART)     /* as many as every product of theirs takes */
#define EPOCH 1577836800         /* 2020-01-01, in minutes since which a reference has its time */
#define FORM_S 600               /* a form lives so long, */
#define LAST_S (FORM_S + 360)    /* and what was paid in it may be confirmed until here */
#define NO_SUCH_SALE 20          /* their errorCode */
#define SALES_MAX 16             /* of one reference that are counted */

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* ---- references: time, this try, and a code over both under our own key ---- */

/* The first 25 bits of octets. */
static void
part_write(const uint8_t *octets, char out[PART])
{
	uint32_t bits = (uint32_t)octets[0] << 17 | (uint32_t)octets[1] << 9 | (uint32_t)octets[2] << 1 | octets[3] >> 7;

	for (int i = PART; i-- > 0; bits >>= 5)
		out[i] = digits[bits & 31];
}

static int
code_write(const void *key, size_t len, const char *reference, char out[PART])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (HMAC(EVP_sha256(), key, (int)len, (const uint8_t *)reference, 2 * PART, mac, &n) == NULL)
		return ICERT_E_MEMORY;
	part_write(mac, out);
	return 0;
}

static int
reference_write(const struct gateway *gateway, const char *once, int64_t now, char out[REFERENCE + 1])
{
	const char *key = gateway_credential(gateway, "reference_key");
	uint32_t minutes = (uint32_t)((now - EPOCH) / 60);
	uint8_t hash[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT;
	unsigned n = 0;
	int error;

	for (int i = PART; i-- > 0; minutes >>= 5)
		out[i] = digits[minutes & 31];
	buf_printf(&text, "%.*s:%s", PART, out, once);
	if ((error = buf_error(&text)) == 0 && EVP_Digest(text.p, text.len, hash, &n, EVP_sha256(), NULL) != 1)
		error = ICERT_E_MEMORY;
	buf_free(&text);
	if (error == 0)
		part_write(hash, out + PART);
	if (error == 0)
		error = code_write(key, strlen(key), out, out + 2 * PART);
	out[REFERENCE] = '\0';
	return error;
}

static int
reference_ok(const char *reference)
{
	return strlen(reference) == REFERENCE && strspn(reference, digits) == REFERENCE;
}

/* When it was made, UTC seconds. */
static int64_t
reference_time(const char *reference)
{
	int64_t minutes = 0;

	for (int i = 0; i < PART; i++)
		minutes = minutes << 5 | (strchr(digits, reference[i]) - digits);
	return EPOCH + minutes * 60;
}

/* ---- notifications ---- */

static int
payphone_secret(const char *text, struct gateway_secret *out)
{
	return gateway_secret_text(text, SECRET_MIN, out);
}

enum { PENDING = 1, CANCELLED = 2, APPROVED = 3 };

static int
notice_read(const json_t *json, char reference[REFERENCE + 1], int *status)
{
	const json_t *code = json_object_get(json, "StatusCode");

	if (gateway_text(json, "ClientTransactionId", reference, REFERENCE + 1, 1) != 0 || !reference_ok(reference) || !json_is_integer(code) ||
	    json_integer_value(code) < PENDING || json_integer_value(code) > APPROVED)
		return ICERT_E_MALFORMED;
	*status = (int)json_integer_value(code);
	return 0;
}

static int
payphone_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now, char event_id[GATEWAY_ID])
{
	json_t *json = gateway_json(notice->body, notice->len);
	char reference[REFERENCE + 1], code[PART], said[REFERENCE + 8];
	int status, holds = 0;

	(void)now;
	if (notice_read(json, reference, &status) == 0)
		for (size_t i = 0; i < gateway->n_secrets; i++)
			if (code_write(gateway->secret[i].key, gateway->secret[i].len, reference, code) == 0)
				holds |= bytes_equal(code, reference + 2 * PART, PART);
	json_decref(json);
	if (!holds)
		return ICERT_E_FORGED;
	/* No more events of one checkout than states: its payer, who knows the reference, cannot fill anything with them. */
	snprintf(said, sizeof(said), "%s %d", reference, status);
	gateway_event_id(said, strlen(said), event_id);
	return 0;
}

static int
payphone_read(const void *body, size_t len, struct gateway_payment *out)
{
	json_t *json = gateway_json(body, len);
	char reference[REFERENCE + 1];
	int status, error = notice_read(json, reference, &status);

	if (error == 0) {
		/* Nothing of it is more than a hint. */
		strcpy(out->id, reference);
		out->state = status == APPROVED ? GATEWAY_APPROVED : GATEWAY_PENDING;
	}
	json_decref(json);
	return error;
}

/* ---- the API ---- */

static int
payphone_call(struct gateway *gateway, struct gateway_call *call, struct gateway_answer *answer)
{
	struct gateway_field headers[] = { { "Authorization", NULL }, { NULL, NULL } };
	struct buf token = BUF_INIT;
	int error;

	memset(answer, 0, sizeof(*answer));
	buf_printf(&token, "Bearer %s", gateway_credential(gateway, "token"));
	if ((error = buf_error(&token)) == 0) {
		headers[0].value = buf_str(&token);
		call->headers = headers;
		error = gateway_call(gateway, call, answer);
		/* Its documentation gives codes of its own and no status of HTTP. */
		if (error == ICERT_E_DENIED && json_integer_value(json_object_get(answer->json, "errorCode")) == NO_SUCH_SALE)
			error = ICERT_E_NOT_FOUND;
	} else
		json_decref(call->json);
	buf_free(&token);
	return error;
}

static int
payphone_checkout(struct gateway *gateway, const struct gateway_checkout_request *request, struct gateway_checkout *out)
{
	/* The same reference is the same transaction there, and preparing one moves no money. */
	struct gateway_call call = { .path = "/api/button/Prepare", .repeatable = 1 };
	struct gateway_answer answer;
	int error;

	if ((error = reference_write(gateway, request->once, clock_real(), out->id)) != 0)
		return error;
	call.json = json_pack("{s:I,s:I,s:I,s:I,s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "amount", (json_int_t)request->cents,
	    "amountWithTax", (json_int_t)(request->tax > 0 ? request->net : 0),
	    "amountWithoutTax", (json_int_t)(request->tax > 0 ? 0 : request->net), "tax", (json_int_t)request->tax, "service", 0, "tip", 0,
	    "clientTransactionId", out->id, "reference", request->number, "storeId", gateway_credential(gateway, "store_id"),
	    "currency", request->currency, "responseUrl", request->return_url, "cancellationUrl", request->return_url,
	    "optionalParameter1", request->order);
	if (call.json == NULL)
		return ICERT_E_INVALID;
	if ((error = payphone_call(gateway, &call, &answer)) == 0 && gateway_text(answer.json, "payWithCard", out->url, sizeof(out->url), 1) != 0)
		error = ICERT_E_MALFORMED;
	json_decref(answer.json);
	return error;
}

struct sale {
	char id[24];                     /* theirs; "" none yet */
	char order[GATEWAY_ID], currency[4];
	int status, reversed;
	int64_t cents;
};

/* Of the question and of the confirmation alike.  ICERT_E_NOT_FOUND: it is none of this reference, or of our store. */
static int
sale_read(const struct gateway *gateway, const json_t *json, const char *reference, struct sale *out)
{
	const json_t *status = json_object_get(json, "statusCode"), *amount = json_object_get(json, "amount");
	char named[64], store[GATEWAY_CREDENTIAL], word[32];

	memset(out, 0, sizeof(*out));
	if (gateway_text(json, "clientTransactionId", named, sizeof(named), 1) != 0 || !json_is_integer(status) || !json_is_integer(amount) ||
	    json_integer_value(amount) < 0 || gateway_text_or_number(json, "transactionId", out->id, sizeof(out->id), 0) != 0 ||
	    strspn(out->id, "0123456789") != strlen(out->id) || strlen(out->id) > 18 ||
	    gateway_text(json, "currency", out->currency, sizeof(out->currency), 1) != 0 ||
	    gateway_text(json, "storeId", store, sizeof(store), 0) != 0 || gateway_text(json, "transactionStatus", word, sizeof(word), 0) != 0 ||
	    gateway_text(json, "optionalParameter1", out->order, sizeof(out->order), 0) != 0)
		return ICERT_E_MALFORMED;
	if (strcmp(named, reference) != 0 || (store[0] != '\0' && strcmp(store, gateway_credential(gateway, "store_id")) != 0))
		return ICERT_E_NOT_FOUND;
	if (json_integer_value(status) < PENDING || json_integer_value(status) > APPROVED)
		return ICERT_E_MALFORMED;
	out->status = (int)json_integer_value(status);
	out->reversed = strncmp(word, "Revers", 6) == 0;
	out->cents = json_integer_value(amount);
	if (!id_valid(out->order))
		out->order[0] = '\0';
	return 0;
}

/* A second confirmation is answered like the first. */
static int
confirm(struct gateway *gateway, const char *id, const char *reference, struct sale *sale)
{
	struct gateway_call call = { .path = "/api/button/V2/Confirm", .repeatable = 1 };
	struct gateway_answer answer;
	int error;

	if ((call.json = json_pack("{s:I,s:s}", "id", (json_int_t)strtoll(id, NULL, 10), "clientTxId", reference)) == NULL)
		return ICERT_E_INVALID;
	if ((error = payphone_call(gateway, &call, &answer)) == 0)
		error = sale_read(gateway, answer.json, reference, sale);
	json_decref(answer.json);
	return error;
}

static int
payphone_returned(struct gateway *gateway, const char *payment, const struct gateway_return *back)
{
	const char *id = back->parameter(back->arg, "id"), *named = back->parameter(back->arg, "clientTransactionId");
	struct sale sale;

	/* Somebody else's return, or one without a payment: the question says what is. */
	if (id == NULL || named == NULL || !reference_ok(payment) || strcmp(named, payment) != 0 || id[0] == '\0' || strlen(id) > 18 ||
	    strspn(id, "0123456789") != strlen(id) || strcmp(id, "0") == 0)
		return 0;
	return confirm(gateway, id, payment, &sale);
}

struct sale_sum {
	int approved, pending, reversed;
	struct sale last;                /* approved, or else the last */
};

static int
sale_add(struct gateway *gateway, const json_t *json, const char *reference, struct sale_sum *sum)
{
	struct sale sale;
	int error = sale_read(gateway, json, reference, &sale);

	/* Paid, and waiting for our word. */
	if (error == 0 && sale.status == PENDING && sale.id[0] != '\0') {
		char id[sizeof(sale.id)];

		strcpy(id, sale.id);
		error = confirm(gateway, id, reference, &sale);
	}
	/* It was given back meanwhile. */
	if (error == ICERT_E_NOT_FOUND)
		return 0;
	if (error != 0)
		return error;
	sum->approved += sale.status == APPROVED;
	sum->pending += sale.status == PENDING;
	sum->reversed += sale.status == CANCELLED && sale.reversed;
	if (sale.status == APPROVED || sum->approved == 0)
		sum->last = sale;
	return 0;
}

static int
sales(struct gateway *gateway, const char *reference, struct sale_sum *sum)
{
	char path[64];
	struct gateway_call call = { .path = path };
	struct gateway_answer answer;
	int error;

	memset(sum, 0, sizeof(*sum));
	if (!reference_ok(reference))
		return ICERT_E_INVALID;
	snprintf(path, sizeof(path), "/api/Sale/client/%s", reference);
	error = payphone_call(gateway, &call, &answer);
	if (error == 0 && json_is_object(answer.json))
		error = sale_add(gateway, answer.json, reference, sum);
	else if (error == 0 && json_array_size(answer.json) > SALES_MAX)
		error = ICERT_E_MALFORMED;
	else
		for (size_t i = 0; error == 0 && i < json_array_size(answer.json); i++)
			error = sale_add(gateway, json_array_get(answer.json, i), reference, sum);
	json_decref(answer.json);
	/* A form in which nobody has paid is no transaction yet. */
	return error == ICERT_E_NOT_FOUND ? 0 : error;
}

static void
sum_state(const struct sale_sum *sum, const char *reference, int64_t now, struct gateway_payment *out)
{
	strcpy(out->id, reference);
	out->at = reference_time(reference);
	if (sum->last.status != 0) {
		strcpy(out->order, sum->last.order);
		strcpy(out->currency, sum->last.currency);
		out->cents = sum->last.cents;
	}
	out->times = sum->approved;
	out->refunded = sum->reversed > 0 ? sum->last.cents : 0;
	if (sum->approved > 0)
		out->state = GATEWAY_APPROVED;
	else if (sum->reversed > 0)
		out->state = GATEWAY_REFUNDED;
	else if (sum->last.status == CANCELLED && sum->pending == 0)
		out->state = GATEWAY_REJECTED;
	else
		/* A form that is open, if need be with a transaction that nobody has paid: after its time nobody can, and nobody confirms. */
		out->state = now > out->at + 60 + LAST_S ? GATEWAY_EXPIRED : GATEWAY_PENDING;
}

static int
payphone_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	struct sale_sum sum;
	int error = sales(gateway, payment, &sum);

	if (error == 0)
		sum_state(&sum, payment, clock_real(), out);
	return error;
}

/*
 * Only on the day itself, until 20:00 there; later it is refused, and finance gives the money back in another way.  It has no idempotency
 * key: a payment that is no longer approved went back already.
 */
static int
payphone_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	struct gateway_call call = { .path = "/api/Reverse", .scalar = 1 };
	struct gateway_answer answer;
	struct sale_sum sum;
	int error;

	*pending = 0;
	if ((error = sales(gateway, request->payment, &sum)) != 0)
		return error;
	snprintf(id, GATEWAY_ID, "%s", sum.last.id);
	if (sum.approved == 0 && sum.last.status == CANCELLED)
		return 0;
	if (sum.approved != 1 || sum.last.cents != request->cents || strcmp(sum.last.currency, request->currency) != 0 || sum.last.id[0] == '\0')
		return ICERT_E_DENIED;
	if ((call.json = json_pack("{s:I}", "id", (json_int_t)strtoll(sum.last.id, NULL, 10))) == NULL)
		return ICERT_E_INVALID;
	if ((error = payphone_call(gateway, &call, &answer)) == 0 && !json_is_true(answer.json))
		error = ICERT_E_DENIED;
	json_decref(answer.json);
	return error == ICERT_E_NOT_FOUND ? ICERT_E_DENIED : error;
}

const struct gateway_adapter gateway_payphone = {
	.name = "payphone",
	.credentials = { "token", "store_id", "reference_key" },
	.needed = 3,
	.accepted = "{\"Response\":true,\"ErrorCode\":\"000\"}",
	.secret = payphone_secret,
	.verify = payphone_verify,
	.read = payphone_read,
	.checkout = payphone_checkout,
	.returned = payphone_returned,
	.query = payphone_query,
	.refund = payphone_refund,
};
