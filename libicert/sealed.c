#include "libicert/sealed.h"

#include "libicert/error.h"

#include <openssl/evp.h>
#include <string.h>

#define VERSION 1
#define NONCE 12
#define TAG 16

int
sealed_make(const uint8_t key[SEALED_KEY], const char *context, const void *plain, size_t len, struct buf *out)
{
	EVP_CIPHER_CTX *ctx;
	uint8_t *p;
	int n;
	int ok;

	if (len > SEALED_MAX)
		return ICERT_E_TOO_LARGE;
	p = buf_room(out, SEALED_OVERHEAD + len);
	if (p == NULL)
		return buf_error(out);
	p[0] = VERSION;
	if (bytes_random(p + 1, NONCE) != 0)
		return ICERT_E_SYSTEM;
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, p + 1) == 1 &&
	    EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)context, (int)strlen(context)) == 1 &&
	    (len == 0 || EVP_EncryptUpdate(ctx, p + 1 + NONCE, &n, plain, (int)len) == 1) &&
	    EVP_EncryptFinal_ex(ctx, p + 1 + NONCE + len, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, p + 1 + NONCE + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		return ICERT_E_CRYPTO;
	buf_took(out, SEALED_OVERHEAD + len);
	return 0;
}

int
sealed_open(const uint8_t key[SEALED_KEY], const char *context, const void *sealed, size_t len, struct buf *out)
{
	const uint8_t *s = sealed;
	EVP_CIPHER_CTX *ctx;
	uint8_t tag[TAG];
	uint8_t *p;
	size_t plain;
	int n;
	int ready;
	int error;

	if (len < SEALED_OVERHEAD || len > SEALED_OVERHEAD + SEALED_MAX || s[0] != VERSION)
		return ICERT_E_MALFORMED;
	plain = len - SEALED_OVERHEAD;
	p = buf_room(out, plain);
	if (p == NULL)
		return buf_error(out);
	memcpy(tag, s + len - TAG, TAG);
	ctx = EVP_CIPHER_CTX_new();
	ready = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, s + 1) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)context, (int)strlen(context)) == 1 &&
	    (plain == 0 || EVP_DecryptUpdate(ctx, p, &n, s + 1 + NONCE, (int)plain) == 1) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1;
	if (!ready)
		error = ICERT_E_CRYPTO;
	else
		error = EVP_DecryptFinal_ex(ctx, p + plain, &n) == 1 ? 0 : ICERT_E_FORGED;
	EVP_CIPHER_CTX_free(ctx);
	if (error == 0)
		buf_took(out, plain);
	else
		bytes_wipe(p, plain);	/* nothing unverified is left behind */
	return error;
}
