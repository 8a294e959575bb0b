/*
 * The manifest: it is sealed here first, so that what is behind the seal is reached; as it comes, it is refused.
 */
#include "libicert/status_write.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint8_t seed[STATUS_SEAL_KEY] = { 1 };

static void
manifest(const uint8_t *data, size_t len)
{
	static struct status_manifest m;
	static EVP_PKEY *key;
	static uint8_t public_key[STATUS_SEAL_KEY];
	uint8_t bytes[STATUS_MANIFEST_MAX];
	size_t n = STATUS_SEAL;
	EVP_MD_CTX *ctx;

	if (len > sizeof(bytes) - STATUS_SEAL)
		return;
	if (key == NULL) {
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
		status_seal_public(seed, public_key);
	}
	if (status_manifest_read(&m, data, len, public_key) == 0)
		abort();
	memcpy(bytes, data, len);
	ctx = EVP_MD_CTX_new();
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, bytes + len, &n, bytes, len) == 1 &&
	    status_manifest_read(&m, bytes, len + STATUS_SEAL, public_key) == 0) {
		for (uint32_t i = 0; i < m.count; i++)
			if (strchr(m.entry[i].file, '/') != NULL || m.entry[i].file[0] == '.' ||
			    strlen(m.entry[i].name) > STATUS_NAME_MAX)
				abort();
		n = sizeof(bytes);
		if (status_manifest_seal(&m, seed, bytes, &n) != 0 || n != len + STATUS_SEAL ||
		    memcmp(bytes, data, len) != 0)
			abort();
	}
	EVP_MD_CTX_free(ctx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	manifest(data, len);
	return 0;
}
