#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#define READ_SIZE ((size_t)256 << 10)

struct extraction {
	const char *folder;
	struct archive *tar;
	struct buf lines;		/* as the manifest's, of what came out */
	uint8_t *room;
};

/* Names of our own making: parts of letters, digits, dot, dash and underscore; none begins with a dot. */
static int
name_ok(const char *name)
{
	const char *p;

	if (*name == '\0' || strlen(name) > 200)
		return 0;
	for (p = name; *p != '\0'; p++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/", *p) == NULL)
			return 0;
		if ((p == name || p[-1] == '/') && (*p == '.' || *p == '/'))
			return 0;
	}
	return p[-1] != '/';
}

/* The folders above a member, below the one folder that is there. */
static int
make_parents(char *path, size_t from)
{
	char *slash;

	for (slash = strchr(path + from + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return complain("%s: %s", path, strerror(errno));
		*slash = '/';
	}
	return 0;
}

static int
copy_data(struct extraction *x, const char *name, int fd, EVP_MD_CTX *hash)
{
	la_ssize_t n;
	size_t at;
	ssize_t done;

	while ((n = archive_read_data(x->tar, x->room, READ_SIZE)) > 0) {
		if (EVP_DigestUpdate(hash, x->room, (size_t)n) != 1)
			return complain("SHA-256 failed");
		for (at = 0; at < (size_t)n; at += (size_t)done)
			if ((done = write(fd, x->room + at, (size_t)n - at)) <= 0)
				return complain("%s: %s", name, strerror(errno));
	}
	return n == 0 ? 0 : complain("%s: %s", name, archive_error_string(x->tar));
}

static int
take_member(struct extraction *x, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);
	uint8_t digest[EVP_MAX_MD_SIZE];
	char path[FILES_PATH], hex[65];
	EVP_MD_CTX *hash;
	int fd, rc;

	if (name == NULL || !name_ok(name) || archive_entry_filetype(entry) != AE_IFREG ||
	    archive_entry_hardlink(entry) != NULL)
		return complain("a member that is none of ours: %s", name == NULL ? "?" : name);
	if (path_join(path, "%s/%s", x->folder, name) != 0 || make_parents(path, strlen(x->folder)) != 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return complain("%s: %s", path, strerror(errno));
	hash = EVP_MD_CTX_new();
	rc = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 ? copy_data(x, name, fd, hash) :
	    complain("no memory");
	if (rc == 0 && (EVP_DigestFinal_ex(hash, digest, NULL) != 1 || fchmod(fd, archive_entry_perm(entry) & 0777) != 0))
		rc = complain("%s: %s", path, strerror(errno));
	EVP_MD_CTX_free(hash);
	close(fd);
	if (rc == 0 && strcmp(name, ARCHIVE_MANIFEST) != 0) {
		bytes_to_hex(hex, digest, 32);
		buf_printf(&x->lines, "%s  %s\n", hex, name);
		rc = buf_error(&x->lines) == 0 ? 0 : complain("no memory");
	}
	return rc;
}

static int
take_all(struct extraction *x, int fd)
{
	struct archive_entry *entry;
	int got = ARCHIVE_FATAL, rc = 0;

	if ((x->tar = archive_read_new()) == NULL || (x->room = malloc(READ_SIZE)) == NULL)
		return complain("no memory");
	archive_read_support_format_tar(x->tar);
	if (archive_read_open_fd(x->tar, fd, READ_SIZE) != ARCHIVE_OK)
		return complain("not a backup, or not for this key: %s", archive_error_string(x->tar));
	while (rc == 0 && (got = archive_read_next_header(x->tar, &entry)) == ARCHIVE_OK)
		rc = take_member(x, entry);
	if (rc == 0 && got != ARCHIVE_EOF)
		rc = complain("not a backup, or not for this key: %s", archive_error_string(x->tar));
	return rc;
}

static int
compare_manifest(struct extraction *x)
{
	char path[FILES_PATH], *text;
	size_t len;
	int same;

	if (path_join(path, "%s/" ARCHIVE_MANIFEST, x->folder) != 0 || (text = file_read(path, &len)) == NULL)
		return complain("the backup has no end: it was cut off");
	same = len == x->lines.len && (len == 0 || memcmp(text, x->lines.p, len) == 0);
	free(text);
	return same ? 0 : complain("what is in the backup is not what its manifest says");
}

static int
unseal(struct extraction *x, const char *path, const char *identity)
{
	char age[FILES_PATH], whole[PATH_MAX];	/* programs run in the root folder */
	const char *argv[] = { age, "-d", "-i", whole, NULL };
	struct process_spec spec = { .argv = argv, .log_fd = -1 };
	int out = -1, rc;
	pid_t pid;

	if (tools_in_path(age, "age") != 0)
		return -1;
	if (realpath(identity, whole) == NULL)
		return complain("%s: %s", identity, strerror(errno));
	if ((spec.stdin_fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return complain("%s: %s", path, strerror(errno));
	pid = process_piped(&spec, NULL, &out);
	close(spec.stdin_fd);
	if (pid < 0)
		return -1;
	rc = take_all(x, out);
	close(out);
	/* age tells at its very end that the last chunk was not the last. */
	if (process_join(pid) != 0 && rc == 0)
		rc = complain("%s: age could not open all of it", path);
	return rc;
}

int
archive_extract(const char *path, const char *identity, const char *folder)
{
	struct extraction x = { .folder = folder, .lines = BUF_INIT };
	int rc;

	if (access(identity, R_OK) != 0)
		return complain("%s: %s; it is the private key that opens the backup", identity, strerror(errno));
	if (mkdir(folder, 0700) != 0)
		return complain("%s: %s", folder, strerror(errno));
	rc = unseal(&x, path, identity);
	if (rc == 0)
		rc = compare_manifest(&x);
	archive_read_free(x.tar);
	buf_free(&x.lines);
	free(x.room);
	if (rc != 0)
		tree_remove(folder);
	return rc;
}
