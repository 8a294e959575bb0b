#ifndef ICERT_STORE_DB_H
#define ICERT_STORE_DB_H
/*
 * PostgreSQL through libpq in pipeline mode.
 *
 * Statements are queued and travel together: db_begin() + db_send() +
 * db_query_commit() is one round trip, with the identity set inside the
 * transaction, so that row-level security knows who asks.  A statement is
 * prepared the first time a connection meets it.
 *
 * One struct db is one connection, used by one thread.  A lost connection
 * fails the transaction it was lost in with ICERT_E_UNAVAILABLE; the next
 * db_begin(), or statement outside a transaction, connects again.
 *
 * Return values: 0 or a count on success, a negative code of libicert/error.h
 * otherwise:
 *   ICERT_E_UNAVAILABLE  no connection, or the server is going down
 *   ICERT_E_TIMEOUT      no answer in time
 *   ICERT_E_EXISTS       a unique constraint (db_constraint() names it)
 *   ICERT_E_INVALID      a check or foreign key refuses the value
 *   ICERT_E_DENIED       the role or a row-level policy refuses
 *   ICERT_E_STATE        a trigger of the schema refuses the change
 *   ICERT_E_SESSION      the identity's generation is no longer that of a live session
 *   ICERT_E_CONFLICT     serialisation failure or deadlock: try the whole again
 *   ICERT_E_DATABASE     anything else: a defect in a statement, or a result
 *                        lost to the error of an earlier statement
 *   ICERT_E_MEMORY
 * db_detail() has SQLSTATE and statement name for the log, never a value.
 */
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_result;

/* Who asks.  hash = SHA-256 of the session's secret; the session's row holds
 * SHA-256 of this.  NULL in its place means nobody: policies show nothing.
 * generation is the number of the session's row when it was learnt from a cache:
 * the transaction then begins with the question whether that row still lives,
 * and fails with ICERT_E_SESSION when it does not.  0: not asked. */
struct db_identity {
	uint8_t		 hash[32];
	int64_t		 generation;
};

/* A statement; must live as long as the process (static const).  name is
 * unique in the program and becomes the prepared statement's name. */
struct db_stmt {
	const char	*name;
	const char	*sql;
};

enum db_kind { DB_NULL, DB_TEXT, DB_INT, DB_BYTES, DB_BOOL };

struct db_param {
	enum db_kind	 kind;
	int64_t		 i;
	const void	*p;
	size_t		 n;
};

/* The memory behind TEXT and BYTES is read by db_send() and may go after it.
 * A NULL pointer is SQL's NULL. */
#define P_TEXT(s)	((struct db_param){ .kind = DB_TEXT, .p = (s) })
#define P_INT(v)	((struct db_param){ .kind = DB_INT, .i = (v) })
#define P_BYTES(b, len)	((struct db_param){ .kind = DB_BYTES, .p = (b), .n = (len) })
#define P_BOOL(v)	((struct db_param){ .kind = DB_BOOL, .i = (v) })
#define P_NULL		((struct db_param){ .kind = DB_NULL })

/* DB_SEND(db, &stmt, P_TEXT(id), P_INT(version)): the count is taken from the
 * list.  For a statement without parameters pass NULL and 0 to the function. */
#define DB_PARAMS(...)	((const struct db_param[]){ __VA_ARGS__ }), \
	(sizeof((const struct db_param[]){ __VA_ARGS__ }) / sizeof(struct db_param))
#define DB_SEND(db, stmt, ...)	db_send((db), (stmt), DB_PARAMS(__VA_ARGS__))
#define DB_QUERY(db, stmt, out, ...) \
	db_query((db), (stmt), DB_PARAMS(__VA_ARGS__), (out))
#define DB_QUERY_COMMIT(db, stmt, out, ...) \
	db_query_commit((db), (stmt), DB_PARAMS(__VA_ARGS__), (out))

/* Remembers conninfo and connects at the first use.  NULL: out of memory.
 * db_close() takes NULL. */
struct db	*db_open(const char *conninfo);
void		 db_close(struct db *db);

/*
 * For a connection that a person waits for.  After quiet_ms without a word the server is asked, on a connection of its own,
 * whether it is there at all: one that hangs fails the transaction with ICERT_E_TIMEOUT then, while one that is merely
 * slow may take most_ms.  After such a failure, or one to connect in time, a connection has to come about in a quarter of a
 * second for DB_BREAK_MS, or it is ICERT_E_UNAVAILABLE at once.  Without this call an answer may take DB_MOST_MS.
 */
#define DB_MOST_MS		15000
#define DB_BREAK_MS		2000
#define DB_PERSON_QUIET_MS	2000
#define DB_PERSON_MOST_MS	8000
void		 db_patience(struct db *db, int quiet_ms, int most_ms);

/* Whether the server answers now; connects if need be. */
int		 db_ping(struct db *db);

/*
 * Opens a transaction under an identity (NULL: none).  Queued: an error is
 * reported by the first db_recv().  Transactions do not nest; db_in_tx() tells.
 */
int		 db_begin(struct db *db, const struct db_identity *who);
int		 db_in_tx(const struct db *db);
/* Whether a transaction has failed with ICERT_E_SESSION since this was last
 * asked: for who must know although a caller made light of the error. */
int		 db_session_over(struct db *db);

/* Queues one statement.  Every db_send() wants one db_recv(), in order. */
int		 db_send(struct db *db, const struct db_stmt *stmt,
		    const struct db_param *params, size_t n);

/*
 * Sends what is queued and waits for the oldest statement's result.  *out may
 * be NULL when nobody wants it; otherwise the caller frees it.  On an error
 * *out is NULL and the transaction is lost: only db_rollback() is left to call.
 */
int		 db_recv(struct db *db, struct db_result **out);

/* db_send() and db_recv() together; earlier sends must have been received. */
int		 db_query(struct db *db, const struct db_stmt *stmt,
		    const struct db_param *params, size_t n, struct db_result **out);

/*
 * Receives and drops results still outstanding, then commits.  Any error
 * among them rolls back and is returned.
 */
int		 db_commit(struct db *db);

/* Last statement and COMMIT in the same round trip.  Not for a statement
 * whose row count decides whether to commit. */
int		 db_query_commit(struct db *db, const struct db_stmt *stmt,
		    const struct db_param *params, size_t n, struct db_result **out);

/* Ends the transaction without effect; outside of one does nothing. */
void		 db_rollback(struct db *db);

/* Results.  Rows and columns count from 0; a column out of range is NULL. */
int		 db_rows(const struct db_result *r);
int64_t		 db_affected(const struct db_result *r);
int		 db_is_null(const struct db_result *r, int row, int col);
/* "" when NULL.  Lives as long as the result. */
const char	*db_text(const struct db_result *r, int row, int col);
/* 0 when NULL. */
int64_t		 db_int(const struct db_result *r, int row, int col);
int		 db_bool(const struct db_result *r, int row, int col);
/* A bytea's bytes; *n = 0 and a non-NULL pointer when NULL or empty. */
const uint8_t	*db_bytes(struct db_result *r, int row, int col, size_t *n);
void		 db_result_free(struct db_result *r);

/* Of the last error on this connection: the constraint's name or "", and one
 * line for the log. */
const char	*db_constraint(const struct db *db);
const char	*db_detail(const struct db *db);

/*
 * LISTEN on a connection kept for it, and NOTIFY inside a transaction (queued
 * like db_send(); takes one db_recv()).  db_wait() waits up to ms for one
 * notification: 1 and the channel's name, 0 after ms, or an error, after which
 * db_listen() has to be called again (what was missed must be looked up).
 */
int		 db_listen(struct db *db, const char *channel);
int		 db_notify(struct db *db, const char *channel, const char *payload);
int		 db_wait(struct db *db, int ms, char *channel, size_t size);
/* The socket, for a caller's own poll(); -1 when not connected. */
int		 db_fd(const struct db *db);

#endif
