#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "operate/migrate.h"
#include "operate/postgres.h"

#define MIGRATE_ROLE "icert_migrate"

static const char migrate_table[] =
    "create schema if not exists icert authorization icert_owner;"
    "create table if not exists icert.migration ("
    " name text primary key,"
    " sha256 text not null,"
    " applied_at timestamptz not null default now());"
    "alter table icert.migration owner to icert_owner";

static int
migrate_is(const struct dirent *entry)
{
	const char *name = entry->d_name;
	size_t n;

	for (n = 0; n < 4; n++)
		if (!isdigit((unsigned char)name[n]))
			return 0;
	return name[4] == '-' &&
	    strspn(name + 5, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name + 5);
}

static int
migrate_digest(const char *path, char hex[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t len, n;
	char *text;

	if ((text = file_read(path, &len)) == NULL)
		return -1;
	EVP_Digest(text, len, digest, NULL, EVP_sha256(), NULL);
	free(text);
	for (n = 0; n < 32; n++)
		snprintf(hex + 2 * n, 3, "%02x", digest[n]);
	return 0;
}

/* done: what psql printed, "name sha256" a line. */
static int
migrate_one(const struct instance *i, const char *name, const char *done, int *applied)
{
	char path[FILES_PATH], hex[65], row[256], key[160];
	const char *at;

	if (path_join(path, "%s/migrations/%s/forward.sql", i->share, name) != 0 ||
	    migrate_digest(path, hex) != 0)
		return -1;
	snprintf(key, sizeof(key), "\n%.100s ", name);
	if ((at = strstr(done, key)) != NULL) {
		if (strncmp(at + strlen(key), hex, 64) == 0)
			return 0;
		return complain("%s was changed after it was applied; write a new migration", path);
	}
	snprintf(row, sizeof(row),
	    "insert into icert.migration (name, sha256) values ('%.100s', '%s')", name, hex);
	if (postgres_psql(i, MIGRATE_ROLE, "icert",
	    (const char *[]){ "-1", "-f", path, "-c", row, NULL }, NULL) != 0)
		return complain("%s was not applied", name);
	(*applied)++;
	return 0;
}

int
migrate_run(const struct instance *i, int *applied)
{
	char path[FILES_PATH], *rows, *done;
	struct dirent **list;
	int n, k, rc = 0;

	*applied = 0;
	if (path_join(path, "%s/migrations", i->share) != 0)
		return -1;
	if ((n = scandir(path, &list, migrate_is, alphasort)) < 0)
		return errno == ENOENT ? 0 : complain("%s: %s", path, strerror(errno));
	if (postgres_psql(i, MIGRATE_ROLE, "icert", (const char *[]){ "-c", migrate_table,
	    "-Atc", "select name || ' ' || sha256 from icert.migration", NULL }, &rows) != 0)
		rc = -1;
	if (rc == 0 && asprintf(&done, "\n%s", rows) >= 0) {
		for (k = 0; k < n && rc == 0; k++)
			rc = migrate_one(i, list[k]->d_name, done, applied);
		free(done);
		free(rows);
	}
	while (n > 0)
		free(list[--n]);
	free(list);
	return rc;
}
