/* One connection: made, lost, made again. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "store/db_private.h"

#define CONNECT_TIMEOUT_S "3"

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
	return db;
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

int
db_connected(struct db *db)
{
	static const char *const keys[] = { "dbname", "connect_timeout", "client_encoding", NULL };
	const char *const values[] = { db->conninfo, CONNECT_TIMEOUT_S, "UTF8", NULL };

	if (db->conn != NULL && alive(db))
		return 0;
	db_disconnect(db);
	db->conn = PQconnectdbParams(keys, values, 1);
	if (db->conn == NULL)
		return ICERT_E_MEMORY;
	if (PQstatus(db->conn) != CONNECTION_OK) {
		snprintf(db->detail, sizeof db->detail, "connect: %.120s", PQerrorMessage(db->conn));
		log_error("db_connect", "%s", db->detail);
		db_disconnect(db);
		return ICERT_E_UNAVAILABLE;
	}
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
