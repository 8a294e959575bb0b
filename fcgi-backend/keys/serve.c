#include "keys/serve.h"
#include "keys/serve_request.h"

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/sandbox.h"
#include "libicert/sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
#define POLL_MS 1000

/* One client, and the child that works for it when there is one. */
struct conn {
	int fd;			/* -1: a free place */
	const char *socket;
	int64_t used_at;	/* monotonic milliseconds */
	/* while a child works: */
	const struct serve_op *op;
	pid_t child;
	int child_fd;		/* -1: none */
	int64_t child_until;
	uint8_t *request;	/* the request's packet */
	size_t request_len;
};

struct loop {
	const struct serve *serve;
	const struct serve_sockets *sockets;
	size_t children;
	uint8_t *packet;	/* MESSAGE_MAX bytes: what was just received */
	struct message message;	/* its parsed form */
	struct message answer;	/* a child's */
	struct conn conn[SERVE_CONNECTIONS];
};

static volatile sig_atomic_t stopping;

static void
stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static int
parse_names(struct serve_sockets *s, char *names)
{
	char *rest = names;
	char *name;
	size_t i = 0;

	while ((name = strsep(&rest, ":")) != NULL) {
		if (i == s->n || name[0] == 0 || strlen(name) >= sizeof(s->name[0]))
			return ICERT_E_INVALID;
		strcpy(s->name[i++], name);
	}
	return i == s->n ? 0 : ICERT_E_INVALID;
}

int
serve_sockets(struct serve_sockets *s)
{
	const char *count = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	const char *pid = getenv("LISTEN_PID");
	char copy[512];

	memset(s, 0, sizeof(*s));
	if (count == NULL || names == NULL || (pid != NULL && atol(pid) != (long)getpid())) {
		log_error("sockets_missing", "LISTEN_FDS and LISTEN_FDNAMES are not set: the supervisor starts this program");
		return ICERT_E_MISSING;
	}
	s->n = strtoul(count, NULL, 10);
	snprintf(copy, sizeof(copy), "%s", names);
	if (s->n == 0 || s->n > SERVE_SOCKETS || parse_names(s, copy) != 0) {
		log_error("sockets_invalid", "LISTEN_FDS and LISTEN_FDNAMES do not agree");
		return ICERT_E_INVALID;
	}
	for (size_t i = 0; i < s->n; i++) {
		s->fd[i] = FIRST_FD + (int)i;
		if (fcntl(s->fd[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(s->fd[i], F_SETFL, O_NONBLOCK) != 0) {
			log_error("sockets_invalid", "descriptor %d is not open", s->fd[i]);
			return ICERT_E_INVALID;
		}
	}
	return 0;
}

static void
conn_close(struct loop *l, struct conn *c)
{
	if (c->child_fd >= 0) {
		kill(c->child, SIGKILL);
		waitpid(c->child, NULL, 0);
		close(c->child_fd);
		l->children--;
	}
	if (c->request != NULL) {
		bytes_wipe(c->request, c->request_len);
		free(c->request);
	}
	if (c->fd >= 0)
		close(c->fd);
	memset(c, 0, sizeof(*c));
	c->fd = c->child_fd = -1;
}

/* The place of a new client: a free one, or that of the client silent for longest. */
static struct conn *
conn_place(struct loop *l)
{
	struct conn *oldest = NULL;

	for (size_t i = 0; i < SERVE_CONNECTIONS; i++) {
		struct conn *c = &l->conn[i];

		if (c->fd < 0)
			return c;
		if (c->child_fd < 0 && (oldest == NULL || c->used_at < oldest->used_at))
			oldest = c;
	}
	if (oldest != NULL)
		conn_close(l, oldest);
	return oldest;
}

static void
conn_accept(struct loop *l, size_t socket)
{
	int fd = accept4(l->sockets->fd[socket], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0)
		return;
	c = conn_place(l);
	if (c == NULL) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->socket = l->sockets->name[socket];
	c->used_at = clock_mono_ms();
}

/* A client that does not take its answer is not waited for. */
static void
conn_send(struct loop *l, struct conn *c, struct serve_reply *r, int outcome)
{
	serve_reply_end(r, outcome);
	if (message_send(c->fd, &r->body, r->fd) != 0)
		conn_close(l, c);
	serve_reply_free(r);
}

/* In the child: nothing is open but stderr, the way back, and the request's file. */
static void
child_run(struct loop *l, const struct serve_op *op, const struct serve_request *q, int back)
{
	const int keep[] = { back, q->fd };
	struct serve_reply r;
	int outcome;

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	serve_reply_begin(&r, q->message);
	outcome = sandbox_keep_only(keep, 2);
	if (outcome == 0 && op->enter != NULL)
		outcome = op->enter(l->serve->ctx);
	if (outcome == 0)
		outcome = op->handler(l->serve->ctx, q, &r);
	serve_reply_end(&r, outcome);
	outcome = message_send(back, &r.body, r.fd) == 0 ? 0 : 1;
	serve_reply_free(&r);
	leave(outcome);
}

static int
child_start(struct loop *l, struct conn *c, const struct serve_op *op, const struct serve_request *q, size_t len)
{
	int pair[2];
	pid_t pid;

	c->request = malloc(len);
	if (c->request == NULL)
		return ICERT_E_MEMORY;
	memcpy(c->request, l->packet, len);
	c->request_len = len;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return ICERT_E_SYSTEM;
	pid = fork();
	if (pid == 0)
		child_run(l, op, q, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return ICERT_E_SYSTEM;
	}
	c->op = op;
	c->child = pid;
	c->child_fd = pair[0];
	c->child_until = clock_mono_ms() + (int64_t)op->seconds * 1000;
	l->children++;
	return 0;
}

static void
conn_forget_request(struct conn *c)
{
	if (c->request == NULL)
		return;
	bytes_wipe(c->request, c->request_len);
	free(c->request);
	c->request = NULL;
	c->request_len = 0;
}

static void
conn_read(struct loop *l, struct conn *c)
{
	struct serve_request q = { .socket = c->socket, .message = &l->message, .fd = -1 };
	const struct serve_op *op;
	struct serve_reply r;
	ssize_t len = message_recv(c->fd, l->packet, MESSAGE_MAX, &q.fd);
	int outcome;

	if (len == ICERT_E_TIMEOUT)
		return;
	if (len <= 0) {
		conn_close(l, c);
		return;
	}
	c->used_at = clock_mono_ms();
	outcome = serve_admit(l->serve, c->socket, l->packet, (size_t)len, q.fd, &l->message, &op);
	serve_reply_begin(&r, &l->message);
	if (outcome == 0 && op != NULL && op->forked) {
		outcome = child_start(l, c, op, &q, (size_t)len);
		if (outcome == 0)
			serve_reply_free(&r);
		else
			conn_forget_request(c);
	} else if (outcome == 0 && op != NULL)
		outcome = op->handler(l->serve->ctx, &q, &r);
	if (c->child_fd < 0)
		conn_send(l, c, &r, outcome);
	bytes_wipe(l->packet, (size_t)len);
	if (q.fd >= 0)
		close(q.fd);
}

/* The child's packet becomes the client's reply, once its form is checked. */
static int
take_answer(struct loop *l, const struct serve_op *op, const struct serve_request *q, ssize_t len, int fd,
    struct serve_reply *r)
{
	const struct keyproto_spec *spec = keyproto_find(op->op);
	int error;

	if (len <= 0 || message_parse(&l->answer, l->packet, (size_t)len, NULL) != 0)
		return ICERT_E_CRASHED;
	if (l->answer.op != op->op || (fd >= 0 && !spec->fd_out))
		return ICERT_E_CRASHED;
	if (l->answer.status != 0) {
		error = -(int)l->answer.status;
		if (message_check(&l->answer, keyproto_error_reply) != 0 || !icert_err_known(error))
			return ICERT_E_CRASHED;
		message_string(&l->answer, TAG_DETAIL, r->detail, sizeof(r->detail));
		return error;
	}
	if (message_check(&l->answer, op->child_reply != NULL ? op->child_reply : spec->reply) != 0)
		return ICERT_E_CRASHED;
	if (op->finish != NULL)
		return op->finish(l->serve->ctx, q, &l->answer, r);
	for (size_t i = 0; i < l->answer.n; i++)
		message_put(&r->body, l->answer.field[i].tag, l->answer.field[i].p, l->answer.field[i].len);
	if (fd >= 0)
		r->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return fd >= 0 && r->fd < 0 ? ICERT_E_SYSTEM : 0;
}

/* The child has answered, died, or is out of time: its life ends here in every case. */
static void
child_end(struct loop *l, struct conn *c, int in_time)
{
	struct serve_request q = { .socket = c->socket, .message = &l->message, .fd = -1 };
	const struct serve_op *op = c->op;
	struct serve_reply r;
	int fd = -1;
	ssize_t len = in_time ? message_recv(c->child_fd, l->packet, MESSAGE_MAX, &fd) : 0;
	int status = 0;
	int outcome;

	kill(c->child, SIGKILL);
	waitpid(c->child, &status, 0);
	close(c->child_fd);
	c->child_fd = -1;
	l->children--;
	message_parse(&l->message, c->request, c->request_len, NULL);
	serve_reply_begin(&r, &l->message);
	outcome = in_time ? take_answer(l, op, &q, len, fd, &r) : ICERT_E_TIMEOUT;
	if (outcome == ICERT_E_CRASHED || outcome == ICERT_E_TIMEOUT)
		log_warn("child_failed", "%s: %s (signal %d)", keyproto_find(op->op)->name, icert_err_code(outcome),
		    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if (len > 0)
		bytes_wipe(l->packet, (size_t)len);
	if (fd >= 0)
		close(fd);
	conn_forget_request(c);
	conn_send(l, c, &r, outcome);
}

/*
 * May a client of this socket start a child?  The last place is for the clients of another socket: whoever floods one
 * shuts nobody out of the others.
 */
static int
has_room(const struct loop *l, const char *socket)
{
	size_t here = 0;

	if (l->children < SERVE_CHILDREN - 1)
		return 1;
	for (size_t i = 0; i < SERVE_CONNECTIONS; i++)
		here += l->conn[i].child_fd >= 0 && l->conn[i].socket == socket;
	return l->children < SERVE_CHILDREN && (l->sockets->n == 1 || here < SERVE_CHILDREN - 1);
}

/* What each polled descriptor belongs to. */
struct watched {
	struct conn *conn;	/* NULL: a listening socket */
	int child;		/* the conn's child, not its client */
	size_t socket;
};

static size_t
watch(struct loop *l, struct pollfd *p, struct watched *w)
{
	size_t n = 0;

	for (size_t i = 0; i < l->sockets->n; i++, n++) {
		p[n] = (struct pollfd){ l->sockets->fd[i], POLLIN, 0 };
		w[n] = (struct watched){ NULL, 0, i };
	}
	for (size_t i = 0; i < SERVE_CONNECTIONS; i++) {
		struct conn *c = &l->conn[i];
		int ready;

		if (c->fd < 0)
			continue;
		ready = c->child_fd < 0 && has_room(l, c->socket);
		p[n] = (struct pollfd){ c->fd, ready ? POLLIN : 0, 0 };
		w[n++] = (struct watched){ c, 0, 0 };
		if (c->child_fd >= 0) {
			p[n] = (struct pollfd){ c->child_fd, POLLIN, 0 };
			w[n++] = (struct watched){ c, 1, 0 };
		}
	}
	return n;
}

static void
handle(struct loop *l, const struct pollfd *p, const struct watched *w)
{
	struct conn *c = w->conn;

	if (p->revents == 0)
		return;
	if (c == NULL)
		conn_accept(l, w->socket);
	else if (w->child) {
		if (c->child_fd == p->fd)
			child_end(l, c, 1);
	} else if (c->fd == p->fd) {
		if (c->child_fd >= 0 || !(p->revents & POLLIN))
			conn_close(l, c);	/* the client left; nobody wants the answer */
		else if (has_room(l, c->socket))
			conn_read(l, c);
	}
}

static void
end_late_children(struct loop *l)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < SERVE_CONNECTIONS; i++)
		if (l->conn[i].child_fd >= 0 && now >= l->conn[i].child_until)
			child_end(l, &l->conn[i], 0);
}

static int
run(struct loop *l)
{
	struct pollfd p[SERVE_SOCKETS + 2 * SERVE_CONNECTIONS];
	struct watched w[SERVE_SOCKETS + 2 * SERVE_CONNECTIONS];
	int64_t ticked = clock_mono_ms();

	while (!stopping) {
		size_t n = watch(l, p, w);
		int timeout = l->serve->tick != NULL && l->serve->tick_ms < POLL_MS ? l->serve->tick_ms : POLL_MS;

		if (poll(p, (nfds_t)n, timeout) < 0 && errno != EINTR)
			return ICERT_E_SYSTEM;
		for (size_t i = 0; i < n && !stopping; i++)
			handle(l, &p[i], &w[i]);
		end_late_children(l);
		if (l->serve->tick != NULL && clock_mono_ms() - ticked >= l->serve->tick_ms) {
			ticked = clock_mono_ms();
			l->serve->tick(l->serve->ctx);
		}
	}
	return 0;
}

static struct loop *
loop_new(const struct serve *serve, const struct serve_sockets *sockets)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->packet = malloc(MESSAGE_MAX);
	if (l->packet == NULL) {
		free(l);
		return NULL;
	}
	l->serve = serve;
	l->sockets = sockets;
	for (size_t i = 0; i < SERVE_CONNECTIONS; i++)
		l->conn[i].fd = l->conn[i].child_fd = -1;
	return l;
}

static void
loop_free(struct loop *l)
{
	for (size_t i = 0; i < SERVE_CONNECTIONS; i++)
		conn_close(l, &l->conn[i]);
	bytes_wipe(l->packet, MESSAGE_MAX);
	free(l->packet);
	free(l);
}

int
serve_run(const struct serve *serve, const struct serve_sockets *sockets)
{
	struct sigaction action = { .sa_handler = stop };
	struct loop *l = loop_new(serve, sockets);
	int error;

	if (l == NULL)
		return ICERT_E_MEMORY;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	log_info("started", "serving %zu sockets", sockets->n);
	error = run(l);
	loop_free(l);
	return error;
}
