#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "libicert/status_file.h"
#include "libicert/status_format.h"
#include "libicert/status_write.h"

int
status_write_file(int dirfd, enum status_kind kind, const char *name, const char *file,
    const void *bytes, size_t len, int64_t this_update, int64_t next_update,
    struct status_entry *entry)
{
	struct status_file	f;
	int			rc;

	memset(entry, 0, sizeof(*entry));
	if (strlen(name) > STATUS_NAME_MAX || strlen(file) > STATUS_FILE_MAX || len == 0)
		return ICERT_E_TOO_LARGE;
	if ((rc = status_file_open(&f, dirfd, file)) == 0 &&
	    (rc = status_file_append(&f, bytes, len)) == 0)
		rc = status_file_commit(&f);
	status_file_abort(&f);
	if (rc != 0)
		return rc;
	entry->kind = kind;
	strcpy(entry->name, name);
	strcpy(entry->file, file);
	entry->size = len;
	entry->this_update = this_update;
	entry->next_update = next_update;
	SHA256(bytes, len, entry->digest);
	return 0;
}

static int
seal_make(const uint8_t *seed, const uint8_t *bytes, size_t len, uint8_t *signature)
{
	size_t		 signature_len = STATUS_SEAL;
	EVP_PKEY	*key;
	EVP_MD_CTX	*ctx = NULL;
	int		 rc = ICERT_E_MEMORY;

	if ((key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
	    STATUS_SEAL_KEY)) == NULL)
		return ICERT_E_MALFORMED;
	if ((ctx = EVP_MD_CTX_new()) != NULL &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, signature, &signature_len, bytes, len) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}

int
status_manifest_seal(const struct status_manifest *m, const uint8_t seed[STATUS_SEAL_KEY],
    uint8_t *out, size_t *len)
{
	uint8_t	*p = out + MH_SIZE;
	size_t	 size;

	if (m->count > STATUS_ENTRIES_MAX)
		return ICERT_E_TOO_LARGE;
	size = MH_SIZE + (size_t)m->count * ME_SIZE;
	if (*len < size + STATUS_SEAL)
		return ICERT_E_TOO_LARGE;
	memset(out, 0, size);
	memcpy(out + MH_MAGIC, MANIFEST_MAGIC, 8);
	put32(out + MH_VERSION, STATUS_VERSION);
	put32(out + MH_COUNT, m->count);
	put64(out + MH_EPOCH, m->epoch);
	put64(out + MH_HEARTBEAT, (uint64_t)m->heartbeat);
	for (uint32_t i = 0; i < m->count; i++, p += ME_SIZE) {
		const struct status_entry	*e = &m->entry[i];

		put32(p + ME_KIND, (uint32_t)e->kind);
		memcpy(p + ME_NAME, e->name, strnlen(e->name, STATUS_NAME_MAX));
		memcpy(p + ME_FILE, e->file, strnlen(e->file, STATUS_FILE_MAX));
		put64(p + ME_ENTRY_SIZE, e->size);
		put64(p + ME_THIS_UPDATE, (uint64_t)e->this_update);
		put64(p + ME_NEXT_UPDATE, (uint64_t)e->next_update);
		memcpy(p + ME_DIGEST, e->digest, STATUS_DIGEST);
	}
	*len = size + STATUS_SEAL;
	return seal_make(seed, out, size, out + size);
}

int
status_manifest_write(int dirfd, const struct status_manifest *m,
    const uint8_t seed[STATUS_SEAL_KEY])
{
	struct status_file	f;
	uint8_t			bytes[STATUS_MANIFEST_MAX];
	size_t			len = sizeof(bytes);
	int			rc;

	if ((rc = status_manifest_seal(m, seed, bytes, &len)) != 0)
		return rc;
	if ((rc = status_file_open(&f, dirfd, STATUS_MANIFEST_FILE)) == 0 &&
	    (rc = status_file_append(&f, bytes, len)) == 0)
		rc = status_file_commit(&f);
	status_file_abort(&f);
	return rc;
}

int
status_seal_public(const uint8_t seed[STATUS_SEAL_KEY], uint8_t public_key[STATUS_SEAL_KEY])
{
	size_t		 len = STATUS_SEAL_KEY;
	EVP_PKEY	*key;
	int		 rc = ICERT_E_MALFORMED;

	if ((key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
	    STATUS_SEAL_KEY)) != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1)
		rc = 0;
	EVP_PKEY_free(key);
	return rc;
}
