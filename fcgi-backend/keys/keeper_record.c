#include "keys/keeper_record.h"

#include "keys/folder.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY 17	/* of the list: kind, id */

/* A record is bound to the folder and the name under which it lies. */
static void
record_context(const struct keeper *k, int folder, const char *name, char *out, size_t size)
{
	snprintf(out, size, "keeper|%s|%s", folder == k->totp_fd ? "totp" : "delivery", name);
}

int
record_read(const struct keeper *k, int folder, const char *name, struct buf *out)
{
	char context[RECORD_NAME + 24];
	struct buf sealed = BUF_INIT;
	int error = folder_read(folder, name, &sealed);

	record_context(k, folder, name, context, sizeof(context));
	if (error == 0)
		error = sealed_open(k->record_key, context, sealed.p, sealed.len, out);
	buf_free(&sealed);
	return error;
}

int
record_write(const struct keeper *k, int folder, const char *name, const void *data, size_t len)
{
	char context[RECORD_NAME + 24];
	struct buf sealed = BUF_INIT;
	int error;

	record_context(k, folder, name, context, sizeof(context));
	error = sealed_make(k->record_key, context, data, len, &sealed);
	if (error == 0)
		error = folder_write(folder, name, sealed.p, sealed.len, 0600);
	buf_free(&sealed);
	return error;
}

int
record_unlink(const struct keeper *k, int folder, const char *name)
{
	static const uint8_t zeros[512];
	int fd = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	(void)k;
	if (fd < 0)
		return errno == ENOENT ? 0 : ICERT_E_SYSTEM;
	/* Where the file system writes in place, this leaves nothing; elsewhere the unlinking must do. */
	if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros) || fsync(fd) != 0)
		log_warn("record_not_overwritten", "errno %d", errno);
	close(fd);
	if (unlinkat(folder, name, 0) != 0 || fsync(folder) != 0)
		return ICERT_E_SYSTEM;
	return 0;
}

static int
compare_entries(const void *a, const void *b)
{
	return memcmp(a, b, ENTRY);
}

static int
destroyed_room(struct keeper *k, size_t n)
{
	size_t cap = k->destroyed_cap == 0 ? 64 : k->destroyed_cap;
	void *p;

	if (n <= k->destroyed_cap)
		return 0;
	while (cap < n)
		cap *= 2;
	p = realloc(k->destroyed, cap * ENTRY);
	if (p == NULL)
		return ICERT_E_MEMORY;
	k->destroyed = p;
	k->destroyed_cap = cap;
	return 0;
}

int
destroyed_load(struct keeper *k)
{
	struct stat st;
	size_t n;

	k->destroyed_fd = openat(k->dir_fd, "destroyed", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (k->destroyed_fd < 0 || fstat(k->destroyed_fd, &st) != 0)
		return ICERT_E_SYSTEM;
	n = (size_t)st.st_size / ENTRY;
	/* A torn last entry was never answered with success: it is dropped. */
	if ((size_t)st.st_size != n * ENTRY && ftruncate(k->destroyed_fd, (off_t)(n * ENTRY)) != 0)
		return ICERT_E_SYSTEM;
	if (destroyed_room(k, n + 1) != 0)
		return ICERT_E_MEMORY;
	if (pread(k->destroyed_fd, k->destroyed, n * ENTRY, 0) != (ssize_t)(n * ENTRY))
		return ICERT_E_SYSTEM;
	k->destroyed_n = n;
	qsort(k->destroyed, n, ENTRY, compare_entries);
	return 0;
}

static void
make_entry(uint8_t out[ENTRY], char kind, const uint8_t id[16])
{
	out[0] = (uint8_t)kind;
	memcpy(out + 1, id, 16);
}

int
destroyed_has(const struct keeper *k, char kind, const uint8_t id[16])
{
	uint8_t entry[ENTRY];

	make_entry(entry, kind, id);
	return bsearch(entry, k->destroyed, k->destroyed_n, ENTRY, compare_entries) != NULL;
}

int
destroyed_add(struct keeper *k, char kind, const uint8_t id[16])
{
	uint8_t entry[ENTRY];
	off_t end = (off_t)(k->destroyed_n * ENTRY);
	size_t at = 0;

	if (destroyed_has(k, kind, id))
		return 0;
	if (destroyed_room(k, k->destroyed_n + 1) != 0)
		return ICERT_E_MEMORY;
	make_entry(entry, kind, id);
	/* Written at the counted end, so that a torn earlier try is overwritten. */
	if (pwrite(k->destroyed_fd, entry, ENTRY, end) != ENTRY || fsync(k->destroyed_fd) != 0)
		return ICERT_E_SYSTEM;
	while (at < k->destroyed_n && memcmp(k->destroyed[at], entry, ENTRY) < 0)
		at++;
	memmove(k->destroyed + at + 1, k->destroyed + at, (k->destroyed_n - at) * ENTRY);
	memcpy(k->destroyed[at], entry, ENTRY);
	k->destroyed_n++;
	return 0;
}
