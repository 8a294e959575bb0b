#include "keys/folder.h"

#include "libicert/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int
write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

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

int
folder_read(int folder, const char *name, struct buf *out)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	uint8_t *p;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FOLDER_MAX) {
		close(fd);
		return ICERT_E_MALFORMED;
	}
	p = buf_room(out, FOLDER_MAX);
	n = p == NULL ? -1 : read(fd, p, FOLDER_MAX);
	close(fd);
	if (p == NULL)
		return buf_error(out);
	if (n != st.st_size)
		return ICERT_E_SYSTEM;
	buf_took(out, (size_t)n);
	return 0;
}

int
folder_write(int folder, const char *name, const void *data, size_t len, unsigned mode)
{
	char fresh[FOLDER_NAME + 8];
	int fd;
	int error;

	if (snprintf(fresh, sizeof(fresh), ".%s.new", name) >= (int)sizeof(fresh))
		return ICERT_E_INVALID;
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return icert_err_disk();
	error = write_all(fd, data, len);
	if (error == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		error = icert_err_disk();
	if (close(fd) != 0 && error == 0)
		error = icert_err_disk();
	if (error == 0 && (renameat(folder, fresh, folder, name) != 0 || fsync(folder) != 0))
		error = icert_err_disk();
	if (error != 0)
		unlinkat(folder, fresh, 0);
	return error;
}
