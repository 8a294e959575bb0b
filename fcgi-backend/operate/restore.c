/*
 * The order of a restore.  Everything is opened and compared before anything is changed; the old database is
 * set aside, not overwritten.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypt/keyclient.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "operate/archive.h"
#include "operate/backup.h"
#include "operate/control.h"
#include "operate/folders.h"
#include "operate/migrate.h"
#include "operate/postgres.h"
#include "operate/process.h"
#include "operate/restore.h"
#include "operate/restore_files.h"
#include "operate/supervisor.h"
#include "operate/surviving.h"

#define READY_MS 40000
#define SUPERUSER "postgres"

struct restore {
	struct instance *i;
	const struct restore_options *options;
	char unpacked[FILES_PATH];	/* of the backup; "" when there is nothing to remove */
	char keys[FILES_PATH];		/* of the keys in it */
	char stamp[32];			/* names what is set aside */
	int64_t made_at;
	int port;
	char issuer[65];
	struct surviving surviving;
	struct restoration_report report;
	size_t heads_moved;
	char old_cluster[FILES_PATH];	/* where the database that was here lies now; "" none */
};

static int
read_what(struct restore *r)
{
	char path[FILES_PATH], *text;
	int format = 0, ok;

	if (path_join(path, "%s/" BACKUP_INSTANCE, r->unpacked) != 0 || (text = file_read(path, NULL)) == NULL)
		return -1;
	ok = sscanf(text, "format %d\nmade_at %" SCNd64 "\nport_base %d\nissuer %64[0-9a-f]", &format, &r->made_at, &r->port,
	    r->issuer) == 4;
	free(text);
	if (!ok || format != BACKUP_FORMAT)
		return complain("a backup of another format than %d", BACKUP_FORMAT);
	return 0;
}

static int
unpack(struct restore *r)
{
	char when[32];
	time_t at;

	if (path_join(r->unpacked, "%s.restoring", r->options->installed ? r->options->file : r->i->data) != 0 ||
	    path_join(r->keys, "%s/keys", r->unpacked) != 0)
		return -1;
	tree_remove(r->unpacked);
	if (archive_extract(r->options->file, r->options->identity, r->unpacked) != 0) {
		r->unpacked[0] = '\0';
		return -1;
	}
	if (read_what(r) != 0)
		return -1;
	at = (time_t)r->made_at;
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", gmtime(&at));
	printf("  a backup of %s UTC, complete and as its manifest says\n", when);
	return 0;
}

/* Nothing may run on what is about to change. */
static int
is_down(const struct restore *r)
{
	struct keyclient keeper;
	int up;

	if (!r->options->installed)
		return control_running(r->i) == 0 ? 0 : complain("%s is up; stop it first: icertctl down", r->i->prefix);
	keyclient_init(&keeper, config_require(&r->i->config, "sockets", "keeper-admin"));
	up = keyclient_ping(&keeper) == 0;
	keyclient_close(&keeper);
	return up ? complain("the programs run; stop them first: systemctl stop icert.target") : 0;
}

/* A prefix without an instance becomes one with the backup's ports. */
static int
prepare(struct restore *r, int *lock)
{
	struct instance *i = r->i;

	if (r->options->installed)
		return 0;
	if (users_ensure() != 0 || instance_make(i, i->port != 0 ? i->port : r->port) != 0 || (*lock = control_lock(i)) < 0)
		return -1;
	return folders_make(i, r->options->spool_on_disk) != 0 || instance_install(i) != 0 || instance_configure(i) != 0 ? -1 : 0;
}

/* Keys and certificates of another authority must not be mixed with these. */
static int
is_ours(const struct restore *r)
{
	static const char *const names[] = { "ca/emisora.cer", "ca/raiz.cer", "pins/keeper.pub", "pins/keymaker.pub",
	    "pins/status-signer.pub", "pins/manifest.pub" };
	char mine[FILES_PATH], theirs[FILES_PATH];
	const char *slash;
	size_t n;

	for (n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		slash = strchr(names[n], '/');
		if (path_join(mine, "%s%s", config_require(&r->i->config, "paths", names[n][0] == 'c' ? "ca" : "pins"), slash) != 0 ||
		    path_join(theirs, "%s/%s", r->unpacked, names[n]) != 0)
			return -1;
		if (!restore_same(mine, theirs))
			return complain("%s is not that of the backup: another authority's; nothing was changed", mine);
	}
	return 0;
}

/* Are there keys already?  Then the backup's are not even opened. */
static int
has_keys(const struct restore *r)
{
	static const struct { const char *folder, *file; } anchors[] = {
		{ "keeper_dir", "master" }, { "keymaker_dir", "word.key" }, { "publisher_dir", "manifest.key" },
	};
	char path[FILES_PATH];
	size_t n;

	for (n = 0; n < sizeof(anchors) / sizeof(anchors[0]); n++)
		if (path_join(path, "%s/%s", config_require(&r->i->config, "paths", anchors[n].folder), anchors[n].file) != 0 ||
		    !file_exists(path))
			return 0;
	return 1;
}

/* What a folder of keys needs besides its files. */
static int
complete_keys(const struct restore *r)
{
	const char *keeper = config_require(&r->i->config, "paths", "keeper_dir");
	const char *signer = config_require(&r->i->config, "paths", "signer_dir");
	char path[FILES_PATH], text[FILES_PATH + 128];
	struct stat st;
	int n;

	/* Empty: what the delivery keys opened is lost, and was not to come back. */
	if (stat(keeper, &st) != 0 || path_join(path, "%s/delivery", keeper) != 0 ||
	    folder_own(path, st.st_uid, st.st_gid, 0700) != 0 || path_join(path, "%s/totp", keeper) != 0 ||
	    folder_own(path, st.st_uid, st.st_gid, 0700) != 0)
		return -1;
	/* It names its folder whole, which may be another one now. */
	if (stat(signer, &st) != 0 || path_join(path, "%s/softhsm2.conf", signer) != 0)
		return -1;
	if (!file_exists(path))
		return 0;
	n = snprintf(text, sizeof(text), "directories.tokendir = %s/tokens\nobjectstore.backend = file\n"
	    "log.level = ERROR\nslots.removable = false\n", signer);
	return file_write(path, text, (size_t)n, st.st_uid, st.st_gid, 0600);
}

static int
bring_keys(struct restore *r)
{
	const char *identity = r->options->keys_identity != NULL ? r->options->keys_identity : r->options->identity;
	char sealed[FILES_PATH];
	size_t n;

	if (has_keys(r))
		return 0;
	printf("  no keys here: opening those of the backup\n");
	if (path_join(sealed, "%s/" BACKUP_KEYS, r->unpacked) != 0 || archive_extract(sealed, identity, r->keys) != 0)
		return -1;
	for (n = 0; n < backup_keys_n; n++)
		if (restore_missing(r->i, r->keys, &backup_keys[n]) != 0)
			return -1;
	return complete_keys(r);
}

/* All but the last of the folders: the manifest names files that the backup has not, and comes after them. */
static int
bring_files(struct restore *r)
{
	size_t n;

	if (restore_owned(config_require(&r->i->config, "paths", "status"), NULL) != 0 ||
	    restore_owned(config_require(&r->i->config, "paths", "audit_heads"), NULL) != 0)
		return -1;
	for (n = 0; n < backup_journals_n; n++)
		if (restore_journal(r->i, r->unpacked, &backup_journals[n]) != 0)
			return -1;
	for (n = 0; n + 1 < backup_folders_n; n++)
		if (restore_missing(r->i, r->unpacked, &backup_folders[n]) != 0)
			return -1;
	printf("  documents and journals\n");
	if (surviving_read(r->i, &r->surviving) != 0)
		return -1;
	return restore_missing(r->i, r->unpacked, &backup_folders[n]);
}

static int
feed(const struct restore *r, int fd)
{
	char path[FILES_PATH], *part;
	size_t len, at;
	ssize_t n;
	unsigned k;

	for (k = 1;; k++) {
		if (path_join(path, "%s/" BACKUP_DATABASE "/%06u", r->unpacked, k) != 0)
			return -1;
		if (!file_exists(path))
			return k > 1 ? 0 : complain("the backup has no database");
		if ((part = file_read(path, &len)) == NULL)
			return -1;
		for (at = 0; at < len; at += (size_t)n)
			if ((n = write(fd, part + at, len - at)) <= 0) {
				free(part);
				return complain("pg_restore does not read on");
			}
		free(part);
	}
}

static int
load_dump(const struct restore *r)
{
	const char *base = config_require(&r->i->config, "database", "conninfo");
	char program[FILES_PATH], conninfo[FILES_PATH];
	const char *argv[] = { program, "--exit-on-error", "--single-transaction", "--dbname", conninfo, NULL };
	struct process_spec spec = { .argv = argv, .stdin_fd = -1, .log_fd = -1 };
	int in = -1, rc;
	pid_t pid;

	if (path_join(program, "%s/pg_restore", r->i->tools.postgres) != 0 ||
	    path_join(conninfo, "%s user=" SUPERUSER, base) != 0 || (pid = process_piped(&spec, &in, NULL)) < 0)
		return -1;
	rc = feed(r, in);
	close(in);
	if (process_join(pid) != 0 && rc == 0)
		rc = complain("pg_restore failed");
	return rc;
}

static int
reconcile(struct restore *r)
{
	struct act act = { .config = &r->i->config, .program = "icertctl" };
	struct restoration in = { .made_at = r->made_at, .certificates = r->surviving.certificates,
	    .n_certificates = r->surviving.n_certificates, .spent = (const uint8_t (*)[16])r->surviving.spent,
	    .n_spent = r->surviving.n_spent, .destroyed = (const uint8_t (*)[16])r->surviving.destroyed,
	    .n_destroyed = r->surviving.n_destroyed, .delivery_gone = surviving_delivery_gone, .ctx = &r->surviving };
	char conninfo[FILES_PATH];
	int error;

	if (path_join(conninfo, "%s user=" SUPERUSER, config_require(&r->i->config, "database", "conninfo")) != 0 ||
	    (act.db = db_open(conninfo)) == NULL)
		return complain("no memory");
	if ((error = restoration_reconcile(&act, &in, &r->report)) != 0)
		complain("the database could not be told what it forgot: %s %s", icert_err_code(error), db_detail(act.db));
	db_close(act.db);
	return error == 0 ? 0 : -1;
}

/* The server answers, and has no database icert. */
static int
is_free(const struct restore *r)
{
	char *there;
	int none;

	if (postgres_psql(r->i, SUPERUSER, "postgres", (const char *[]){ "-Atc",
	    "select count(*) from pg_database where datname = 'icert'", NULL }, &there) != 0)
		return -1;
	none = *there == '0';
	free(there);
	return none ? 0 : complain("there is a database icert; set it aside first: alter database icert rename to icert_before");
}

/* Until the database knows what it forgot no program may open it: not even after a restore that was cut off. */
static int
let_in(const struct restore *r, const char *verb, const char *word)
{
	char sql[256];

	snprintf(sql, sizeof(sql), "%s connect on database icert %s icert_portal, icert_desk, icert_webhook, icert_issuer, icert_clerk,"
	    " icert_publisher, icert_admin", verb, word);
	return postgres_psql(r->i, SUPERUSER, "icert", (const char *[]){ "-c", sql, NULL }, NULL);
}

static int
fill_database(struct restore *r)
{
	int applied;

	if (is_free(r) != 0 || postgres_bootstrap(r->i) != 0 || let_in(r, "revoke", "from") != 0 || load_dump(r) != 0 ||
	    migrate_run(r->i, &applied) != 0)
		return -1;
	printf("  database, %d newer migrations applied\n", applied);
	return reconcile(r) != 0 || let_in(r, "grant", "to") != 0 ? -1 : 0;
}

/* A private instance: a new cluster, in which the server runs for the while of the restore. */
static int
private_database(struct restore *r)
{
	static struct supervisor s;
	char cluster[FILES_PATH];
	struct unit u;
	int rc;

	if (path_join(cluster, "%s/postgres", r->i->data) != 0)
		return -1;
	if (path_join(r->old_cluster, "%s.before-%s", cluster, r->stamp) != 0 || rename(cluster, r->old_cluster) != 0)
		return complain("%s: %s", cluster, strerror(errno));
	s.instance = r->i;
	supervisor_signals();
	rc = folders_make(r->i, r->options->spool_on_disk) != 0 || postgres_prepare(r->i) != 0 || postgres_unit(r->i, &u) != 0 ||
	    supervisor_start(&s, &u) == NULL || supervisor_wait_ready(&s, READY_MS) != 0 || fill_database(r) != 0 ? -1 : 0;
	supervisor_stop(&s);
	if (rc != 0 && tree_remove(cluster) == 0 && rename(r->old_cluster, cluster) == 0)
		complain("the database is as it was");
	/* One that was empty, as on a new machine, is not worth keeping. */
	else if (rc == 0 && rmdir(r->old_cluster) == 0)
		r->old_cluster[0] = '\0';
	return rc;
}

static void
tell(const struct restore *r)
{
	const struct restoration_report *p = &r->report;

	printf("\nrestored.  Taken from what does not go back in time:\n\n");
	printf("  %6" PRId64 "  certificates revoked since the backup are revoked again\n", p->revoked);
	printf("  %6" PRId64 "  certificates issued since, unknown to the database: icertctl lost\n", p->lost);
	printf("  %6" PRId64 "  cases of those taken out of issuing\n", p->undone);
	printf("  %6" PRId64 "  orders count as used: a certificate was made for them\n", p->spent);
	printf("  %6" PRId64 "  deliveries that nothing opens any more\n", p->deliveries);
	printf("  %6" PRId64 "  data keys destroyed since\n", p->keys);
	printf("  %6" PRId64 "  sessions and codes ended\n", p->sessions);
	printf("  %6zu  signed heads of lost audit rows set aside (lost-%s.notes)\n", r->heads_moved, r->stamp);
	if (r->old_cluster[0] != '\0')
		printf("\nThe database that was here lies in %s; remove it when you are sure.\n", r->old_cluster);
	printf("\nNothing is cancelled, revoked or destroyed by itself until two people of the national office\n"
	    "release it on the page Plazos.  Now start: %s\n",
	    r->options->installed ? "systemctl start icert.target" : "icertctl up");
}

static int
run(struct restore *r)
{
	int lock = -1, rc;

	if ((!r->options->check && (is_down(r) != 0 || (r->options->installed && is_free(r) != 0))) || unpack(r) != 0)
		return -1;
	if (r->options->check)
		return 0;
	rc = prepare(r, &lock) != 0 || is_ours(r) != 0 || bring_keys(r) != 0 || bring_files(r) != 0 ||
	    (r->options->installed ? fill_database(r) : private_database(r)) != 0 ||
	    restore_heads(config_require(&r->i->config, "paths", "audit_heads"), (uint64_t)r->report.audit_size, r->stamp,
	    &r->heads_moved) != 0 ? -1 : 0;
	if (rc == 0)
		tell(r);
	if (lock >= 0)
		close(lock);
	return rc;
}

int
restore_run(struct instance *i, const struct restore_options *options)
{
	static struct restore r;
	time_t now = time(NULL);
	int rc;

	log_open("icertctl");
	r.i = i;
	r.options = options;
	strftime(r.stamp, sizeof(r.stamp), "%Y%m%dT%H%M%SZ", gmtime(&now));
	rc = run(&r);
	surviving_free(&r.surviving);
	if (r.unpacked[0] != '\0')
		tree_remove(r.unpacked);
	return rc != 0;
}
