#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "audit/audit.h"
#include "libicert/buf.h"
#include "operate/archive.h"
#include "operate/backup.h"
#include "operate/process.h"
#include "store/db.h"

#define DUMP_ROLE "icert_migrate"	/* row-level security does not stop it */

/* Which certification authority this is: SHA-256 of the issuing certificate. */
int
backup_issuer(const struct instance *i, char hex[65])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char path[FILES_PATH], *der;
	size_t len;
	int ok;

	if (path_join(path, "%s/emisora.cer", config_require(&i->config, "paths", "ca")) != 0 ||
	    (der = file_read(path, &len)) == NULL)
		return -1;
	ok = EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL) == 1;
	free(der);
	if (ok)
		bytes_to_hex(hex, digest, 32);
	return ok ? 0 : complain("SHA-256 failed");
}

static int
put_instance(const struct instance *i, struct archive_file *a)
{
	char hex[65], text[256];
	int n;

	if (backup_issuer(i, hex) != 0)
		return -1;
	n = snprintf(text, sizeof(text), "format %d\nmade_at %" PRId64 "\nport_base %d\nissuer %s\n", BACKUP_FORMAT,
	    (int64_t)time(NULL), i->port, hex);
	return archive_bytes(a, BACKUP_INSTANCE, text, (size_t)n);
}

/* pg_restore reads what pg_dump writes, to its end: a dump that it cannot read is told of today. */
static pid_t
start_reader(const struct instance *i, int *in)
{
	char program[FILES_PATH];
	const char *argv[] = { program, "--file", "/dev/null", NULL };
	struct process_spec spec = { .argv = argv, .stdin_fd = -1, .log_fd = -1 };

	return path_join(program, "%s/pg_restore", i->tools.postgres) != 0 ? -1 : process_piped(&spec, in, NULL);
}

static pid_t
start_dump(const struct instance *i, int *out)
{
	const char *base = config_require(&i->config, "database", "conninfo");
	char program[FILES_PATH], conninfo[FILES_PATH];
	const char *argv[] = { program, "--format", "custom", "--dbname", conninfo, NULL };
	struct process_spec spec = { .argv = argv, .stdin_fd = -1, .log_fd = -1 };

	return path_join(program, "%s/pg_dump", i->tools.postgres) != 0 ||
	    path_join(conninfo, "%s user=" DUMP_ROLE, base) != 0 ? -1 : process_piped(&spec, NULL, out);
}

static int
put_database(const struct instance *i, struct archive_file *a)
{
	int out = -1, in = -1, rc;
	pid_t dump, reader;

	if ((dump = start_dump(i, &out)) < 0)
		return -1;
	reader = start_reader(i, &in);
	rc = reader < 0 ? -1 : archive_stream(a, BACKUP_DATABASE, out, in);
	close(out);
	if (reader > 0)
		close(in);
	if (process_join(dump) != 0 && rc == 0)
		rc = complain("pg_dump failed; is the instance up?");
	if (reader > 0 && process_join(reader) != 0 && rc == 0)
		rc = complain("pg_restore cannot read what pg_dump wrote");
	return rc;
}

static int
put_parts(const struct instance *i, struct archive_file *a, const struct backup_part *parts, size_t n)
{
	char path[FILES_PATH];
	struct stat st;
	size_t k;

	for (k = 0; k < n; k++) {
		if (backup_part_path(i, &parts[k], path) != 0)
			return -1;
		if (stat(path, &st) != 0)
			continue;	/* nothing of it yet */
		if (S_ISDIR(st.st_mode) ? archive_tree(a, parts[k].name, path, parts[k].leave) != 0 :
		    archive_put(a, parts[k].name, path) != 0)
			return -1;
	}
	return 0;
}

/* An archive in the archive: the daily restore needs no key of the authority, so its custodian opens none. */
static int
put_keys(const struct instance *i, struct archive_file *a, const char *path, const char *recipients)
{
	char file[FILES_PATH], hex[65];
	struct archive_file *keys;
	int rc;

	if (path_join(file, "%s.keys", path) != 0)
		return -1;
	unlink(file);
	if (archive_begin(&keys, file, recipients) != 0)
		return -1;
	if (put_parts(i, keys, backup_keys, backup_keys_n) != 0) {
		archive_abandon(keys);
		return -1;
	}
	if ((rc = archive_end(keys, hex)) == 0)
		rc = archive_put(a, BACKUP_KEYS, file);
	unlink(file);
	return rc;
}

/* It stands in the log of audit that somebody took all there is. */
static int
note(const struct instance *i, const char *hex)
{
	char conninfo[FILES_PATH], detail[96];
	struct audit_event event = { .action = "backup.made", .actor_kind = "program", .actor = "icertctl",
	    .subject_kind = "backup", .subject = "-", .detail = detail };
	struct db *db;
	int rc;

	snprintf(detail, sizeof(detail), "{\"sha256\":\"%s\"}", hex);
	if (config_conninfo(&i->config, "admin", conninfo, sizeof(conninfo)) != 0 || (db = db_open(conninfo)) == NULL)
		return complain("no memory");
	if ((rc = db_begin(db, NULL)) == 0 && (rc = audit_append(db, &event)) == 0)
		rc = db_commit(db);
	if (rc != 0)
		complain("the log of audit has no row of it: %s", db_detail(db));
	db_close(db);
	return rc == 0 ? 0 : -1;
}

static const char *
recipients_of(const struct instance *i, const char *given, const char *key)
{
	const char *configured = config_get(&i->config, "backup", key);

	return given != NULL ? given : configured;
}

int
backup_run(const struct instance *i, const char *path, const char *recipients)
{
	const char *data = recipients_of(i, recipients, "recipients");
	const char *keys = recipients_of(i, NULL, "key_recipients");
	struct archive_file *a;
	char hex[65];
	struct stat st;

	if (data == NULL)
		return complain("the configuration has no [backup] recipients") != 0;
	/* Without custodians of their own the keys go to whoever opens the rest. */
	if (keys == NULL || access(keys, R_OK) != 0)
		keys = data;
	if (archive_begin(&a, path, data) != 0)
		return 1;
	/* The database first: whatever its snapshot speaks of is in the files and journals read after it. */
	if (put_instance(i, a) != 0 || put_database(i, a) != 0 ||
	    put_parts(i, a, backup_journals, backup_journals_n) != 0 ||
	    put_parts(i, a, backup_folders, backup_folders_n) != 0 || put_keys(i, a, path, keys) != 0) {
		archive_abandon(a);
		return 1;
	}
	if (archive_end(a, hex) != 0 || stat(path, &st) != 0)
		return 1;
	printf("%s  %s\n%lld bytes, read back as written\n", hex, path, (long long)st.st_size);
	return note(i, hex) != 0;
}
