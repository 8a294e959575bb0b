/*
 * The status store's reader: a segment that was damaged gives an error or an
 * answer inside the map, never anything else.  A manifest is sealed here
 * first, so that what is behind the seal is reached.
 */
#include "libicert/status_write.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint8_t seed[STATUS_SEAL_KEY] = { 1 };

static void
inside(const struct status_segment *s, const uint8_t *p, size_t n)
{
	if (p != NULL && (p < s->map || n > s->size || (size_t)(p - s->map) > s->size - n))
		abort();
}

static void
segment(const uint8_t *data, size_t len)
{
	struct status_segment s;
	struct status_record r;
	struct status_key key;
	uint64_t cursor = 0;
	uint8_t hash[32] = { 0 }, serial[2];

	if (status_segment_init(&s, data, len, NULL) != 0)
		return;
	status_segment_verify(&s);
	status_segment_issuer(&s, STATUS_SHA1, hash, hash);
	status_segment_issuer(&s, STATUS_SHA256, hash, hash);
	while (status_segment_next(&s, &cursor, &key, &r) == 1)
		inside(&s, key.serial, key.serial_len);
	for (unsigned n = 0; n < 512; n++) {
		serial[0] = (uint8_t)(n + 8);
		serial[1] = (uint8_t)n;
		if (status_segment_find(&s, n & 1, serial, 1 + (n & 1), &r) != 1)
			continue;
		for (int a = 0; a < STATUS_ALGORITHMS; a++) {
			inside(&s, r.answer[a].head, r.answer[a].head_len);
			inside(&s, r.answer[a].tail, r.answer[a].tail_len);
		}
	}
}

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
	segment(data, len);
	if (len >= 8 && memcmp(data, "icertMAN", 8) == 0)
		manifest(data, len);
	return 0;
}
