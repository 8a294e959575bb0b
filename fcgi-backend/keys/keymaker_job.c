#include "keys/keymaker_job.h"

#include "libicert/error.h"
#include "libicert/id.h"
#include "libicert/sealed.h"
#include "pki/pkcs12.h"
#include "pki/spki.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define KEY_BITS 2048

static int
seal_part(const uint8_t case_id[16], const char *label, const uint8_t *key, const void *plain, size_t len, struct buf *out)
{
	char context[DELIVERY_CONTEXT];

	delivery_context(context, case_id, label);
	return sealed_make(key, context, plain, len, out);
}

/* PKCS#8, DER. */
static int
private_der(EVP_PKEY *key, struct buf *out)
{
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int len = p8 == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(p8, &der);

	PKCS8_PRIV_KEY_INFO_free(p8);
	if (len <= 0)
		return ICERT_E_CRYPTO;
	buf_put(out, der, (size_t)len);
	OPENSSL_clear_free(der, (size_t)len);
	return buf_error(out);
}

static int
public_der(EVP_PKEY *key, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	if (len <= 0)
		return ICERT_E_CRYPTO;
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	return buf_error(out);
}

int
keymaker_on_make(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *case_id = message_get(q->message, TAG_CASE, 0)->p;
	struct buf plain = BUF_INIT;
	struct buf sealed = BUF_INIT;
	struct buf spki = BUF_INIT;
	EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
	const char *why;
	int error = key == NULL ? ICERT_E_CRYPTO : private_der(key, &plain);

	(void)ctx;
	if (error == 0)
		error = public_der(key, &spki);
	/* The rules that the signer will apply; a random key breaks none. */
	if (error == 0)
		error = spki_check_rsa(spki.p, spki.len, KEY_BITS, &why);
	if (error == 0)
		error = seal_part(case_id, DELIVERY_PRIVATE, message_get(q->message, TAG_KEY, 0)->p, plain.p, plain.len, &sealed);
	if (error == 0) {
		message_put(&r->body, TAG_SEALED, sealed.p, sealed.len);
		message_put(&r->body, TAG_SPKI, spki.p, spki.len);
	}
	EVP_PKEY_free(key);
	buf_free(&plain);
	buf_free(&sealed);
	buf_free(&spki);
	return error;
}

/* Digits and capitals without I, O, 0 and 1. */
static const char letters[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
_Static_assert(sizeof(letters) == 33, "five bits a character");

int
secret_word(char *out, unsigned groups)
{
	uint8_t byte;

	for (unsigned i = 0; i < 5 * groups; i++) {
		if (i % 5 == 4) {
			out[i] = '-';
			continue;
		}
		if (bytes_random(&byte, 1) != 0)
			return ICERT_E_SYSTEM;
		out[i] = letters[byte & 31];
	}
	out[5 * groups - 1] = 0;
	return 0;
}

/* SHA-256 of the code as a person may type it: without its hyphens. */
static int
hash_code(const char *code, uint8_t out[32])
{
	struct buf b = BUF_INIT;
	int ok;

	for (; *code != 0; code++)
		if (*code != '-')
			buf_putc(&b, *code);
	ok = buf_error(&b) == 0 && EVP_Digest(b.p, b.len, out, NULL, EVP_sha256(), NULL) == 1;
	buf_free(&b);
	return ok ? 0 : ICERT_E_CRYPTO;
}

/* Both secrets are of letters, digits and hyphens: nothing in them needs escaping.  No password when there is no file. */
static int
make_envelope(const uint8_t *case_id, const uint8_t *key, const char *password, const char *code, struct buf *out)
{
	struct buf json = BUF_INIT;
	int error;

	if (password != NULL)
		buf_printf(&json, "{\"password\":\"%s\",\"revocation_code\":\"%s\"}", password, code);
	else
		buf_printf(&json, "{\"revocation_code\":\"%s\"}", code);
	error = buf_error(&json);
	if (error == 0)
		error = seal_part(case_id, DELIVERY_ENVELOPE, key, json.p, json.len, out);
	buf_free(&json);
	return error;
}

static int
make_file(const struct keymaker *k, const struct message *m, const char *password, const struct buf *private_key, struct buf *out)
{
	char name[257];
	struct pkcs12 in = {
		.key = private_key->p,
		.key_len = private_key->len,
		.n = message_count(m, TAG_CERT),
		.friendly_name = name,
		.password = password,
		.profile = (enum pkcs12_profile)message_get(m, TAG_PROFILE, 0)->p[0],
		.iterations = k->iterations
	};
	int error = message_string(m, TAG_TEXT, name, sizeof(name));

	for (size_t i = 0; i < in.n; i++) {
		in.cert[i].der = message_get(m, TAG_CERT, i)->p;
		in.cert[i].len = message_get(m, TAG_CERT, i)->len;
	}
	return error != 0 ? error : pkcs12_make(&in, out);
}

int
keymaker_on_pack(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const struct message *m = q->message;
	const uint8_t *case_id = message_get(m, TAG_CASE, 0)->p;
	const struct message_field *sealed = message_get(m, TAG_SEALED, 0);
	char password[5 * PASSWORD_GROUPS];
	char code[5 * REVOCATION_GROUPS];
	char context[DELIVERY_CONTEXT];
	uint8_t code_hash[32];
	struct buf private_key = BUF_INIT, file = BUF_INIT, sealed_file = BUF_INIT, envelope = BUF_INIT;
	int error;

	delivery_context(context, case_id, DELIVERY_PRIVATE);
	error = sealed_open(message_get(m, TAG_KEY_PRIVATE, 0)->p, context, sealed->p, sealed->len, &private_key);
	if (error == 0)
		error = secret_word(password, PASSWORD_GROUPS);
	if (error == 0)
		error = secret_word(code, REVOCATION_GROUPS);
	if (error == 0)
		error = hash_code(code, code_hash);
	if (error == 0)
		error = make_file(ctx, m, password, &private_key, &file);
	if (error == 0)
		error = seal_part(case_id, DELIVERY_PKCS12, message_get(m, TAG_KEY_PKCS12, 0)->p, file.p, file.len, &sealed_file);
	if (error == 0)
		error = make_envelope(case_id, message_get(m, TAG_KEY_ENVELOPE, 0)->p, password, code, &envelope);
	if (error == 0) {
		message_put(&r->body, TAG_SEALED_PKCS12, sealed_file.p, sealed_file.len);
		message_put(&r->body, TAG_SEALED_ENVELOPE, envelope.p, envelope.len);
		message_put(&r->body, TAG_HASH, code_hash, sizeof(code_hash));
	}
	bytes_wipe(password, sizeof(password));
	bytes_wipe(code, sizeof(code));
	buf_free(&private_key);
	buf_free(&file);
	buf_free(&sealed_file);
	buf_free(&envelope);
	return error;
}

int
keymaker_on_envelope(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const struct message *m = q->message;
	char code[5 * REVOCATION_GROUPS];
	struct buf envelope = BUF_INIT;
	uint8_t code_hash[32];
	int error = secret_word(code, REVOCATION_GROUPS);

	(void)ctx;
	if (error == 0)
		error = hash_code(code, code_hash);
	if (error == 0)
		error = make_envelope(message_get(m, TAG_CASE, 0)->p, message_get(m, TAG_KEY_ENVELOPE, 0)->p, NULL, code, &envelope);
	if (error == 0) {
		message_put(&r->body, TAG_SEALED_ENVELOPE, envelope.p, envelope.len);
		message_put(&r->body, TAG_HASH, code_hash, sizeof(code_hash));
	}
	bytes_wipe(code, sizeof(code));
	buf_free(&envelope);
	return error;
}
