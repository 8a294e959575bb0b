#include "crypt/keyclient.h"

#include "libicert/clock.h"
#include "libicert/error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
keyclient_init(struct keyclient *c, const char *path)
{
	memset(c, 0, sizeof(*c));
	c->path = path;
	c->timeout_ms = KEYCLIENT_TIMEOUT;
	c->fd = -1;
}

static void
disconnect(struct keyclient *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void
keyclient_close(struct keyclient *c)
{
	disconnect(c);
	if (c->packet != NULL) {
		bytes_wipe(c->packet, MESSAGE_MAX);
		free(c->packet);
		c->packet = NULL;
	}
}

static int
connect_to(struct keyclient *c)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (c->path == NULL || strlen(c->path) >= sizeof(address.sun_path))
		return ICERT_E_INVALID;
	strcpy(address.sun_path, c->path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ICERT_E_SYSTEM;
	/* A Unix socket connects at once or not: EAGAIN is a full queue of a process that hangs. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return ICERT_E_UNAVAILABLE;
	}
	c->fd = fd;
	return 0;
}

static int
wait_for(int fd, short events, int64_t until)
{
	for (;;) {
		struct pollfd p = { fd, events, 0 };
		int64_t left = until - clock_mono_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return 0;
		if (n == 0)
			return ICERT_E_TIMEOUT;
		if (errno != EINTR)
			return ICERT_E_SYSTEM;
	}
}

static int
send_packet(struct keyclient *c, const struct buf *request, int fd, int64_t until)
{
	int error;

	while ((error = message_send(c->fd, request, fd)) == ICERT_E_TIMEOUT) {
		error = wait_for(c->fd, POLLOUT, until);
		if (error != 0)
			return error;
	}
	/* Closed from the other side: the process was started anew. */
	return error == ICERT_E_SYSTEM && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
	    ? ICERT_E_UNAVAILABLE : error;
}

static int
is_there(const char *path, int timeout_ms)
{
	struct keyclient other;
	int error;

	keyclient_init(&other, path);
	other.timeout_ms = timeout_ms;
	error = keyclient_ping(&other);
	keyclient_close(&other);
	return error == 0;
}

/* A long job is waited for as long as its process answers others; one that hangs has the call fail, and those soon after it. */
static int
wait_for_reply(struct keyclient *c, int64_t until)
{
	for (;;) {
		int64_t now = clock_mono_ms(), step = c->probe && until - now > KEYCLIENT_TIMEOUT ? now + KEYCLIENT_TIMEOUT : until;
		int error = wait_for(c->fd, POLLIN, step);

		if (error != ICERT_E_TIMEOUT || step == until)
			return error;
		if (!is_there(c->path, KEYCLIENT_TIMEOUT)) {
			c->closed_until = clock_mono_ms() + KEYCLIENT_BREAK;
			return ICERT_E_TIMEOUT;
		}
	}
}

/* The length of the reply in c->packet, or an error. */
static ssize_t
receive_packet(struct keyclient *c, int *fd, int64_t until)
{
	ssize_t n;
	int error;

	do {
		error = wait_for_reply(c, until);
		if (error != 0)
			return error;
		n = message_recv(c->fd, c->packet, MESSAGE_MAX, fd);
		c->packet_len = n >= 0 ? (size_t)n : MESSAGE_MAX;	/* what was too long has filled it */
	} while (n == ICERT_E_TIMEOUT);
	return n == 0 || n == ICERT_E_SYSTEM ? ICERT_E_UNAVAILABLE : n;
}

/* Sends on the open or a new connection, and waits for the reply; a second time when the first broke harmlessly. */
static ssize_t
exchange(struct keyclient *c, const struct buf *request, int fd_in, int *fd, int again)
{
	int64_t until = clock_mono_ms() + c->timeout_ms;
	ssize_t n = ICERT_E_UNAVAILABLE;

	for (int round = 0; round < 2; round++) {
		int was_open = c->fd >= 0;

		n = was_open ? 0 : connect_to(c);
		if (n != 0)
			return n;
		n = send_packet(c, request, fd_in, until);
		if (n == 0) {
			n = receive_packet(c, fd, until);
			if (n != ICERT_E_UNAVAILABLE || !again)
				return n;
		} else if (n != ICERT_E_UNAVAILABLE)
			return n;
		disconnect(c);
		if (!was_open)
			return n;
	}
	return n;
}

static int
read_reply(struct keyclient *c, const struct buf *request, size_t len, int fd, struct message *m)
{
	uint16_t op = get_u16le(request->p + 2);
	uint64_t id = get_u64le(request->p + 6);
	const struct keyproto_spec *spec = keyproto_find(op);
	int error = message_parse(m, c->packet, len, NULL);

	if (error != 0)
		return error;
	if (m->op != op || m->id != id || spec == NULL)
		return ICERT_E_MALFORMED;
	if (m->status != 0) {
		error = -(int)m->status;
		if (fd >= 0 || !icert_err_known(error) || message_check(m, keyproto_error_reply) != 0)
			return ICERT_E_MALFORMED;
		message_string(m, TAG_DETAIL, c->detail, sizeof(c->detail));
		return error;
	}
	if (fd >= 0 && !spec->fd_out)
		return ICERT_E_MALFORMED;
	return message_check(m, spec->reply);
}

void
keyclient_begin(struct keyclient *c, struct buf *request, uint16_t op)
{
	message_begin(request, op, 0, ++c->next_id);
}

int
keyclient_call(struct keyclient *c, const struct buf *request, int fd_in, struct message *reply, int *fd_out, int again)
{
	int error = message_finish(request);
	int fd = -1;
	ssize_t n;

	if (fd_out != NULL)
		*fd_out = -1;
	reply->n = 0;
	reply->status = 0;
	c->detail[0] = 0;
	if (error != 0)
		return error;
	if (c->closed_until != 0 && clock_mono_ms() < c->closed_until && !is_there(c->path, KEYCLIENT_QUICK))
		return ICERT_E_TIMEOUT;
	c->closed_until = 0;
	if (c->packet == NULL && (c->packet = malloc(MESSAGE_MAX)) == NULL)
		return ICERT_E_MEMORY;
	n = exchange(c, request, fd_in, &fd, again);
	if (n < 0) {
		disconnect(c);	/* a late reply must not be taken for the next one's */
		return (int)n;
	}
	error = read_reply(c, request, (size_t)n, fd, reply);
	if (error == ICERT_E_MALFORMED || error == ICERT_E_UNSUPPORTED)
		disconnect(c);
	if (error == 0 && fd_out != NULL)
		*fd_out = fd;
	else if (fd >= 0)
		close(fd);
	return error;
}

int
keyclient_ping(struct keyclient *c)
{
	struct buf request = BUF_INIT;
	struct message *reply = malloc(sizeof(*reply));
	int error = ICERT_E_MEMORY;

	if (reply != NULL) {
		keyclient_begin(c, &request, OP_PING);
		error = keyclient_call(c, &request, -1, reply, NULL, 1);
	}
	buf_free(&request);
	free(reply);
	return error;
}
