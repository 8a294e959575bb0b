#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/seal.h"
#include "documents/store.h"
#include "libicert/error.h"
#include "libicert/handover.h"
#include "libicert/log.h"

static const char magic[] = "ICDOC001";
#define MAGIC_BYTES (sizeof(magic) - 1)

int
document_store_open(struct document_store *s, const char *root, const char *spool)
{
	s->root = s->spool = -1;
	if ((s->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		log_error("documents_unreachable", "%s: %s", root, strerror(errno));
		return ICERT_E_SYSTEM;
	}
	if (spool != NULL && (s->spool = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		log_error("spool_unreachable", "%s: %s", spool, strerror(errno));
		document_store_close(s);
		return ICERT_E_SYSTEM;
	}
	return 0;
}

void
document_store_close(struct document_store *s)
{
	if (s->root >= 0)
		close(s->root);
	if (s->spool >= 0)
		close(s->spool);
	s->root = s->spool = -1;
}

int
document_spool_open(const struct document_store *s, const char *name, int *fd)
{
	long slash = handover_spool_slash(name, strlen(name));
	char folder[HANDOVER_SPOOL_PART];
	struct stat st;
	int dir;

	*fd = -1;
	if (s->spool < 0 || slash < 0)
		return ICERT_E_MALFORMED;
	memcpy(folder, name, (size_t)slash);
	folder[slash] = '\0';
	if ((dir = openat(s->spool, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return ICERT_E_NOT_FOUND;
	*fd = openat(dir, name + slash + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	close(dir);
	if (*fd < 0)
		return ICERT_E_NOT_FOUND;
	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(*fd);
		*fd = -1;
		return ICERT_E_MALFORMED;
	}
	return 0;
}

int
document_read(int fd, size_t limit, struct buf *out)
{
	off_t at = 0;
	size_t have = 0;

	for (;;) {
		uint8_t *p = buf_room(out, STORE_CHUNK);
		ssize_t n;

		if (p == NULL)
			return buf_error(out);
		if ((n = pread(fd, p, STORE_CHUNK, at)) < 0) {
			if (errno == EINTR)
				continue;
			return ICERT_E_SYSTEM;
		}
		if (n == 0)
			return 0;
		if ((have += (size_t)n) > limit)
			return ICERT_E_TOO_LARGE;
		buf_took(out, (size_t)n);
		at += n;
	}
}

static void
chunk_context(char out[96], const char *id, size_t number, int last)
{
	snprintf(out, 96, "document|chunk|%s:%zu:%d", id, number, last);
}

static int
write_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return icert_err_disk();
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
write_chunks(int fd, const uint8_t key[32], const uint8_t *bytes, size_t len, const char *id)
{
	struct buf sealed = BUF_INIT;
	char context[96];
	size_t number = 0;
	int last, rv = write_all(fd, magic, MAGIC_BYTES);

	do {
		size_t n = len > STORE_CHUNK ? STORE_CHUNK : len;
		uint8_t length[4];

		last = n == len;
		chunk_context(context, id, number++, last);
		buf_reset(&sealed);
		if (rv == 0)
			rv = seal_field(key, context, bytes, n, &sealed);
		length[0] = (uint8_t)sealed.len;
		length[1] = (uint8_t)(sealed.len >> 8);
		length[2] = (uint8_t)(sealed.len >> 16);
		length[3] = (uint8_t)(sealed.len >> 24);
		if (rv == 0)
			rv = write_all(fd, length, sizeof(length));
		if (rv == 0)
			rv = write_all(fd, sealed.p, sealed.len);
		bytes += n;
		len -= n;
	} while (rv == 0 && !last);
	buf_free(&sealed);
	return rv;
}

static int
shelf_open(const struct document_store *s, const char *id, int make)
{
	char shelf[3] = { id[0], id[1], '\0' };
	mode_t before;

	/* Portal and desk both put files on it: open to their group from the first moment. */
	if (make) {
		before = umask(0007);
		if (mkdirat(s->root, shelf, 0770) == 0)
			fsync(s->root);
		umask(before);
	}
	return openat(s->root, shelf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
document_put(const struct document_store *s, const uint8_t key[32], const void *bytes, size_t len, char id[ID_TEXT])
{
	char part[ID_TEXT + 8];
	int shelf, fd, rv;

	if ((rv = id_new(id)) != 0)
		return rv;
	snprintf(part, sizeof(part), "%s.part", id);
	if ((shelf = shelf_open(s, id, 1)) < 0)
		return icert_err_disk();
	if ((fd = openat(shelf, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0) {
		rv = icert_err_disk();
		close(shelf);
		return rv;
	}
	rv = write_chunks(fd, key, bytes, len, id);
	/* The desk reads what the portal wrote: their common group, when there is one. */
	if (rv == 0 && (fchmod(fd, 0640) != 0 || fsync(fd) != 0))
		rv = icert_err_disk();
	close(fd);
	if (rv == 0 && renameat(shelf, part, shelf, id) != 0)
		rv = icert_err_disk();
	if (rv == 0 && fsync(shelf) != 0)
		rv = icert_err_disk();
	if (rv != 0)
		unlinkat(shelf, part, 0);
	if (rv == ICERT_E_FULL)
		log_error("disk_full", "a document was not kept");
	close(shelf);
	return rv;
}

/* The chunks of a whole file in memory. */
static int
open_chunks(const uint8_t key[32], const char *id, const uint8_t *p, size_t len, struct buf *out)
{
	const uint8_t *end = p + len;
	char context[96];
	size_t number = 0;
	int last = 0, rv;

	if (len < MAGIC_BYTES || memcmp(p, magic, MAGIC_BYTES) != 0)
		return ICERT_E_MALFORMED;
	for (p += MAGIC_BYTES; !last; number++) {
		uint32_t n;

		if (end - p < 4)
			return ICERT_E_TRUNCATED;
		n = get_u32le(p);
		p += 4;
		if (n > (size_t)(end - p))
			return ICERT_E_TRUNCATED;
		last = p + n == end;
		chunk_context(context, id, number, last);
		if ((rv = open_field(key, context, p, n, out)) != 0)
			return rv;
		p += n;
	}
	return 0;
}

int
document_get_bytes(const struct document_store *s, const uint8_t key[32], const char *id, size_t limit, struct buf *out)
{
	struct buf sealed = BUF_INIT;
	int shelf, fd, rv;

	if (!id_valid(id))
		return ICERT_E_MALFORMED;
	if ((shelf = shelf_open(s, id, 0)) < 0)
		return ICERT_E_NOT_FOUND;
	fd = openat(shelf, id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	close(shelf);
	if (fd < 0)
		return ICERT_E_NOT_FOUND;
	rv = document_read(fd, limit + limit / 64 + STORE_CHUNK, &sealed);
	close(fd);
	if (rv == 0)
		rv = open_chunks(key, id, sealed.p, sealed.len, out);
	buf_free(&sealed);
	return rv;
}

int
document_drop(const struct document_store *s, const char *id)
{
	int shelf, rv = 0;

	if (!id_valid(id))
		return ICERT_E_MALFORMED;
	if ((shelf = shelf_open(s, id, 0)) < 0)
		return 0;
	if (unlinkat(shelf, id, 0) != 0 && errno != ENOENT)
		rv = ICERT_E_SYSTEM;
	close(shelf);
	return rv;
}
