#include "pki/keyfile.h"
#include "libicert/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
keyfile_read(const char *path, size_t most, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	uint8_t *p;
	int error = 0;

	if (fd < 0)
		return errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		error = ICERT_E_SYSTEM;
	else if (st.st_size < 0 || (size_t)st.st_size > most)
		error = ICERT_E_TOO_LARGE;
	else if ((p = buf_room(out, (size_t)st.st_size + 1)) == NULL)
		error = buf_error(out);
	else if (read(fd, p, (size_t)st.st_size) != st.st_size)
		error = ICERT_E_SYSTEM;
	else
		buf_took(out, (size_t)st.st_size);
	close(fd);
	return error;
}

int
keyfile_read_exact(const char *path, void *out, size_t n)
{
	struct buf b = BUF_INIT;
	int error = keyfile_read(path, n, &b);

	if (error == ICERT_E_TOO_LARGE || (error == 0 && b.len != n))
		error = ICERT_E_MALFORMED;
	if (error == 0)
		memcpy(out, b.p, n);
	buf_free(&b);
	return error;
}

static int
sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd, failed;

	snprintf(folder, sizeof(folder), "%s", path);
	if ((slash = strrchr(folder, '/')) == NULL)
		snprintf(folder, sizeof(folder), ".");
	else
		*slash = '\0';
	if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return ICERT_E_SYSTEM;
	failed = fsync(fd);
	close(fd);
	return failed ? ICERT_E_SYSTEM : 0;
}

int
keyfile_write(const char *path, const void *bytes, size_t n, mode_t mode)
{
	char temporary[PATH_MAX];
	int fd, failed;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return ICERT_E_SYSTEM;
	unlink(temporary);
	if ((fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		return ICERT_E_SYSTEM;
	failed = write(fd, bytes, n) != (ssize_t)n || fchmod(fd, mode) != 0 || fsync(fd) != 0;
	if (close(fd) != 0 || failed || rename(temporary, path) != 0) {
		unlink(temporary);
		return ICERT_E_SYSTEM;
	}
	return sync_folder(path);
}
