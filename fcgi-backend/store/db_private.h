#ifndef ICERT_STORE_DB_PRIVATE_H
#define ICERT_STORE_DB_PRIVATE_H
/*
 * What the files of db share: connection (db.c), pipeline (pipeline.c), results
 * (result.c), notifications (listen.c).  Nobody else includes this.
 */
#include <libpq-fe.h>

#include "store/db.h"

#define PENDING_MAX	64	/* commands in one pipeline */
#define STMTS_MAX	512	/* a power of two; a program has fewer than half */

enum pending_kind {
	PENDING_BEGIN,
	PENDING_IDENTITY,
	PENDING_PREPARE,
	PENDING_STMT,
	PENDING_END,		/* COMMIT or ROLLBACK */
	PENDING_SYNC
};

enum prepared { NOT_PREPARED, PREPARING, PREPARED };

struct pending {
	enum pending_kind	 kind;
	const struct db_stmt	*stmt;
	size_t			 slot;		/* of the statement */
};

struct db {
	PGconn		*conn;
	char		*conninfo;
	int		 in_tx;		/* db_begin() was called, no end yet */
	int		 unsynced;	/* queued since the last sync */
	int		 error;		/* first one of this transaction */
	int		 session_over;	/* one has failed with ICERT_E_SESSION */
	int		 quiet_ms;	/* db_patience(); 0: the server is never asked */
	int		 most_ms;
	int64_t		 closed_until;	/* monotonic ms: it is thought to hang */
	struct pending	 queue[PENDING_MAX];
	size_t		 head, tail;	/* next to read, next to write */
	struct {
		const struct db_stmt	*stmt;
		enum prepared		 state;
	} stmts[STMTS_MAX];
	char		 constraint[64];
	char		 detail[160];
};

struct db_result {
	PGresult	*res;
	uint8_t		**bytes;	/* decoded bytea, by row * columns + column */
	int		 rows, cols;
};

/* Connects when there is no connection. */
int	db_connected(struct db *);
/* Does the server say anything to somebody new?  Within CONNECT_TIMEOUT_S. */
int	db_server_answers(const struct db *);
/* Gives the connection up: what was under way is lost.  Returns the error. */
int	db_lost(struct db *, int error);
void	db_disconnect(struct db *);
/* Queues a command that has no parameters and no name. */
int	db_plain(struct db *, enum pending_kind, const char *sql);
/* Reads everything outstanding; returns the first error among it. */
int	db_drain(struct db *);
/* Owns res.  NULL: out of memory, and res is cleared. */
struct db_result *db_wrap(PGresult *res);

#endif
