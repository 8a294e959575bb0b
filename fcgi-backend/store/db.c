/* One connection: made, lost, made again. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "store/db_private.h"

#define CONNECT_TIMEOUT_S "2"	/* the least that libpq takes for a limit */
#define CONNECT_MS 2000
#define CONNECT_QUICK_MS 250	/* while it is thought to hang: enough to see that it is back */

struct db *
db_open(const char *conninfo)
{
	struct db *db = calloc(1, sizeof *db);

	if (db == NULL)
		return NULL;
	if ((db->conninfo = strdup(conninfo)) == NULL) {
		free(db);
		return NULL;
	}
	db->most_ms = DB_MOST_MS;
	return db;
}

void
db_patience(struct db *db, int quiet_ms, int most_ms)
{
	db->quiet_ms = quiet_ms;
	db->most_ms = most_ms;
}

void
db_disconnect(struct db *db)
{
	if (db->conn != NULL)
		PQfinish(db->conn);
	db->conn = NULL;
	db->head = db->tail = 0;
	db->unsynced = 0;
	for (size_t i = 0; i < STMTS_MAX; i++)
		db->stmts[i].state = NOT_PREPARED;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	db_disconnect(db);
	free(db->conninfo);
	free(db);
}

static void
ignore_notice(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

/* A server that went away since the last use has said so on the socket. */
static int
alive(struct db *db)
{
	if (PQstatus(db->conn) != CONNECTION_OK)
		return 0;
	if (db->head != db->tail)
		return 1;
	/* Farewell and end of file take a read each; anything else that waits
	 * here is a notification, which libpq keeps. */
	for (int i = 0; i < 3; i++) {
		struct pollfd pfd = { .fd = PQsocket(db->conn), .events = POLLIN };

		if (poll(&pfd, 1, 0) != 1)
			return 1;
		if (PQconsumeInput(db->conn) != 1)
			return 0;
	}
	return PQstatus(db->conn) == CONNECTION_OK;
}

static const char *const keys[] = { "dbname", "connect_timeout", "client_encoding", NULL };

int
db_server_answers(const struct db *db)
{
	const char *const values[] = { db->conninfo, CONNECT_TIMEOUT_S, "UTF8", NULL };

	/* That it takes nobody in at the moment is an answer too. */
	return PQpingParams(keys, values, 1) != PQPING_NO_RESPONSE;
}

/* PQconnectdb() with a limit below two seconds: 0, or -1 when it had no end in time. */
static int
connect_within(PGconn *conn, int ms)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	int64_t until = clock_mono_ms() + ms, left;

	while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
		struct pollfd pfd = { .fd = PQsocket(conn), .events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT };

		if (pfd.fd < 0)
			return 0;
		if ((left = until - clock_mono_ms()) <= 0 || poll(&pfd, 1, (int)left) == 0)
			return -1;
		next = PQconnectPoll(conn);
	}
	return 0;
}

int
db_connected(struct db *db)
{
	const char *const values[] = { db->conninfo, CONNECT_TIMEOUT_S, "UTF8", NULL };
	int thought_dead, late;

	if (db->conn != NULL && alive(db))
		return 0;
	db_disconnect(db);
	thought_dead = clock_mono_ms() < db->closed_until;
	if ((db->conn = PQconnectStartParams(keys, values, 1)) == NULL)
		return ICERT_E_MEMORY;
	late = connect_within(db->conn, thought_dead ? CONNECT_QUICK_MS : CONNECT_MS);
	if (late || PQstatus(db->conn) != CONNECTION_OK) {
		snprintf(db->detail, sizeof db->detail, "connect: %.120s", late ? "no answer in time" : PQerrorMessage(db->conn));
		/* Said once a pause. */
		if (!thought_dead)
			log_error("db_connect", "%s", db->detail);
		if (late && !thought_dead && db->quiet_ms != 0)
			db->closed_until = clock_mono_ms() + DB_BREAK_MS;
		db_disconnect(db);
		return ICERT_E_UNAVAILABLE;
	}
	db->closed_until = 0;
	PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
	if (PQsetnonblocking(db->conn, 1) != 0 || PQenterPipelineMode(db->conn) != 1) {
		db_disconnect(db);
		return ICERT_E_DATABASE;
	}
	return 0;
}

int
db_lost(struct db *db, int error)
{
	if (db->detail[0] == '\0' && db->conn != NULL)
		snprintf(db->detail, sizeof db->detail, "lost: %.120s", PQerrorMessage(db->conn));
	log_warn("db_lost", "%s", db->detail);
	db_disconnect(db);
	if (error == ICERT_E_TIMEOUT && db->quiet_ms != 0)
		db->closed_until = clock_mono_ms() + DB_BREAK_MS;
	if (db->error == 0)
		db->error = error;
	return error;
}

int
db_fd(const struct db *db)
{
	return db->conn != NULL ? PQsocket(db->conn) : -1;
}

int
db_in_tx(const struct db *db)
{
	return db->in_tx;
}

const char *
db_constraint(const struct db *db)
{
	return db->constraint;
}

const char *
db_detail(const struct db *db)
{
	return db->detail;
}

int
db_ping(struct db *db)
{
	static const struct db_stmt ping = { "db_ping", "select 1" };

	return db_query(db, &ping, NULL, 0, NULL);
}
