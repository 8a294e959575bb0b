#include "crypt/keeper.h"

#include "crypt/call.h"
#include "libicert/error.h"

#include <string.h>

int
keeper_datakey_new(struct keyclient *client, enum datakey_kind kind, char id[ID_TEXT], uint8_t key[32],
    uint8_t wrapped[KEEPER_WRAPPED])
{
	uint8_t raw[ID_RAW];
	struct call c;

	call_begin(&c, client, OP_DATAKEY_NEW);
	call_byte(&c, TAG_KIND, (int)kind);
	if (call_do(&c, 1) == 0) {
		call_get(&c, TAG_ID, raw, sizeof(raw));
		call_get(&c, TAG_KEY, key, 32);
		call_get(&c, TAG_WRAPPED, wrapped, KEEPER_WRAPPED);
	}
	if (c.error == 0)
		id_text(raw, id);
	return call_end(&c);
}

static int
unwrap_batch(struct keyclient *client, size_t n, const uint8_t wrapped[][KEEPER_WRAPPED], uint8_t key[][32])
{
	struct call c;

	call_begin(&c, client, OP_DATAKEY_UNWRAP);
	for (size_t i = 0; i < n; i++)
		call_bytes(&c, TAG_WRAPPED, wrapped[i], KEEPER_WRAPPED);
	if (call_do(&c, 1) == 0 && c.reply.n != n)
		c.error = ICERT_E_MALFORMED;
	for (size_t i = 0; c.error == 0 && i < n; i++)
		memcpy(key[i], c.reply.field[i].p, 32);
	return call_end(&c);
}

int
keeper_datakey_unwrap(struct keyclient *client, size_t n, const uint8_t wrapped[][KEEPER_WRAPPED], uint8_t key[][32])
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < n; i += KEEPER_BATCH)
		error = unwrap_batch(client, n - i < KEEPER_BATCH ? n - i : KEEPER_BATCH, wrapped + i, key + i);
	return error;
}

int
keeper_datakey_destroy(struct keyclient *client, const char *id)
{
	struct call c;

	call_begin(&c, client, OP_DATAKEY_DESTROY);
	call_id(&c, TAG_ID, id);
	call_do(&c, 1);
	return call_end(&c);
}

static int
lookup_batch(struct keyclient *client, const char *label, size_t n, const char *const text[], uint8_t out[][32])
{
	struct call c;

	call_begin(&c, client, OP_LOOKUP);
	call_string(&c, TAG_LABEL, label);
	for (size_t i = 0; i < n; i++)
		call_string(&c, TAG_TEXT, text[i]);
	if (call_do(&c, 1) == 0 && c.reply.n != n)
		c.error = ICERT_E_MALFORMED;
	for (size_t i = 0; c.error == 0 && i < n; i++)
		memcpy(out[i], c.reply.field[i].p, 32);
	return call_end(&c);
}

/* So that texts of the greatest length still fit into one message. */
#define LOOKUP_BATCH 128

int
keeper_lookup_many(struct keyclient *client, const char *label, size_t n, const char *const text[], uint8_t out[][32])
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < n; i += LOOKUP_BATCH)
		error = lookup_batch(client, label, n - i < LOOKUP_BATCH ? n - i : LOOKUP_BATCH, text + i, out + i);
	return error;
}

int
keeper_lookup(struct keyclient *client, const char *label, const char *text, uint8_t out[32])
{
	uint8_t one[1][32];
	int error = keeper_lookup_many(client, label, 1, &text, one);

	if (error == 0)
		memcpy(out, one[0], 32);
	return error;
}

int
keeper_totp_verify(struct keyclient *client, const char *staff_id, const char *code)
{
	struct call c;

	call_begin(&c, client, OP_TOTP_VERIFY);
	call_id(&c, TAG_STAFF, staff_id);
	call_string(&c, TAG_CODE, code);
	call_do(&c, 0);
	return call_end(&c);
}

int
keeper_totp_enrol(struct keyclient *client, const char *staff_id, const char *cedula, uint8_t seed[TOTP_SEED])
{
	struct call c;

	call_begin(&c, client, OP_TOTP_ENROL);
	call_id(&c, TAG_STAFF, staff_id);
	call_string(&c, TAG_TEXT, cedula);
	call_do(&c, 1);
	call_get(&c, TAG_SEED, seed, TOTP_SEED);
	return call_end(&c);
}

int
keeper_staff_passport(struct keyclient *client, const char *staff_id, const char *number)
{
	struct call c;

	call_begin(&c, client, OP_STAFF_PASSPORT);
	call_id(&c, TAG_STAFF, staff_id);
	call_string(&c, TAG_TEXT, number);
	call_do(&c, 1);
	return call_end(&c);
}

int
keeper_totp_last(struct keyclient *client, const char *staff_id, uint64_t *step)
{
	struct call c;

	call_begin(&c, client, OP_TOTP_LAST);
	call_id(&c, TAG_STAFF, staff_id);
	if (call_do(&c, 1) == 0)
		*step = message_number(&c.reply, TAG_NUMBER, 0);
	return call_end(&c);
}

int
keeper_totp_forget(struct keyclient *client, const char *staff_id)
{
	struct call c;

	call_begin(&c, client, OP_TOTP_FORGET);
	call_id(&c, TAG_STAFF, staff_id);
	call_do(&c, 1);
	return call_end(&c);
}

int
keeper_accept(struct keyclient *client, const char *case_id, const struct cert_fields *fields, struct statement *out)
{
	struct call c;

	call_begin(&c, client, OP_ACCEPT);
	call_id(&c, TAG_CASE, case_id);
	call_fields(&c, TAG_FIELDS, fields);
	call_do(&c, 1);
	call_get_statement(&c, TAG_STATEMENT, out);
	return call_end(&c);
}

int
keeper_approve(struct keyclient *client, enum approval_kind kind, const char *case_id, const struct cert_fields *fields,
    const char *staff_id, const char *code, struct statement *out)
{
	struct call c;

	call_begin(&c, client, OP_APPROVE);
	call_byte(&c, TAG_KIND, (int)kind);
	call_id(&c, TAG_CASE, case_id);
	call_fields(&c, TAG_FIELDS, fields);
	call_id(&c, TAG_STAFF, staff_id);
	call_string(&c, TAG_CODE, code);
	call_do(&c, 0);
	call_get_statement(&c, TAG_STATEMENT, out);
	return call_end(&c);
}

static int
delivery(struct keyclient *client, uint16_t op, const char *case_id, const char *label, uint8_t *key)
{
	struct call c;

	call_begin(&c, client, op);
	call_id(&c, TAG_CASE, case_id);
	call_string(&c, TAG_LABEL, label);
	call_do(&c, 1);
	if (key != NULL)
		call_get(&c, TAG_KEY, key, 32);
	return call_end(&c);
}

int
keeper_delivery_new(struct keyclient *client, const char *case_id, const char *label, uint8_t key[32])
{
	return delivery(client, OP_DELIVERY_NEW, case_id, label, key);
}

int
keeper_delivery_get(struct keyclient *client, const char *case_id, const char *label, uint8_t key[32])
{
	return delivery(client, OP_DELIVERY_GET, case_id, label, key);
}

int
keeper_delivery_destroy(struct keyclient *client, const char *case_id, const char *label)
{
	return delivery(client, OP_DELIVERY_DESTROY, case_id, label, NULL);
}

int
keeper_envelope_new(struct keyclient *client, const char *case_id, uint8_t key[32])
{
	struct call c;

	call_begin(&c, client, OP_ENVELOPE_NEW);
	call_id(&c, TAG_CASE, case_id);
	call_do(&c, 1);
	call_get(&c, TAG_KEY, key, 32);
	return call_end(&c);
}

int
keeper_opening_code_take(struct keyclient *client, const char *case_id, const char *staff_id, char code[OPENING_DIGITS + 1])
{
	struct call c;

	call_begin(&c, client, OP_OPENING_CODE_TAKE);
	call_id(&c, TAG_CASE, case_id);
	call_id(&c, TAG_STAFF, staff_id);
	if (call_do(&c, 1) == 0)
		c.error = message_string(&c.reply, TAG_CODE, code, OPENING_DIGITS + 1);
	return call_end(&c);
}

int
keeper_opening_code_told(struct keyclient *client, const char *case_id, const char *staff_id)
{
	struct call c;

	call_begin(&c, client, OP_OPENING_CODE_TOLD);
	call_id(&c, TAG_CASE, case_id);
	call_id(&c, TAG_STAFF, staff_id);
	call_do(&c, 1);
	return call_end(&c);
}

int
keeper_envelope_renew(struct keyclient *client, const char *case_id, const char *staff_id, const char *totp)
{
	struct call c;

	call_begin(&c, client, OP_ENVELOPE_RENEW);
	call_id(&c, TAG_CASE, case_id);
	call_id(&c, TAG_STAFF, staff_id);
	call_string(&c, TAG_CODE, totp);
	call_do(&c, 0);
	return call_end(&c);
}

int
keeper_envelope_open(struct keyclient *client, const char *case_id, const uint8_t session_hash[32], const char *code,
    uint8_t key[32], int *tries_left)
{
	struct call c;

	call_begin(&c, client, OP_ENVELOPE_OPEN);
	call_id(&c, TAG_CASE, case_id);
	call_bytes(&c, TAG_SESSION, session_hash, 32);
	if (code != NULL)
		call_string(&c, TAG_CODE, code);
	call_do(&c, 0);
	if (tries_left != NULL)
		*tries_left = (int)message_number(&c.reply, TAG_TRIES, 0);
	call_get(&c, TAG_KEY, key, 32);
	return call_end(&c);
}

int
keeper_envelope_done(struct keyclient *client, const char *case_id, const uint8_t session_hash[32])
{
	struct call c;

	call_begin(&c, client, OP_ENVELOPE_DONE);
	call_id(&c, TAG_CASE, case_id);
	call_bytes(&c, TAG_SESSION, session_hash, 32);
	call_do(&c, 1);
	return call_end(&c);
}
