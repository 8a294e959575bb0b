#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <sodium.h>

#include "operate/folders.h"
#include "operate/users.h"
#include "operate/witness.h"

#define SPOOL_FREE_MIN ((unsigned long long)256 << 20)

enum folder_base { IN_DATA, IN_RUN, IN_SHM };

/* In this order: a folder follows the one that holds it. */
static const struct folder_row {
	enum folder_base base;
	const char *name;
	const char *user;	/* NULL: the administrator */
	const char *group;	/* NULL: the user's own */
	mode_t mode;
} folder_rows[] = {
	{ IN_DATA, "etc", NULL, NULL, 0755 },
	{ IN_DATA, "etc/tls", NULL, NULL, 0700 },
	{ IN_DATA, "etc/pages", NULL, NULL, 0755 },
	{ IN_DATA, "pins", NULL, NULL, 0755 },
	{ IN_DATA, "log", NULL, NULL, 0750 },
	{ IN_DATA, "demo", NULL, NULL, 0755 },
	{ IN_DATA, "ca", NULL, NULL, 0755 },
	{ IN_DATA, "ca/public", NULL, NULL, 0755 },
	{ IN_DATA, "ca/root", NULL, NULL, 0700 },
	{ IN_DATA, "postgres", "icert-postgres", NULL, 0700 },
	{ IN_DATA, "keeper", "icert-keeper", NULL, 0700 },
	{ IN_DATA, "keymaker", "icert-keymaker", NULL, 0700 },
	{ IN_DATA, "signer", "icert-signer", NULL, 0700 },
	{ IN_DATA, "status-signer", "icert-status", NULL, 0700 },
	{ IN_DATA, "publisher", "icert-publisher", NULL, 0700 },
	{ IN_DATA, "issuer", "icert-issuer", NULL, 0700 },
	{ IN_DATA, "clerk", "icert-clerk", NULL, 0700 },
	{ IN_DATA, "audit", "icert-clerk", NULL, 0755 },
	{ IN_DATA, "status", "icert-publisher", "icert-statusfiles", 02750 },
	{ IN_DATA, "edge", "icert-edge", NULL, 0711 },
	{ IN_DATA, "mail", "icert-sim", NULL, 0700 },
	{ IN_DATA, "gateway", "icert-sim", NULL, 0700 },
	{ IN_DATA, "documents", "icert-portal", "icert-documents", 02770 },
	{ IN_RUN, "", NULL, NULL, 0755 },
	{ IN_RUN, "pg", "icert-postgres", "icert-database", 0750 },
	{ IN_RUN, "redis", "icert-redis", "icert-cache", 02750 },
	{ IN_SHM, "", NULL, NULL, 0755 },
	{ IN_SHM, "spool", "icert-edge", "icert-spool", 02750 },
	{ IN_SHM, "body", "icert-edge", NULL, 0700 },
};

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static int
folder_row_make(const struct instance *i, const struct folder_row *row)
{
	const char *base = row->base == IN_RUN ? i->run : row->base == IN_SHM ? i->shm : i->data;
	struct user user = { .uid = geteuid(), .gid = getegid() };
	char path[FILES_PATH];
	gid_t group;

	if (row->user != NULL && users_find(row->user, &user) != 0)
		return -1;
	group = user.gid;
	if (row->group != NULL && users_group(row->group, &group) != 0)
		return -1;
	if (path_join(path, *row->name == '\0' ? "%s" : "%s/%s", base, row->name) != 0)
		return -1;
	return folder_own(path, user.uid, group, row->mode);
}

static int
folders_spool(struct instance *i, int on_disk)
{
	struct statfs fs;

	if (on_disk)
		return path_join(i->shm, "%s/shm", i->data) |
		    path_join(i->spool, "%s/spool", i->shm);
	if (statfs("/dev/shm", &fs) != 0)
		return complain("/dev/shm: %s; --spool-on-disk goes on without it", strerror(errno));
	if (fs.f_type != TMPFS_MAGIC)
		return complain("/dev/shm is no tmpfs: uploads in flight would touch a disk; "
		    "--spool-on-disk accepts that");
	if ((unsigned long long)fs.f_bavail * (unsigned long long)fs.f_bsize < SPOOL_FREE_MIN)
		return complain("/dev/shm has under 256 MB left; --spool-on-disk goes on without it");
	return 0;
}

/* A random secret, made once and readable by one group. */
static int
folders_secret(const struct instance *i, const char *name, const char *prefix, const char *group)
{
	unsigned char key[32];
	char path[FILES_PATH], text[96], base64[64];
	gid_t gid;

	if (path_join(path, "%s/etc/%s", i->data, name) != 0 || users_group(group, &gid) != 0)
		return -1;
	if (file_exists(path))
		return 0;
	randombytes_buf(key, sizeof(key));
	sodium_bin2base64(base64, sizeof(base64), key, sizeof(key), sodium_base64_VARIANT_ORIGINAL);
	snprintf(text, sizeof(text), "%s%s\n", prefix, base64);
	return file_write(path, text, strlen(text), geteuid(), gid, 0640);
}

int
folders_make(struct instance *i, int spool_on_disk)
{
	static const unsigned char no_offset[8];
	char path[FILES_PATH];
	size_t n;

	if (folders_spool(i, spool_on_disk) != 0)
		return -1;
	for (n = 0; n < ROWS(folder_rows); n++)
		if (folder_row_make(i, &folder_rows[n]) != 0)
			return -1;
	if (path_join(path, "%s/clock", i->data) != 0)
		return -1;
#ifndef ICERT_PRODUCTION
	if (!file_exists(path) &&
	    file_write(path, no_offset, sizeof(no_offset), geteuid(), getegid(), 0644) != 0)
		return -1;
#else
	(void)no_offset;
#endif
	if ((i->heads_fixed = witness_prepare(i)) < 0)
		return -1;
	i->heads_fixed = !i->heads_fixed;
	return folders_secret(i, "gateway-demo.secret", "whsec_", "icert-notices") |
	    folders_secret(i, "gateway-demo.key", "", "icert-gateway");
}

int
folders_remove(const struct instance *i)
{
	int rc;

	witness_release(i);
	rc = tree_remove(i->run) | tree_remove(i->shm) | tree_remove(i->data);

	if (strcmp(i->data, i->prefix) != 0)
		rc |= tree_remove(i->prefix);
	return rc;
}
