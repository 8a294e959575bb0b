#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "libicert/status.h"
#include "libicert/status_format.h"

static int
seal_verify(const uint8_t *bytes, size_t len, const uint8_t *public_key)
{
	EVP_PKEY	*key;
	EVP_MD_CTX	*ctx = NULL;
	int		 rc = ICERT_E_MEMORY;

	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, STATUS_SEAL_KEY);
	if (key == NULL)
		return ICERT_E_FORGED;
	if ((ctx = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) != 1)
		goto out;
	rc = EVP_DigestVerify(ctx, bytes + len - STATUS_SEAL, STATUS_SEAL, bytes,
	    len - STATUS_SEAL) == 1 ? 0 : ICERT_E_FORGED;
out:
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}

/*
 * Text padded with NUL to room octets, of which the last is always NUL.  A
 * file name stays in its folder: no slash, no leading dot.
 */
static int
text_read(char *out, const uint8_t *p, size_t room)
{
	size_t	len = strnlen((const char *)p, room);

	if (len == 0 || len == room || p[0] == '.' || memchr(p, '/', len) != NULL)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] > '~')
			return -1;
	for (size_t i = len; i < room; i++)
		if (p[i] != 0)
			return -1;
	memcpy(out, p, room);
	return 0;
}

static int
entry_read(struct status_entry *e, const uint8_t *p)
{
	uint32_t	kind = get32(p + ME_KIND);

	if (kind < STATUS_KIND_SEGMENT || kind > STATUS_KIND_CA || get32(p + ME_RESERVED) != 0 ||
	    text_read(e->name, p + ME_NAME, sizeof(e->name)) != 0 ||
	    text_read(e->file, p + ME_FILE, sizeof(e->file)) != 0)
		return -1;
	e->kind = (enum status_kind)kind;
	e->size = get64(p + ME_ENTRY_SIZE);
	e->this_update = (int64_t)get64(p + ME_THIS_UPDATE);
	e->next_update = (int64_t)get64(p + ME_NEXT_UPDATE);
	memcpy(e->digest, p + ME_DIGEST, STATUS_DIGEST);
	return e->size == 0 || e->size > INT64_MAX ? -1 : 0;
}

int
status_manifest_read(struct status_manifest *m, const void *bytes, size_t len,
    const uint8_t public_key[STATUS_SEAL_KEY])
{
	const uint8_t	*p = bytes;
	int		 rc;

	memset(m, 0, sizeof(*m));
	if (len < MH_SIZE + STATUS_SEAL || len > STATUS_MANIFEST_MAX ||
	    memcmp(p + MH_MAGIC, MANIFEST_MAGIC, 8) != 0)
		return ICERT_E_MALFORMED;
	if ((rc = seal_verify(p, len, public_key)) != 0)
		return rc;
	m->count = get32(p + MH_COUNT);
	if (get32(p + MH_VERSION) != STATUS_VERSION || m->count > STATUS_ENTRIES_MAX ||
	    len != MH_SIZE + (size_t)m->count * ME_SIZE + STATUS_SEAL)
		return ICERT_E_MALFORMED;
	m->epoch = get64(p + MH_EPOCH);
	m->heartbeat = (int64_t)get64(p + MH_HEARTBEAT);
	for (uint32_t i = 0; i < m->count; i++)
		if (entry_read(&m->entry[i], p + MH_SIZE + (size_t)i * ME_SIZE) != 0)
			return ICERT_E_MALFORMED;
	return 0;
}

const struct status_entry *
status_manifest_entry(const struct status_manifest *m, const char *name)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (strcmp(m->entry[i].name, name) == 0)
			return &m->entry[i];
	return NULL;
}

int
status_map(int dirfd, const struct status_entry *e, const void **out)
{
	struct stat	 st, folder;
	uint8_t		 md[STATUS_DIGEST];
	void		*map;
	int		 fd;

	*out = NULL;
	fd = openat(dirfd, e->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return ICERT_E_SYSTEM;
	if (fstat(fd, &st) == -1 || fstat(dirfd, &folder) == -1) {
		close(fd);
		return ICERT_E_SYSTEM;
	}
	/* A map follows its file: whoever may write it could change what was verified. */
	if ((st.st_uid != folder.st_uid && st.st_uid != 0) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		close(fd);
		return ICERT_E_DENIED;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->size || e->size == 0) {
		close(fd);
		return ICERT_E_MISMATCH;
	}
	map = mmap(NULL, e->size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return ICERT_E_SYSTEM;
	if (e->kind != STATUS_KIND_SEGMENT) {
		SHA256(map, e->size, md);
		if (memcmp(md, e->digest, sizeof(md)) != 0) {
			munmap(map, e->size);
			return ICERT_E_FORGED;
		}
	}
	*out = map;
	return 0;
}

void
status_unmap(const void *map, uint64_t size)
{
	if (map != NULL)
		munmap((void *)(uintptr_t)map, size);
}
