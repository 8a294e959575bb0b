#include "keys/responder_key.h"
#include "libicert/error.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define RSA_BITS 2048
/* A key of the token is kept as these octets and its label; DER begins otherwise. */
#define IN_TOKEN "pkcs11:"

static int
choose(struct responder_store *s, const struct responder_key *k)
{
	int error;

	if (strcmp(s->chosen, k->label) == 0)
		return 0;
	s->chosen[0] = '\0';
	if ((error = pkcs11_choose(s->token, k->label)) == 0)
		memcpy(s->chosen, k->label, sizeof(s->chosen));
	return error;
}

/* The public half of the token's key of this label. */
static int
open_token(struct responder_store *s, const char *label, struct responder_key *k)
{
	struct buf spki = BUF_INIT;
	const uint8_t *p;
	int error;

	snprintf(k->label, sizeof(k->label), "%s", label);
	if ((error = choose(s, k)) == 0 && (error = pkcs11_spki(s->token, &spki)) == 0) {
		p = spki.p;
		k->key = d2i_PUBKEY(NULL, &p, (long)spki.len);
		error = k->key == NULL ? ICERT_E_CRYPTO : 0;
	}
	buf_free(&spki);
	return error;
}

int
responder_key_make(struct responder_store *s, const char *slot, struct responder_key *k)
{
	int error;

	memset(k, 0, sizeof(*k));
	if (s->token == NULL) {
		k->key = s->kind == RESPONDER_RSA2048 ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
		return k->key == NULL ? ICERT_E_CRYPTO : 0;
	}
	s->chosen[0] = '\0';
	if ((error = pkcs11_destroy(s->token, slot)) != 0)
		return error;
	error = s->kind == RESPONDER_RSA2048 ? pkcs11_make_rsa(s->token, slot, RSA_BITS) : pkcs11_make_p256(s->token, slot);
	return error != 0 ? error : open_token(s, slot, k);
}

void
responder_key_free(struct responder_key *k)
{
	EVP_PKEY_free(k->key);
	memset(k, 0, sizeof(*k));
}

int
responder_key_put(const struct responder_key *k, struct buf *out)
{
	unsigned char *der = NULL;
	int n;

	if (k->label[0] != '\0') {
		buf_printf(out, IN_TOKEN "%s", k->label);
		return buf_error(out);
	}
	if ((n = i2d_PrivateKey(k->key, &der)) <= 0)
		return ICERT_E_CRYPTO;
	buf_put(out, der, (size_t)n);
	bytes_wipe(der, (size_t)n);
	OPENSSL_free(der);
	return buf_error(out);
}

int
responder_key_get(struct responder_store *s, const uint8_t *p, size_t n, struct responder_key *k)
{
	size_t prefix = strlen(IN_TOKEN);
	char label[RESPONDER_LABEL];

	memset(k, 0, sizeof(*k));
	if (n < prefix || memcmp(p, IN_TOKEN, prefix) != 0) {
		k->key = d2i_AutoPrivateKey(NULL, &p, (long)n);
		return k->key == NULL ? ICERT_E_MALFORMED : 0;
	}
	if (s->token == NULL)
		return ICERT_E_UNAVAILABLE;
	if (n - prefix >= sizeof(label))
		return ICERT_E_MALFORMED;
	memcpy(label, p + prefix, n - prefix);
	label[n - prefix] = '\0';
	return open_token(s, label, k);
}

int
responder_key_sign(struct responder_store *s, struct sign_pool *pool, struct responder_key *k, size_t n,
    const uint8_t *const digest[], struct sign_pool_signature *signature)
{
	struct buf one = BUF_INIT;
	size_t i;
	int error;

	if (k->label[0] == '\0')
		return sign_pool_sign(pool, k->key, n, digest, signature);
	error = choose(s, k);
	for (i = 0; i < n && error == 0; i++) {
		buf_reset(&one);
		if ((error = pkcs11_sign(s->token, digest[i], &one)) == 0 && one.len > sizeof(signature[i].bytes))
			error = ICERT_E_TOO_LARGE;
		if (error == 0) {
			memcpy(signature[i].bytes, one.p, one.len);
			signature[i].len = one.len;
		}
	}
	buf_free(&one);
	return error;
}
