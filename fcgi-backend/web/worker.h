#ifndef WEB_WORKER_H
#define WEB_WORKER_H

#include <stdbool.h>

#include "libicert/config.h"
#include "web/request.h"
#include "web/route.h"

struct view_page;

#define WORKER_IDLE_S 10
#define WORKER_BATCH 8

struct FCGX_Request;

/*
 * A FastCGI program: pre-forked single-threaded workers that accept on fd 0,
 * which the supervisor has bound.  One request, one process: no locks, and a
 * crash costs one request.  A worker leaves after the request in hand on
 * SIGTERM; the parent starts another in place of one that dies, with a pause
 * when it dies at once.
 */
struct app {
	const char *name;		/* "portal", "desk": names the sockets and the log */
	const char *cookie;		/* name of the session's cookie */
	const char *same_site;		/* "Lax" or "Strict" */
	const char *public_url;		/* scheme://host[:port], without a final slash */
	const struct config *config;
	const struct route *const *routes;	/* NULL-terminated list of tables */
	bool production;
	bool once;			/* a button pressed twice ends where the first press did (web/once.h) */

	/* Opens the worker's own connections, after the fork; sets ctx. */
	int (*start)(struct app *);
	/* Whether the database has found the session over that a cache had called
	 * live; the cache has forgotten it then.  The request is answered anew. */
	bool (*session_over)(struct request *);
	/* Finds the session of rq->session.identity and fills the rest of it;
	 * leaves the state SESSION_VISITOR when there is none.  rq->route is known. */
	int (*load_session)(struct request *);
	/* Fills the program's own part of the layout. */
	void (*frame)(struct request *, struct view_page *);
	/* What to answer when a role is missing: usually a redirect to the log-in. */
	int (*denied)(struct request *);
	/* What to answer when the factor is no longer fresh (ROUTE_FRESH). */
	int (*stale)(struct request *);
	/* A ROUTE_PARK form came with a locked session. */
	int (*park)(struct request *);

	/* Answers n requests by itself, from their raw bytes (notifications): the one
	 * that was waited for and those that had come by then, up to `batch`, so that
	 * they share what each would do alone.  NULL: the framework answers. */
	void (*raw)(struct app *, struct FCGX_Request *, size_t n);
	size_t batch;			/* 1 to WORKER_BATCH; 0 is 1 */
	/* Called between requests, at least every WORKER_IDLE_S seconds. */
	void (*idle)(struct app *);

	void *ctx;			/* the program's own: connections, clients */
};

/* The path of the edge's own question, answered with 204 (this session may send
 * files) or 401; internal to nginx (conf/nginx-pages.conf.in). */
#define WORKER_VERDICT	"/sesion/verdicto"

/* Runs `count` workers until SIGTERM or SIGINT; returns an exit status. */
int worker_run(struct app *, int count);

/* Answers one parsed request: session, route, role, CSRF, handler, errors.
 * Used by the worker's loop, by replaying a parked form, and by tests. */
void worker_answer(struct request *);

/* Runs the handler of a parked form: rq holds its fields and the session that
 * now owns it; only ROUTE_PARK routes are run. */
void worker_replay(struct request *, const char *path);

#endif
