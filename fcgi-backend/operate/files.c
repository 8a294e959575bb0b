#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operate/files.h"

int
complain(const char *format, ...)
{
	va_list ap;

	fputs("icertctl: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

int
path_join(char out[FILES_PATH], const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(out, FILES_PATH, format, ap);
	va_end(ap);
	return n < 0 || n >= FILES_PATH ? complain("a path is too long: %.60s…", out) : 0;
}

int
file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

int
folder_make(const char *path)
{
	char part[FILES_PATH];
	char *p;

	if (path_join(part, "%s", path) != 0)
		return -1;
	for (p = part + 1; ; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char kept = *p;

		*p = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return complain("%s: %s", part, strerror(errno));
		*p = kept;
		if (kept == '\0')
			return 0;
	}
}

int
folder_own(const char *path, uid_t owner, gid_t group, mode_t mode)
{
	int fd;

	if (mkdir(path, mode & 0700) != 0 && errno != EEXIST)
		return complain("%s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return complain("%s: %s", path, strerror(errno));
	/* fchown() clears the set-group-id bit, so the mode comes after it. */
	if ((geteuid() == 0 && fchown(fd, owner, group) != 0) || fchmod(fd, mode) != 0) {
		complain("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

char *
file_read(const char *path, size_t *len)
{
	struct stat st;
	char *bytes = NULL;
	size_t have = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || (bytes = malloc((size_t)st.st_size + 1)) == NULL) {
		complain("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while (have < (size_t)st.st_size &&
	    (n = read(fd, bytes + have, (size_t)st.st_size - have)) > 0)
		have += (size_t)n;
	close(fd);
	bytes[have] = '\0';
	if (len != NULL)
		*len = have;
	return bytes;
}

int
file_write(const char *path, const void *bytes, size_t len, uid_t owner, gid_t group, mode_t mode)
{
	char temporary[FILES_PATH];
	int fd;

	if (path_join(temporary, "%s.new", path) != 0)
		return -1;
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return complain("%s: %s", temporary, strerror(errno));
	if (write(fd, bytes, len) != (ssize_t)len ||
	    (geteuid() == 0 && fchown(fd, owner, group) != 0) ||
	    fchmod(fd, mode) != 0 || fsync(fd) != 0 || rename(temporary, path) != 0) {
		complain("%s: %s", path, strerror(errno));
		close(fd);
		unlink(temporary);
		return -1;
	}
	close(fd);
	return 0;
}

static int
file_copy(const char *from, const char *to, mode_t mode)
{
	char block[65536];
	ssize_t n = -1;
	int in, out, bad;

	in = open(from, O_RDONLY | O_CLOEXEC);
	unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (in >= 0 && out >= 0)
		while ((n = read(in, block, sizeof(block))) > 0)
			if (write(out, block, (size_t)n) != n) {
				n = -1;
				break;
			}
	bad = n != 0 || fchmod(out, mode & 0111 ? 0755 : 0644) != 0;
	if (bad)
		complain("%s to %s: %s", from, to, strerror(errno));
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return bad ? -1 : 0;
}

int
tree_copy(const char *from, const char *to)
{
	char a[FILES_PATH], b[FILES_PATH];
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int rc = 0;

	if (stat(from, &st) != 0)
		return complain("%s: %s", from, strerror(errno));
	if (S_ISREG(st.st_mode))
		return file_copy(from, to, st.st_mode);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (folder_make(to) != 0)
		return -1;
	if ((dir = opendir(from)) == NULL)
		return complain("%s: %s", from, strerror(errno));
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (path_join(a, "%s/%s", from, entry->d_name) != 0 ||
		    path_join(b, "%s/%s", to, entry->d_name) != 0 || tree_copy(a, b) != 0)
			rc = -1;
	}
	closedir(dir);
	return rc;
}

int
tree_remove(const char *path)
{
	char inner[FILES_PATH];
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int rc = 0;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : complain("%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return unlink(path) == 0 ? 0 : complain("%s: %s", path, strerror(errno));
	if ((dir = opendir(path)) == NULL)
		return complain("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (path_join(inner, "%s/%s", path, entry->d_name) != 0 || tree_remove(inner) != 0)
			rc = -1;
	}
	closedir(dir);
	if (rc == 0 && rmdir(path) != 0)
		return complain("%s: %s", path, strerror(errno));
	return rc;
}

int
path_traversable(const char *path)
{
	char part[FILES_PATH];
	struct stat st;
	size_t i;

	if (path_join(part, "%s/", path) != 0)
		return 0;
	for (i = 1; part[i] != '\0'; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		if (stat(part, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0001) == 0)
			return 0;
		part[i] = '/';
	}
	return 1;
}
