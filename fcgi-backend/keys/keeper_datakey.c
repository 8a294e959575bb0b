#include "keys/keeper_record.h"

#include "libicert/error.h"
#include "libicert/normalise.h"
#include "libicert/sealed.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

/* A wrapped data key: kind 1, id 16, the sealed key 61; kind and id are bound by the context. */
#define WRAPPED_ID 1
#define WRAPPED_SEALED 17
_Static_assert(WRAPPED_SEALED + SEALED_OVERHEAD + 32 == KEEPER_WRAPPED, "a wrapped key has its stated size");

#define KIND(k) (1u << (k))
#define PERSONAL (KIND(DATAKEY_CONTACT) | KIND(DATAKEY_ORDER) | KIND(DATAKEY_CASE))

/* Which kinds of data keys the client of a socket may have made, and unwrapped. */
static const struct {
	const char *socket;
	unsigned make;
	unsigned unwrap;
} kinds[] = {
	{ "keeper-portal", PERSONAL, PERSONAL },
	{ "keeper-desk", KIND(DATAKEY_CASE), PERSONAL },
	{ "keeper-issuer", 0, KIND(DATAKEY_CONTACT) | KIND(DATAKEY_CASE) },
	{ "keeper-clerk", KIND(DATAKEY_PAYMENTS_MONTH), PERSONAL | KIND(DATAKEY_PAYMENTS_MONTH) },
	{ "keeper-admin", KIND(DATAKEY_PAYMENTS_MONTH), 0 }
};

static int
kind_allowed(const char *socket, uint8_t kind, int unwrap)
{
	if (kind < DATAKEY_CONTACT || kind > DATAKEY_PAYMENTS_MONTH)
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].socket, socket) == 0)
			return ((unwrap ? kinds[i].unwrap : kinds[i].make) & KIND(kind)) != 0;
	return 0;
}

static void
datakey_context(char out[64], uint8_t kind, const uint8_t id[16])
{
	char text[ID_TEXT];

	id_text(id, text);
	snprintf(out, 64, "datakey|%u|%s", kind, text);
}

static int
wrap(const struct keeper *k, uint8_t kind, const uint8_t id[16], const uint8_t key[32], uint8_t out[KEEPER_WRAPPED])
{
	char context[64];
	struct buf sealed = BUF_INIT;
	int error;

	datakey_context(context, kind, id);
	error = sealed_make(k->wrap_key, context, key, 32, &sealed);
	if (error == 0) {
		out[0] = kind;
		memcpy(out + WRAPPED_ID, id, 16);
		memcpy(out + WRAPPED_SEALED, sealed.p, KEEPER_WRAPPED - WRAPPED_SEALED);
	}
	buf_free(&sealed);
	return error;
}

int
keeper_on_datakey_new(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct keeper *k = ctx;
	uint8_t kind = message_get(q->message, TAG_KIND, 0)->p[0];
	uint8_t id[16];
	uint8_t key[32];
	uint8_t wrapped[KEEPER_WRAPPED];
	char text[ID_TEXT];
	int error;

	if (!kind_allowed(q->socket, kind, 0))
		return ICERT_E_DENIED;
	error = id_new(text);
	if (error == 0)
		error = id_raw(text, id);
	if (error == 0)
		error = bytes_random(key, sizeof(key));
	if (error == 0)
		error = wrap(k, kind, id, key, wrapped);
	if (error == 0) {
		message_put(&r->body, TAG_ID, id, sizeof(id));
		message_put(&r->body, TAG_KEY, key, sizeof(key));
		message_put(&r->body, TAG_WRAPPED, wrapped, sizeof(wrapped));
	}
	bytes_wipe(key, sizeof(key));
	return error;
}

static int
unwrap(const struct keeper *k, const char *socket, const uint8_t *wrapped, struct buf *key)
{
	char context[64];

	if (!kind_allowed(socket, wrapped[0], 1))
		return ICERT_E_DENIED;
	if (id_list_has(&k->destroyed, DESTROYED_DATAKEY, wrapped + WRAPPED_ID))
		return ICERT_E_DESTROYED;
	datakey_context(context, wrapped[0], wrapped + WRAPPED_ID);
	return sealed_open(k->wrap_key, context, wrapped + WRAPPED_SEALED, KEEPER_WRAPPED - WRAPPED_SEALED, key);
}

int
keeper_on_datakey_unwrap(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct buf key = BUF_INIT;
	int error = 0;

	for (size_t i = 0; error == 0 && i < q->message->n; i++) {
		buf_reset(&key);
		error = unwrap(ctx, q->socket, q->message->field[i].p, &key);
		if (error == 0)
			message_put(&r->body, TAG_KEY, key.p, key.len);
	}
	buf_free(&key);
	return error;
}

int
keeper_on_datakey_destroy(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct keeper *k = ctx;

	(void)r;
	return id_list_add(&k->destroyed, DESTROYED_DATAKEY, message_get(q->message, TAG_ID, 0)->p);
}

static int
label_valid(const char *label)
{
	if (*label == 0)
		return 0;
	for (; *label != 0; label++)
		if (!(*label >= 'a' && *label <= 'z') && *label != '-')
			return 0;
	return 1;
}

/* HMAC-SHA-256 of label, NUL, text: no label is the beginning of another. */
int
keeper_hash(const struct keeper *k, const char *label, const char *text, uint8_t out[32])
{
	char normal[NORMALISED_MAX + 1];
	struct buf b = BUF_INIT;
	unsigned len = 32;
	int error = 0;

	if (!label_valid(label))
		return ICERT_E_INVALID;
	if (strcmp(label, "person") == 0)
		error = normalise_person(text, normal, sizeof(normal));
	else if (strcmp(label, "email") == 0)
		error = normalise_email(text, normal, sizeof(normal));
	else
		snprintf(normal, sizeof(normal), "%s", text);
	if (error != 0)
		return ICERT_E_INVALID;
	buf_put(&b, label, strlen(label) + 1);
	buf_puts(&b, normal);
	error = buf_error(&b);
	if (error == 0 && HMAC(EVP_sha256(), k->lookup_key, 32, b.p, b.len, out, &len) == NULL)
		error = ICERT_E_CRYPTO;
	bytes_wipe(normal, sizeof(normal));
	buf_free(&b);
	return error;
}

int
keeper_on_lookup(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char label[33];
	char text[NORMALISED_MAX + 1];
	uint8_t hash[32];
	int error = message_string(q->message, TAG_LABEL, label, sizeof(label));

	for (size_t i = 0; error == 0 && i < message_count(q->message, TAG_TEXT); i++) {
		const struct message_field *f = message_get(q->message, TAG_TEXT, i);

		if (memchr(f->p, 0, f->len) != NULL)
			return ICERT_E_MALFORMED;
		memcpy(text, f->p, f->len);
		text[f->len] = 0;
		error = keeper_hash(ctx, label, text, hash);
		if (error == 0)
			message_put(&r->body, TAG_HASH, hash, sizeof(hash));
	}
	bytes_wipe(text, sizeof(text));
	return error;
}
