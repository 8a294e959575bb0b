/* Commands queued and results taken, in libpq's pipeline mode. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "store/db_private.h"

#define PARAMS_MAX		48

static int
push(struct db *db, enum pending_kind kind, const struct db_stmt *stmt, size_t slot)
{
	if (db->tail - db->head >= PENDING_MAX) {
		snprintf(db->detail, sizeof db->detail, "pipeline full");
		return ICERT_E_DATABASE;
	}
	db->queue[db->tail++ % PENDING_MAX] = (struct pending){ kind, stmt, slot };
	if (kind != PENDING_SYNC)
		db->unsynced = 1;
	return 0;
}

int
db_plain(struct db *db, enum pending_kind kind, const char *sql)
{
	int error = push(db, kind, NULL, 0);

	if (error != 0)
		return error;
	if (PQsendQueryParams(db->conn, sql, 0, NULL, NULL, NULL, NULL, 0) != 1)
		return db_lost(db, ICERT_E_UNAVAILABLE);
	return 0;
}

int
db_session_over(struct db *db)
{
	int over = db->session_over;

	db->session_over = 0;
	return over;
}

/* The slot of a statement in the open-addressed table, by its address. */
static size_t
slot_of(struct db *db, const struct db_stmt *stmt)
{
	size_t i = ((uintptr_t)stmt / sizeof *stmt) % STMTS_MAX;

	for (size_t tries = 0; tries < STMTS_MAX; tries++, i = (i + 1) % STMTS_MAX) {
		if (db->stmts[i].stmt == stmt)
			return i;
		if (db->stmts[i].stmt == NULL) {
			db->stmts[i].stmt = stmt;
			return i;
		}
	}
	return STMTS_MAX;
}

static int
prepare(struct db *db, const struct db_stmt *stmt, size_t slot)
{
	int error;

	if (db->stmts[slot].state != NOT_PREPARED)
		return 0;
	if ((error = push(db, PENDING_PREPARE, stmt, slot)) != 0)
		return error;
	if (PQsendPrepare(db->conn, stmt->name, stmt->sql, 0, NULL) != 1)
		return db_lost(db, ICERT_E_UNAVAILABLE);
	db->stmts[slot].state = PREPARING;
	return 0;
}

/* How each transaction begins and ends: prepared as everything else, for it is asked most. */
static const struct db_stmt sql_begin = { "tx_begin", "begin" };
static const struct db_stmt sql_commit = { "tx_commit", "commit" };
static const struct db_stmt sql_identity = { "tx_identity", "select set_config('icert.session', $1, true)" };
static const struct db_stmt sql_check = { "tx_check", "select icert.session_check($1)" };

static int
command(struct db *db, enum pending_kind kind, const struct db_stmt *stmt, const char *value)
{
	size_t slot = slot_of(db, stmt);
	int error;

	if (slot == STMTS_MAX)
		return ICERT_E_DATABASE;
	if ((error = prepare(db, stmt, slot)) != 0 || (error = push(db, kind, stmt, slot)) != 0)
		return error;
	if (PQsendQueryPrepared(db->conn, stmt->name, value != NULL, &value, NULL, NULL, 0) != 1)
		return db_lost(db, ICERT_E_UNAVAILABLE);
	return 0;
}

int
db_begin(struct db *db, const struct db_identity *who)
{
	char hex[65], number[24];
	int error;

	if (db->in_tx)
		db_rollback(db);
	db->error = 0;
	db->detail[0] = db->constraint[0] = '\0';
	if ((error = db_connected(db)) != 0 || (error = command(db, PENDING_BEGIN, &sql_begin, NULL)) != 0)
		return error;
	db->in_tx = 1;
	if (who == NULL)
		return 0;
	bytes_to_hex(hex, who->hash, sizeof who->hash);
	error = command(db, PENDING_IDENTITY, &sql_identity, hex);
	if (error != 0 || who->generation == 0)
		return error;
	snprintf(number, sizeof number, "%" PRId64, who->generation);
	return command(db, PENDING_IDENTITY, &sql_check, number);
}

struct wire {
	const char	*values[PARAMS_MAX];
	int		 lengths[PARAMS_MAX];
	int		 formats[PARAMS_MAX];
	char		 numbers[PARAMS_MAX][24];
};

static void
encode(struct wire *w, const struct db_param *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		w->values[i] = NULL;
		w->lengths[i] = w->formats[i] = 0;
		switch (p[i].kind) {
		case DB_NULL:
			break;
		case DB_TEXT:
			w->values[i] = p[i].p;
			break;
		case DB_BYTES:
			w->values[i] = p[i].p;
			w->lengths[i] = (int)p[i].n;
			w->formats[i] = 1;
			break;
		case DB_INT:
			snprintf(w->numbers[i], sizeof w->numbers[i], "%" PRId64, p[i].i);
			w->values[i] = w->numbers[i];
			break;
		case DB_BOOL:
			w->values[i] = p[i].i ? "t" : "f";
			break;
		}
	}
}

int
db_send(struct db *db, const struct db_stmt *stmt, const struct db_param *params, size_t n)
{
	struct wire w;
	size_t slot;
	int error;

	if (db->in_tx && db->error != 0)
		return db->error;
	if (!db->in_tx) {
		if (db->head == db->tail) {
			db->error = 0;
			db->detail[0] = db->constraint[0] = '\0';
		}
		if ((error = db_connected(db)) != 0)
			return error;
	}
	if (n > PARAMS_MAX || (slot = slot_of(db, stmt)) == STMTS_MAX)
		return ICERT_E_DATABASE;
	if ((error = prepare(db, stmt, slot)) != 0 || (error = push(db, PENDING_STMT, stmt, slot)) != 0)
		return error;
	encode(&w, params, n);
	if (PQsendQueryPrepared(db->conn, stmt->name, (int)n, w.values, w.lengths, w.formats, 0) != 1)
		return db_lost(db, ICERT_E_UNAVAILABLE);
	return 0;
}

/* Waits until a result can be taken without blocking. */
static int
await(struct db *db)
{
	int64_t now = clock_mono_ms(), until = now + db->most_ms, quiet = db->quiet_ms != 0 ? now + db->quiet_ms : INT64_MAX;

	for (; PQisBusy(db->conn); now = clock_mono_ms()) {
		struct pollfd pfd = { .fd = PQsocket(db->conn), .events = POLLIN };
		int64_t left = (quiet < until ? quiet : until) - now;
		int unsent = PQflush(db->conn);

		if (unsent < 0)
			return db_lost(db, ICERT_E_UNAVAILABLE);
		if (unsent > 0)
			pfd.events |= POLLOUT;
		if (now >= until || (now >= quiet && !db_server_answers(db))) {
			snprintf(db->detail, sizeof db->detail, now >= until ? "no answer in %d ms" : "no answer in %d ms, and none to anybody",
			    now >= until ? db->most_ms : db->quiet_ms);
			return db_lost(db, ICERT_E_TIMEOUT);
		}
		if (now >= quiet) {
			/* It is there and busy, and may have answered meanwhile. */
			quiet = clock_mono_ms() + db->quiet_ms;
			left = 0;
		}
		if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
			return db_lost(db, ICERT_E_UNAVAILABLE);
		if (pfd.revents & (POLLIN | POLLHUP | POLLERR) && PQconsumeInput(db->conn) != 1)
			return db_lost(db, ICERT_E_UNAVAILABLE);
	}
	return 0;
}

static int
error_of(const char *state)
{
	static const struct { const char *state; int error; } map[] = {
		{ "23505", ICERT_E_EXISTS }, { "23P01", ICERT_E_EXISTS },
		{ "23", ICERT_E_INVALID }, { "22", ICERT_E_INVALID },
		{ "42501", ICERT_E_DENIED },
		{ "40", ICERT_E_CONFLICT }, { "55P03", ICERT_E_CONFLICT },
		{ "57014", ICERT_E_TIMEOUT },
		{ "08", ICERT_E_UNAVAILABLE }, { "57P", ICERT_E_UNAVAILABLE }, { "53", ICERT_E_UNAVAILABLE },
		{ "IC001", ICERT_E_STATE }, { "IC002", ICERT_E_SESSION },
	};

	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (strncmp(state, map[i].state, strlen(map[i].state)) == 0)
			return map[i].error;
	return ICERT_E_DATABASE;
}

static int
note_error(struct db *db, const PGresult *res, const struct pending *p)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
	int error = error_of(state != NULL ? state : "08000");

	if (db->error != 0)
		return error;
	db->error = error;
	db->session_over |= error == ICERT_E_SESSION;
	snprintf(db->constraint, sizeof db->constraint, "%s", constraint != NULL ? constraint : "");
	snprintf(db->detail, sizeof db->detail, "%s %s %s", state != NULL ? state : "-",
	    p->stmt != NULL ? p->stmt->name : "-", db->constraint);
	if (error == ICERT_E_DATABASE || error == ICERT_E_INVALID) {
		/* The primary message of these classes names relations, columns or
		 * types; class 22 quotes the value, which must not reach a log. */
		const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

		log_error("db_statement", "%s %s", db->detail,
		    state != NULL && strncmp(state, "22", 2) != 0 && text != NULL ? text : "");
	}
	return error;
}

static int
sync_pipeline(struct db *db)
{
	int error;

	if (!db->unsynced)
		return 0;
	if ((error = push(db, PENDING_SYNC, NULL, 0)) != 0)
		return error;
	if (PQpipelineSync(db->conn) != 1)
		return db_lost(db, ICERT_E_UNAVAILABLE);
	db->unsynced = 0;
	return 0;
}

/*
 * Takes the result of the oldest command.  *res is set when it succeeded and
 * is a statement's; *kind tells what it was.
 */
static int
take(struct db *db, enum pending_kind *kind, PGresult **res)
{
	struct pending p;
	PGresult *r, *end;
	ExecStatusType status;
	int error;

	*res = NULL;
	if (db->conn == NULL)
		return db->error != 0 ? db->error : ICERT_E_UNAVAILABLE;
	if ((error = await(db)) != 0)
		return error;
	p = db->queue[db->head % PENDING_MAX];
	*kind = p.kind;
	if ((r = PQgetResult(db->conn)) == NULL)
		return db_lost(db, ICERT_E_UNAVAILABLE);
	db->head++;
	status = PQresultStatus(r);
	if (p.kind == PENDING_SYNC) {
		PQclear(r);
		return status == PGRES_PIPELINE_SYNC ? 0 : db_lost(db, ICERT_E_UNAVAILABLE);
	}
	/* A command's results end with a NULL. */
	if ((error = await(db)) != 0) {
		PQclear(r);
		return error;
	}
	if ((end = PQgetResult(db->conn)) != NULL) {
		PQclear(end);
		PQclear(r);
		return db_lost(db, ICERT_E_UNAVAILABLE);
	}
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		if (p.kind == PENDING_PREPARE)
			db->stmts[p.slot].state = PREPARED;
		/* COMMIT of a failed transaction says ROLLBACK. */
		if (p.kind == PENDING_END && db->error == 0 && strcmp(PQcmdStatus(r), "ROLLBACK") == 0)
			error = db->error = ICERT_E_DATABASE;
		if (p.kind == PENDING_STMT)
			*res = r;
		else
			PQclear(r);
		return error;
	}
	if (p.kind == PENDING_PREPARE)
		db->stmts[p.slot].state = NOT_PREPARED;
	if (status == PGRES_PIPELINE_ABORTED)
		error = db->error != 0 ? db->error : ICERT_E_DATABASE;
	else
		error = note_error(db, r, &p);
	PQclear(r);
	return error;
}

/* Drops what stands before the next statement's result, and that of syncs. */
int
db_recv(struct db *db, struct db_result **out)
{
	enum pending_kind kind = PENDING_SYNC;
	PGresult *res = NULL;
	int error, first = 0;

	if (out != NULL)
		*out = NULL;
	if (db->conn == NULL)
		return db->error != 0 ? db->error : ICERT_E_UNAVAILABLE;
	if ((error = sync_pipeline(db)) != 0)
		return error;
	do {
		if (db->head == db->tail)
			return first != 0 ? first : db->error != 0 ? db->error : ICERT_E_DATABASE;
		error = take(db, &kind, &res);
		if (error != 0 && first == 0)
			first = error;
		if (db->conn == NULL)
			return first;
	} while (kind != PENDING_STMT);
	/* A sync that follows at once is read with it, so that a connection
	 * outside a transaction is idle again. */
	while (db->head != db->tail && db->queue[db->head % PENDING_MAX].kind == PENDING_SYNC) {
		PGresult *none;

		if ((error = take(db, &kind, &none)) != 0 && first == 0)
			first = error;
		if (db->conn == NULL)
			break;
	}
	if (first != 0 || res == NULL) {
		PQclear(res);
		return first != 0 ? first : ICERT_E_DATABASE;
	}
	if (out == NULL) {
		PQclear(res);
		return 0;
	}
	if ((*out = db_wrap(res)) == NULL)
		return ICERT_E_MEMORY;
	return 0;
}

int
db_drain(struct db *db)
{
	enum pending_kind kind;
	PGresult *res;
	int error, first = 0;

	if (db->conn == NULL)
		return db->error != 0 ? db->error : ICERT_E_UNAVAILABLE;
	if ((error = sync_pipeline(db)) != 0)
		return error;
	while (db->conn != NULL && db->head != db->tail) {
		error = take(db, &kind, &res);
		PQclear(res);
		if (error != 0 && first == 0)
			first = error;
	}
	return first;
}

int
db_query(struct db *db, const struct db_stmt *stmt, const struct db_param *params, size_t n,
    struct db_result **out)
{
	int error;

	if (out != NULL)
		*out = NULL;
	if ((error = db_send(db, stmt, params, n)) != 0)
		return error;
	return db_recv(db, out);
}

int
db_commit(struct db *db)
{
	int error;

	if (!db->in_tx)
		return ICERT_E_DATABASE;
	if (db->error != 0) {
		error = db->error;
		db_rollback(db);
		return error;
	}
	if ((error = command(db, PENDING_END, &sql_commit, NULL)) == 0)
		error = db_drain(db);
	if (error != 0) {
		db_rollback(db);
		return error;
	}
	db->in_tx = 0;
	return 0;
}

int
db_query_commit(struct db *db, const struct db_stmt *stmt, const struct db_param *params, size_t n,
    struct db_result **out)
{
	struct db_result *r = NULL;
	int error;

	if (out != NULL)
		*out = NULL;
	if (!db->in_tx)
		return ICERT_E_DATABASE;
	if ((error = db_send(db, stmt, params, n)) == 0 && (error = command(db, PENDING_END, &sql_commit, NULL)) == 0 &&
	    (error = db_recv(db, out != NULL ? &r : NULL)) == 0)
		error = db_drain(db);
	if (error != 0) {
		db_result_free(r);
		db_rollback(db);
		return error;
	}
	db->in_tx = 0;
	if (out != NULL)
		*out = r;
	return 0;
}

void
db_rollback(struct db *db)
{
	if (!db->in_tx)
		return;
	db->in_tx = 0;
	if (db->conn == NULL)
		return;
	(void)db_drain(db);
	if (db->conn == NULL || PQtransactionStatus(db->conn) == PQTRANS_IDLE)
		return;
	if (db_plain(db, PENDING_END, "rollback") == 0) {
		/* The error that brought us here is the one to remember; this
		 * transaction's end is no error of its own. */
		if (db->error == 0)
			db->error = ICERT_E_STATE;
		(void)db_drain(db);
	}
	if (db->conn != NULL && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
		db_disconnect(db);
}
