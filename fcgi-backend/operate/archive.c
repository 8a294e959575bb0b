#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>

#include "libicert/buf.h"
#include "operate/archive.h"
#include "operate/process.h"
#include "operate/tools.h"

#define PART_SIZE ((size_t)8 << 20)	/* of a stream, held in memory */
#define READ_SIZE ((size_t)256 << 10)

struct archive_file {
	char path[FILES_PATH];		/* as it will be called */
	char unfinished[FILES_PATH];
	struct archive *tar;
	int fd;				/* the sealed file */
	int pipe;			/* what age reads */
	pid_t age;
	struct buf manifest;
	uint8_t *room;			/* PART_SIZE */
};

/* age -R RECIPIENTS, from a->pipe to a->fd. */
static int
seal_start(struct archive_file *a, const char *recipients)
{
	char age[FILES_PATH], *whole = realpath(recipients, NULL);	/* programs run in the root folder */
	const char *argv[] = { age, "-R", whole, NULL };
	struct process_spec spec = { .argv = argv, .stdin_fd = -1, .log_fd = -1, .output_fd = a->fd };

	if (whole != NULL && tools_in_path(age, "age") == 0)
		a->age = process_piped(&spec, &a->pipe, NULL);
	free(whole);
	return a->age < 0 ? -1 : 0;
}

int
archive_begin(struct archive_file **out, const char *path, const char *recipients)
{
	struct archive_file *a = calloc(1, sizeof(*a));

	*out = NULL;
	if (a == NULL)
		return complain("no memory");
	a->fd = -1;
	a->pipe = -1;
	a->age = -1;
	if (access(recipients, R_OK) != 0) {
		complain("%s: %s; it names who can open a backup: age-keygen -y KEY >> %s", recipients, strerror(errno),
		    recipients);
		goto fail;
	}
	if (access(path, F_OK) == 0) {
		complain("%s is there already", path);
		goto fail;
	}
	if (path_join(a->path, "%s", path) != 0 || path_join(a->unfinished, "%s.unfinished", path) != 0)
		goto fail;
	a->fd = open(a->unfinished, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->fd < 0) {
		complain("%s: %s", a->unfinished, strerror(errno));
		goto fail;
	}
	if ((a->room = malloc(PART_SIZE)) == NULL || (a->tar = archive_write_new()) == NULL) {
		complain("no memory");
		goto fail;
	}
	if (seal_start(a, recipients) != 0)
		goto fail;
	if (archive_write_set_format_pax_restricted(a->tar) != ARCHIVE_OK ||
	    archive_write_open_fd(a->tar, a->pipe) != ARCHIVE_OK) {
		complain("%s: %s", path, archive_error_string(a->tar));
		goto fail;
	}
	*out = a;
	return 0;
fail:
	archive_abandon(a);
	return -1;
}

/* The header of a member, and where its hash begins. */
static int
member_begin(struct archive_file *a, const char *name, size_t size, mode_t mode, time_t at, EVP_MD_CTX **hash)
{
	struct archive_entry *entry = archive_entry_new();
	int rc;

	*hash = EVP_MD_CTX_new();
	if (entry == NULL || *hash == NULL || EVP_DigestInit_ex(*hash, EVP_sha256(), NULL) != 1) {
		archive_entry_free(entry);
		return complain("no memory");
	}
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, mode & 0777);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, at, 0);
	rc = archive_write_header(a->tar, entry) == ARCHIVE_OK ? 0 : complain("%s: %s", name, archive_error_string(a->tar));
	archive_entry_free(entry);
	return rc;
}

static int
member_write(struct archive_file *a, const char *name, EVP_MD_CTX *hash, const void *bytes, size_t len)
{
	if (EVP_DigestUpdate(hash, bytes, len) != 1)
		return complain("SHA-256 failed");
	return archive_write_data(a->tar, bytes, len) == (la_ssize_t)len ? 0 :
	    complain("%s: %s", name, archive_error_string(a->tar));
}

/* Its line in the manifest. */
static int
member_end(struct archive_file *a, const char *name, EVP_MD_CTX *hash)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char hex[65];

	if (EVP_DigestFinal_ex(hash, digest, NULL) != 1)
		return complain("SHA-256 failed");
	bytes_to_hex(hex, digest, 32);
	buf_printf(&a->manifest, "%s  %s\n", hex, name);
	return buf_error(&a->manifest) == 0 ? 0 : complain("no memory");
}

int
archive_bytes(struct archive_file *a, const char *name, const void *bytes, size_t len)
{
	EVP_MD_CTX *hash;
	int rc = member_begin(a, name, len, 0600, time(NULL), &hash);

	if (rc == 0 && (len == 0 || (rc = member_write(a, name, hash, bytes, len)) == 0))
		rc = member_end(a, name, hash);
	EVP_MD_CTX_free(hash);
	return rc;
}

static int
put_fd(struct archive_file *a, const char *name, int fd, const struct stat *st)
{
	size_t left = (size_t)st->st_size;
	EVP_MD_CTX *hash;
	ssize_t n;
	int rc = member_begin(a, name, left, st->st_mode, st->st_mtime, &hash);

	while (rc == 0 && left > 0) {
		n = read(fd, a->room, left < PART_SIZE ? left : PART_SIZE);
		if (n <= 0)
			rc = complain("%s: %s", name, n < 0 ? strerror(errno) : "became shorter while it was read");
		else if ((rc = member_write(a, name, hash, a->room, (size_t)n)) == 0)
			left -= (size_t)n;
	}
	if (rc == 0)
		rc = member_end(a, name, hash);
	EVP_MD_CTX_free(hash);
	return rc;
}

/* vanished: 1 when a file that is not there is no error. */
static int
put_path(struct archive_file *a, const char *name, const char *path, int vanished)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	struct stat st;

	if (fd < 0)
		return vanished && errno == ENOENT ? 0 : complain("%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0)
		rc = complain("%s: %s", path, strerror(errno));
	else if (S_ISREG(st.st_mode))
		rc = put_fd(a, name, fd, &st);
	close(fd);
	return rc;
}

int
archive_put(struct archive_file *a, const char *name, const char *path)
{
	return put_path(a, name, path, 0);
}

static int
tree(struct archive_file *a, const char *name, const char *folder, const char *below, int (*leave)(const char *))
{
	char path[FILES_PATH], child[FILES_PATH], member[FILES_PATH];
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int rc = 0;

	if (path_join(path, "%s%s%s", folder, *below == '\0' ? "" : "/", below) != 0)
		return -1;
	if ((dir = opendir(path)) == NULL)
		return errno == ENOENT ? 0 : complain("%s: %s", path, strerror(errno));
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (path_join(child, "%s%s%s", below, *below == '\0' ? "" : "/", entry->d_name) != 0 ||
		    path_join(path, "%s/%s", folder, child) != 0 || path_join(member, "%s/%s", name, child) != 0)
			rc = -1;
		else if (lstat(path, &st) != 0 || (leave != NULL && leave(child)))
			continue;
		else if (S_ISDIR(st.st_mode))
			rc = tree(a, name, folder, child, leave);
		else if (S_ISREG(st.st_mode))
			rc = put_path(a, member, path, 1);
	}
	closedir(dir);
	return rc;
}

int
archive_tree(struct archive_file *a, const char *name, const char *folder, int (*leave)(const char *))
{
	return tree(a, name, folder, "", leave);
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	ssize_t done;

	for (; n > 0; p += done, n -= (size_t)done)
		if ((done = write(fd, p, n)) <= 0)
			return -1;
	return 0;
}

/* Fills a->room as far as it goes; what was read. */
static ssize_t
fill(struct archive_file *a, int fd)
{
	size_t at = 0;
	ssize_t n = 1;

	while (at < PART_SIZE && n > 0) {
		n = read(fd, a->room + at, PART_SIZE - at);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			at += (size_t)n;
	}
	return n < 0 ? -1 : (ssize_t)at;
}

int
archive_stream(struct archive_file *a, const char *name, int fd, int copy_fd)
{
	char member[FILES_PATH];
	unsigned part = 0;
	ssize_t n;

	while ((n = fill(a, fd)) > 0) {
		if (path_join(member, "%s/%06u", name, ++part) != 0 || archive_bytes(a, member, a->room, (size_t)n) != 0)
			return -1;
		if (copy_fd >= 0 && write_all(copy_fd, a->room, (size_t)n) != 0)
			return complain("%s: %s", name, strerror(errno));
	}
	return n < 0 ? complain("%s: %s", name, strerror(errno)) : 0;
}

/* The hash of the file from its beginning, read from the disk where the kernel lets us. */
static int
hash_file(int fd, char hex[65])
{
	uint8_t digest[EVP_MAX_MD_SIZE], *block = malloc(READ_SIZE);
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	ssize_t n = -1;
	int ok;

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	ok = block != NULL && hash != NULL && lseek(fd, 0, SEEK_SET) == 0 && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
	while (ok && (n = read(fd, block, READ_SIZE)) > 0)
		ok = EVP_DigestUpdate(hash, block, (size_t)n) == 1;
	ok = ok && n == 0 && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
	if (ok)
		bytes_to_hex(hex, digest, 32);
	free(block);
	EVP_MD_CTX_free(hash);
	return ok ? 0 : -1;
}

static int
sync_folder(const char *path)
{
	char folder[FILES_PATH];
	char *slash;
	int fd, rc;

	if (path_join(folder, "%s", path) != 0)
		return -1;
	slash = strrchr(folder, '/');
	if (slash == NULL)
		strcpy(folder, ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	return rc == 0 ? 0 : complain("%s: %s", folder, strerror(errno));
}

int
archive_end(struct archive_file *a, char hex[65])
{
	char first[65];
	int rc, closed;

	rc = archive_bytes(a, ARCHIVE_MANIFEST, a->manifest.p, a->manifest.len);
	closed = archive_write_close(a->tar);
	if (rc == 0 && closed != ARCHIVE_OK)
		rc = complain("%s: %s", a->path, archive_error_string(a->tar));
	archive_write_free(a->tar);
	a->tar = NULL;
	close(a->pipe);
	a->pipe = -1;
	if (process_join(a->age) != 0 && rc == 0)
		rc = complain("age did not seal %s", a->path);
	a->age = -1;
	/* What the page cache holds, then what the disk gives back. */
	if (rc == 0 && (hash_file(a->fd, first) != 0 || fsync(a->fd) != 0 || hash_file(a->fd, hex) != 0))
		rc = complain("%s: %s", a->path, strerror(errno));
	if (rc == 0 && strcmp(first, hex) != 0)
		rc = complain("%s cannot be read as it was written: the disk is not to be trusted", a->path);
	if (rc == 0 && rename(a->unfinished, a->path) != 0)
		rc = complain("%s: %s", a->path, strerror(errno));
	if (rc == 0) {
		a->unfinished[0] = '\0';
		rc = sync_folder(a->path);
	}
	archive_abandon(a);
	return rc;
}

void
archive_abandon(struct archive_file *a)
{
	if (a == NULL)
		return;
	if (a->tar != NULL) {
		archive_write_fail(a->tar);
		archive_write_free(a->tar);
	}
	if (a->pipe >= 0)
		close(a->pipe);
	if (a->age > 0)
		process_join(a->age);
	if (a->fd >= 0)
		close(a->fd);
	if (a->unfinished[0] != '\0')
		unlink(a->unfinished);
	buf_free(&a->manifest);
	free(a->room);
	free(a);
}
