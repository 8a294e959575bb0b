#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/head.h"
#include "libicert/buf.h"
#include "operate/restore_files.h"

#define BLOCK 65536

static int
copy_new(const char *from, const char *to, const struct stat *owner, mode_t mode)
{
	char *bytes;
	size_t len;
	int rc;

	if (file_exists(to))
		return 0;
	if ((bytes = file_read(from, &len)) == NULL)
		return -1;
	rc = file_write(to, bytes, len, owner->st_uid, owner->st_gid, mode & 0777);
	free(bytes);
	return rc;
}

static int
copy_tree(const char *from, const char *to, const struct stat *owner)
{
	char inner[FILES_PATH], target[FILES_PATH];
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int rc = 0;

	if ((dir = opendir(from)) == NULL)
		return errno == ENOENT ? 0 : complain("%s: %s", from, strerror(errno));
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (path_join(inner, "%s/%s", from, entry->d_name) != 0 || path_join(target, "%s/%s", to, entry->d_name) != 0 ||
		    lstat(inner, &st) != 0)
			rc = -1;
		else if (S_ISREG(st.st_mode))
			rc = copy_new(inner, target, owner, st.st_mode);
		else if (file_exists(target) || (rc = folder_own(target, owner->st_uid, owner->st_gid, owner->st_mode & 07777)) == 0)
			rc = copy_tree(inner, target, owner);
	}
	closedir(dir);
	return rc;
}

/* The folder that a path lies in: who owns it owns what comes there. */
static int
owner_of(const char *path, struct stat *st)
{
	char folder[FILES_PATH], *slash;

	if (path_join(folder, "%s", path) != 0 || (slash = strrchr(folder, '/')) == NULL)
		return -1;
	*slash = '\0';
	return stat(folder, st) == 0 ? 0 : complain("%s: %s", folder, strerror(errno));
}

int
restore_missing(const struct instance *i, const char *unpacked, const struct backup_part *part)
{
	char from[FILES_PATH], to[FILES_PATH];
	struct stat st, owner;

	if (path_join(from, "%s/%s", unpacked, part->name) != 0 || backup_part_path(i, part, to) != 0)
		return -1;
	if (stat(from, &st) != 0)
		return 0;
	if (S_ISREG(st.st_mode))
		return owner_of(to, &owner) != 0 ? -1 : copy_new(from, to, &owner, st.st_mode);
	return stat(to, &owner) != 0 ? complain("%s: %s", to, strerror(errno)) : copy_tree(from, to, &owner);
}

int
restore_owned(const char *folder, const char *one)
{
	char path[FILES_PATH];
	struct dirent *entry;
	struct stat owner, st;
	DIR *dir;
	int rc = 0;

	if (geteuid() != 0)
		return 0;
	if (stat(folder, &owner) != 0 || (dir = opendir(folder)) == NULL)
		return complain("%s: %s", folder, strerror(errno));
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (one != NULL && strcmp(entry->d_name, one) != 0)
			continue;
		rc = path_join(path, "%s/%s", folder, entry->d_name);
		if (rc == 0 && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && lchown(path, owner.st_uid, owner.st_gid) != 0)
			rc = complain("%s: %s", path, strerror(errno));
	}
	closedir(dir);
	return rc;
}

/* How one begins with the other: 0 equal, 1 theirs goes on, -1 mine goes on, -2 they differ. */
static int
compare_growth(FILE *mine, FILE *theirs)
{
	static char a[BLOCK], b[BLOCK];
	size_t n, m, both;

	do {
		n = fread(a, 1, sizeof(a), mine);
		m = fread(b, 1, sizeof(b), theirs);
		both = n < m ? n : m;
		if (memcmp(a, b, both) != 0)
			return -2;
	} while (n == m && n == sizeof(a));
	return n == m ? 0 : n < m ? 1 : -1;
}

static int
own_file(const char *path)
{
	char folder[FILES_PATH], *slash;

	if (path_join(folder, "%s", path) != 0 || (slash = strrchr(folder, '/')) == NULL)
		return -1;
	*slash = '\0';
	return restore_owned(folder, slash + 1);
}

int
restore_journal(const struct instance *i, const char *unpacked, const struct backup_part *part)
{
	char from[FILES_PATH], to[FILES_PATH], *bytes;
	FILE *mine, *theirs;
	struct stat owner;
	size_t len;
	int growth, rc;

	if (path_join(from, "%s/%s", unpacked, part->name) != 0 || backup_part_path(i, part, to) != 0)
		return -1;
	if (!file_exists(from))
		return 0;
	if ((theirs = fopen(from, "re")) == NULL)
		return complain("%s: %s", from, strerror(errno));
	mine = fopen(to, "re");
	growth = mine == NULL ? 1 : compare_growth(mine, theirs);
	if (mine != NULL)
		fclose(mine);
	fclose(theirs);
	if (growth == -2)
		return complain("%s and the backup's copy of it differ: one of them was written anew; nothing was changed", to);
	if (growth <= 0)
		return own_file(to);
	if (owner_of(to, &owner) != 0 || (bytes = file_read(from, &len)) == NULL)
		return -1;
	rc = file_write(to, bytes, len, owner.st_uid, owner.st_gid, 0600);
	free(bytes);
	return rc;
}

int
restore_same(const char *mine, const char *theirs)
{
	FILE *a = fopen(mine, "re"), *b = fopen(theirs, "re");
	int same = a == NULL || b == NULL || compare_growth(a, b) == 0;

	if (a != NULL)
		fclose(a);
	if (b != NULL)
		fclose(b);
	return same;
}

/* Notes of one file, kept or lost. */
static int
split_heads(const char *path, uint64_t size, struct buf *lost, size_t *moved)
{
	struct buf kept = BUF_INIT;
	struct audit_head head;
	struct stat st;
	size_t len, at = 0, used;
	char *text = file_read(path, &len);
	int rc = 0;

	if (text == NULL)
		return -1;
	while (at < len && head_parse(text + at, len - at, NULL, &head, &used) == 0) {
		buf_put(head.size > size ? lost : &kept, text + at, used);
		*moved += head.size > size;
		at += used;
	}
	if (buf_error(&kept) != 0 || buf_error(lost) != 0)
		rc = complain("no memory");
	else if (stat(path, &st) != 0)
		rc = complain("%s: %s", path, strerror(errno));
	else if (kept.len < len)
		rc = kept.len > 0 ? file_write(path, kept.p, kept.len, st.st_uid, st.st_gid, 0644) :
		    unlink(path) == 0 ? 0 : complain("%s: %s", path, strerror(errno));
	buf_free(&kept);
	free(text);
	return rc;
}

static int
is_heads(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".heads") == 0;
}

/* The lost ones are copied before the first is taken off: what was signed is not thrown away. */
int
restore_heads(const char *folder, uint64_t size, const char *stamp, size_t *moved)
{
	struct dirent **list;
	struct buf lost = BUF_INIT;
	char path[FILES_PATH];
	struct stat owner;
	int n, k, rc = 0;

	*moved = 0;
	if ((n = scandir(folder, &list, is_heads, alphasort)) < 0)
		return complain("%s: %s", folder, strerror(errno));
	if (stat(folder, &owner) != 0)
		rc = complain("%s: %s", folder, strerror(errno));
	for (k = 0; k < n; k++) {
		if (rc == 0 && (rc = path_join(path, "%s/%s", folder, list[k]->d_name)) == 0)
			rc = split_heads(path, size, &lost, moved);
		/* After each file: a later failure loses none of these. */
		if (rc == 0 && lost.len > 0 && (rc = path_join(path, "%s/lost-%s.notes", folder, stamp)) == 0)
			rc = file_write(path, lost.p, lost.len, owner.st_uid, owner.st_gid, 0644);
		free(list[k]);
	}
	free(list);
	buf_free(&lost);
	return rc;
}
