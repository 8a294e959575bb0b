#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libicert/status_file.h"

#define BUFFER_SIZE	(1U << 18)
#define UNDER_WAY	(1U << 23)	/* octets after which the disk is set to work */

static int
prepare(struct status_file *f, int dirfd, const char *name)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->dirfd = dirfd;
	if (strlen(name) == 0 || strlen(name) > STATUS_FILE_MAX || name[0] == '.' ||
	    strchr(name, '/') != NULL)
		return ICERT_E_TOO_LARGE;
	strcpy(f->name, name);
	snprintf(f->temporary, sizeof(f->temporary), ".%s.new", name);
	if ((f->buffer = malloc(BUFFER_SIZE)) == NULL)
		return ICERT_E_MEMORY;
	return 0;
}

int
status_file_open(struct status_file *f, int dirfd, const char *name)
{
	int	rc;

	if ((rc = prepare(f, dirfd, name)) != 0)
		return rc;
	if (unlinkat(dirfd, f->temporary, 0) == -1 && errno != ENOENT)
		return ICERT_E_SYSTEM;
	f->fd = openat(dirfd, f->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	/* Readable by the edge whatever the publisher's umask. */
	if (f->fd == -1 || fchmod(f->fd, 0644) == -1)
		return ICERT_E_SYSTEM;
	return 0;
}

int
status_file_reopen(struct status_file *f, int dirfd, const char *name, uint64_t size)
{
	struct stat	st;
	int		rc;

	if ((rc = prepare(f, dirfd, name)) != 0)
		return rc;
	if ((f->fd = openat(dirfd, f->temporary, O_RDWR | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM;
	if (fstat(f->fd, &st) == -1)
		return ICERT_E_SYSTEM;
	if ((uint64_t)st.st_size < size)
		return ICERT_E_MALFORMED;
	atomic_store(&f->written, size);
	f->under_way = size;
	if (ftruncate(f->fd, (off_t)size) == -1 || lseek(f->fd, 0, SEEK_END) == -1)
		return ICERT_E_SYSTEM;
	return 0;
}

static int
write_all(int fd, const unsigned char *p, size_t len)
{
	ssize_t	n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return ICERT_E_SYSTEM;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
status_file_flush(struct status_file *f)
{
	int	rc = write_all(f->fd, f->buffer, f->used);

	if (rc == 0)
		atomic_fetch_add(&f->written, f->used);
	f->used = 0;
	/* The disk writes what is there while the rest is made, so the fsync at the end finds little to do. */
	if (atomic_load(&f->written) - f->under_way >= UNDER_WAY)
		status_file_hasten(f);
	return rc;
}

void
status_file_hasten(struct status_file *f)
{
	uint64_t	written = atomic_load(&f->written);

	sync_file_range(f->fd, (off_t)f->under_way, (off_t)(written - f->under_way), SYNC_FILE_RANGE_WRITE);
	f->under_way = written;
}

int
status_file_append(struct status_file *f, const void *bytes, size_t len)
{
	int	rc;

	if (len == 0)
		return 0;
	if (len > BUFFER_SIZE - f->used) {
		if ((rc = status_file_flush(f)) != 0)
			return rc;
		if (len > BUFFER_SIZE) {
			if ((rc = write_all(f->fd, bytes, len)) == 0)
				atomic_fetch_add(&f->written, len);
			return rc;
		}
	}
	memcpy(f->buffer + f->used, bytes, len);
	f->used += len;
	return 0;
}

int
status_file_commit(struct status_file *f)
{
	int	rc;

	if ((rc = status_file_flush(f)) != 0)
		return rc;
	if (fsync(f->fd) == -1 || renameat(f->dirfd, f->temporary, f->dirfd, f->name) == -1)
		return ICERT_E_SYSTEM;
	close(f->fd);
	f->fd = -1;
	return fsync(f->dirfd) == -1 ? ICERT_E_SYSTEM : 0;
}

void
status_file_abort(struct status_file *f)
{
	if (f->fd != -1) {
		close(f->fd);
		unlinkat(f->dirfd, f->temporary, 0);
		f->fd = -1;
	}
	free(f->buffer);
	f->buffer = NULL;
}
