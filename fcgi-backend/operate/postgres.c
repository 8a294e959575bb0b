#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "operate/postgres.h"
#include "operate/process.h"

#define SUPERUSER "postgres"

/* Roles of programs that log in by themselves, and the system user of each. */
static const char *const peer_programs[] = {
	"portal", "desk", "webhook", "issuer", "clerk", "publisher",
};

static int
postgres_write(const struct instance *i, const char *name, char *text, size_t len)
{
	char path[FILES_PATH];
	struct user user;

	return users_find("icert-postgres", &user) != 0 ||
	    path_join(path, "%s/postgres/%s", i->data, name) != 0 ? -1 :
	    file_write(path, text, len, user.uid, user.gid, 0600);
}

/* Peer authentication: which system user may be which role. */
static int
postgres_map(const struct instance *i)
{
	const struct passwd *me = getpwuid(geteuid());
	const char *role;
	char *text = NULL;
	size_t size, n;
	FILE *out;
	int rc;

	if (me == NULL)
		return complain("uid %ld has no name: PostgreSQL could not know it", (long)geteuid());
	char admin[64];

	snprintf(admin, sizeof(admin), "%s", me->pw_name);
	if ((out = open_memstream(&text, &size)) == NULL)
		return complain("no memory");
	fprintf(out, "icert %s %s\nicert %s icert_admin\nicert %s icert_migrate\n",
	    admin, SUPERUSER, admin, admin);
	for (n = 0; n < sizeof(peer_programs) / sizeof(peer_programs[0]); n++) {
		role = config_get(&i->config, "database", peer_programs[n]);
		if (role == NULL)
			continue;
		if (geteuid() == 0)
			fprintf(out, "icert icert-%s %s\n", peer_programs[n], role);
		else
			fprintf(out, "icert %s %s\n", admin, role);
	}
	fclose(out);
	rc = postgres_write(i, "pg_ident.conf", text, size);
	free(text);
	return rc;
}

static int
postgres_settings(const struct instance *i)
{
	static char hba[] = "local all all peer map=icert\n";
	char *text = NULL;
	size_t size;
	FILE *out;
	int rc;

	if ((out = open_memstream(&text, &size)) == NULL)
		return complain("no memory");
	fprintf(out,
	    "listen_addresses = ''\n"
	    "unix_socket_directories = '%s/pg'\n"
	    "unix_socket_permissions = 0770\n", i->run);
	if (geteuid() == 0)
		fprintf(out, "unix_socket_group = 'icert-database'\n");
	fprintf(out,
	    "port = 5432\n"
	    "max_connections = 100\n"
	    "shared_buffers = 64MB\n"
	    "dynamic_shared_memory_type = posix\n"
	    "fsync = on\n"
	    "synchronous_commit = on\n"
	    /* After a crash: file by file takes seconds, of which everybody waits for each. */
	    "recovery_init_sync_method = syncfs\n"
	    "max_wal_size = 512MB\n"
	    "wal_level = replica\n"
	    "random_page_cost = 1.1\n"
	    "jit = off\n"
	    "timezone = 'UTC'\n"
	    "log_timezone = 'UTC'\n"
	    "idle_in_transaction_session_timeout = '30s'\n"
	    "log_line_prefix = '%%m %%u %%p '\n"
	    /* A statement's text or a parameter may hold somebody's data. */
	    "log_min_error_statement = panic\n"
	    "log_parameter_max_length_on_error = 0\n"
	    "log_error_verbosity = terse\n"
	    "lc_messages = 'C'\n");
	fclose(out);
	rc = postgres_write(i, "postgresql.conf", text, size) |
	    postgres_write(i, "pg_hba.conf", hba, strlen(hba));
	free(text);
	return rc;
}

int
postgres_prepare(const struct instance *i)
{
	char data[FILES_PATH], version[FILES_PATH], initdb[FILES_PATH], log[FILES_PATH];
	struct user user;
	int rc;

	if (users_find("icert-postgres", &user) != 0 ||
	    path_join(data, "%s/postgres", i->data) != 0 ||
	    path_join(version, "%s/PG_VERSION", data) != 0 ||
	    path_join(initdb, "%s/initdb", i->tools.postgres) != 0 ||
	    path_join(log, "%s/log/initdb.log", i->data) != 0)
		return -1;
	if (!file_exists(version)) {
		const char *argv[] = { initdb, "--pgdata", data, "--username", SUPERUSER,
		    "--auth", "peer", "--encoding", "UTF8", "--locale", "C.UTF-8",
		    "--data-checksums", "--no-instructions", NULL };
		struct process_spec spec = { .argv = argv, .user = &user, .stdin_fd = -1 };

		spec.log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
		rc = process_wait(&spec);
		close(spec.log_fd);
		if (rc != 0)
			return complain("initdb failed; see %s", log);
	}
	return postgres_settings(i) | postgres_map(i);
}

static int
postgres_ready(const struct instance *i, const struct unit *u)
{
	char conninfo[FILES_PATH];

	(void)u;
	if (path_join(conninfo, "host=%s/pg port=5432 dbname=postgres user=" SUPERUSER
	    " connect_timeout=2", i->run) != 0)
		return 0;
	return PQping(conninfo) == PQPING_OK;
}

int
postgres_unit(const struct instance *i, struct unit *u)
{
	unit_init(u, "postgres");
	u->ready = postgres_ready;
	u->stop_signal = SIGINT;	/* fast shutdown */
	if (users_find("icert-postgres", &u->user) == 0 && unit_arg(u, "%s/postgres", i->tools.postgres) == 0 &&
	    unit_arg(u, "-D") == 0 && unit_arg(u, "%s/postgres", i->data) == 0)
		return 0;
	unit_free(u);
	return -1;
}

static char *
read_all(int fd)
{
	char *text = NULL, block[4096];
	size_t size;
	ssize_t n;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	while ((n = read(fd, block, sizeof(block))) > 0)
		fwrite(block, 1, (size_t)n, out);
	fclose(out);
	return text;
}

int
postgres_psql(const struct instance *i, const char *role, const char *dbname,
    const char *const *args, char **output)
{
	char psql[FILES_PATH], conninfo[FILES_PATH];
	const char *base = config_require(&i->config, "database", "conninfo");
	const char *argv[32] = { psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", conninfo };
	struct process_spec spec = { .argv = argv, .stdin_fd = -1, .log_fd = -1 };
	static const char *const env[] = { "PGOPTIONS=-c client_min_messages=warning", NULL };
	int pipes[2] = { -1, -1 }, n = 7;

	for (; *args != NULL && n < 31; args++)
		argv[n++] = *args;
	spec.env = env;
	if (path_join(psql, "%s/psql", i->tools.postgres) != 0 ||
	    path_join(conninfo, "%s dbname=%s user=%s", base, dbname, role) != 0)
		return -1;
	if (output == NULL)
		return process_wait(&spec) == 0 ? 0 : -1;

	/* What is asked so is short and fit in the pipe before anyone reads. */
	if (pipe2(pipes, O_CLOEXEC) != 0)
		return complain("pipe: %s", strerror(errno));
	spec.log_fd = pipes[1];
	int rc = process_wait(&spec);

	close(pipes[1]);
	*output = read_all(pipes[0]);
	close(pipes[0]);
	if (rc == 0 && *output != NULL)
		return 0;
	complain("psql: %s", *output == NULL ? "no memory" : *output);
	free(*output);
	*output = NULL;
	return -1;
}

int
postgres_bootstrap(const struct instance *i)
{
	char *there, roles[FILES_PATH];

	if (path_join(roles, "%s/conf/roles.sql", i->share) != 0 ||
	    postgres_psql(i, SUPERUSER, "postgres", (const char *[]){ "-Atc",
	    "select count(*) from pg_database where datname = 'icert'", NULL }, &there) != 0)
		return -1;
	if (*there == '0' && postgres_psql(i, SUPERUSER, "postgres",
	    (const char *[]){ "-c", "create database icert", NULL }, NULL) != 0) {
		free(there);
		return -1;
	}
	int fresh = *there == '0';

	free(there);
	return fresh ? postgres_psql(i, SUPERUSER, "icert",
	    (const char *[]){ "-1", "-f", roles, NULL }, NULL) : 0;
}
