#ifndef KEYS_SERVE_H
#define KEYS_SERVE_H

#include "libicert/keyproto.h"

#include <sys/types.h>

/*
 * The server loop of every key process.  Sockets come from the supervisor (LISTEN_FDS, LISTEN_FDNAMES, from
 * descriptor 3); one packet is one request, one packet is the reply.  The path is the right: who may open a
 * socket may ask for the operations that the table allows on it, and for nothing else.
 *
 * A program's main is, in this order: read the configuration, serve_sockets(), open the secret,
 * sandbox_keep_only() and sandbox_enter(), serve_run().
 */
#define SERVE_SOCKETS 8
#define SERVE_CONNECTIONS 128
#define SERVE_CHILDREN 4

struct serve_sockets {
	size_t n;
	int fd[SERVE_SOCKETS];
	char name[SERVE_SOCKETS][40];
};

struct serve_request {
	const char *socket;		/* the name of the socket it came in on */
	const struct message *message;	/* parsed and of the operation's form */
	int fd;				/* the file that came with it, or -1; the server closes it */
};

struct serve_reply {
	struct buf body;	/* begun: append fields with message_put() */
	int fd;			/* a file to send along, closed by the server; -1 */
	int tries;		/* with an error: told as TAG_TRIES; -1 */
	char detail[256];	/* with an error: told as TAG_DETAIL; no secret, no name */
};

/* 0, or the error to answer with (what was appended is then dropped). */
typedef int (*serve_handler)(void *ctx, const struct serve_request *, struct serve_reply *);

struct serve_op {
	uint16_t op;
	const char *sockets;	/* names, one space between: where it is allowed */
	serve_handler handler;
	/*
	 * Forked operations: the handler runs in a child of its own that first calls enter (drop still more rights; an
	 * error ends it).  The child's answer is checked by child_reply (NULL: the operation's own rules); then finish, in the
	 * server, makes the reply from it: request->message is the request, answer the child's reply (NULL: the answer is passed
	 * on as it is, with its file).
	 */
	int forked;
	int seconds;		/* after so many the child is killed */
	int (*enter)(void *ctx);
	const struct message_rule *child_reply;
	int (*finish)(void *ctx, const struct serve_request *, const struct message *answer, struct serve_reply *);
};

struct serve {
	const struct serve_op *ops;	/* OP_PING needs none: it is answered everywhere */
	size_t n;
	void *ctx;			/* handed to the handlers */
	void (*tick)(void *ctx);	/* called about every tick_ms; NULL */
	int tick_ms;
};

/*
 * Takes the sockets of the environment.  0, ICERT_E_MISSING when there are none, ICERT_E_INVALID
 * when number and names do not agree.  Logs which.
 */
int serve_sockets(struct serve_sockets *);

/*
 * Serves until SIGTERM or SIGINT: then 0.  ICERT_E_SYSTEM or ICERT_E_MEMORY when it cannot go on.
 */
int serve_run(const struct serve *, const struct serve_sockets *);

/*
 * One request answered without a socket, for tests: as if this packet had come in there.  Forked operations
 * run in this process.  The reply packet is in out.
 */
int serve_once(const struct serve *, const char *socket, const uint8_t *packet, size_t len, int fd, struct buf *out, int *fd_out);

#endif
