/* The server loop: rights by socket, forms, children that die, clients that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypt/keyclient.h"
#include "key_server.h"
#include "libicert/clock.h"
#include "libicert/error.h"

#include <errno.h>

/* Operations of the real table, with handlers of our own. */
static int
on_lookup(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	uint8_t hash[32] = { 0 };

	(void)ctx;
	(void)q;
	message_put(&r->body, TAG_HASH, hash, sizeof(hash));
	return 0;
}

static int
on_refuse(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	(void)ctx;
	(void)q;
	message_put(&r->body, TAG_KEY, "never seen", 10);
	strcpy(r->detail, "why");
	r->tries = 3;
	return ICERT_E_CODE_WRONG;
}

/* The child: what it does stands in the purpose. */
static int
on_child(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	(void)ctx;
	switch (message_get(q->message, TAG_PURPOSE, 0)->p[0]) {
	case 1:	/* answers well, with a file */
		r->fd = memfd_create("out", MFD_CLOEXEC);
		message_put(&r->body, TAG_TYPE, "\1", 1);
		for (uint16_t tag = TAG_WIDTH; tag <= TAG_DEVIATION; tag++)
			message_put_number(&r->body, tag, (uint64_t)getpid());
		return 0;
	case 2:	/* dies */
		signal(SIGABRT, SIG_DFL);
		abort();
	case 3:	/* hangs */
		pause();
		return 0;
	case 4:	/* answers in a form that is not the operation's */
		message_put(&r->body, TAG_KEY, "x", 1);
		return 0;
	default:
		return ICERT_E_INVALID;
	}
}

static const struct serve_op ops[] = {
	{ .op = OP_LOOKUP, .sockets = "one two", .handler = on_lookup },
	{ .op = OP_ENVELOPE_OPEN, .sockets = "one", .handler = on_refuse },
	{ .op = OP_CHECK, .sockets = "one two", .handler = on_child, .forked = 1, .seconds = 1 }
};
static const struct serve serve = { .ops = ops, .n = 3 };
static const char *const names[] = { "one", "two", "tw" };
static struct key_server server;

static int
setup(void **state)
{
	(void)state;
	bind_server(&server, names, 3);
	run_server(&server, &serve);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(stop_server(&server), 0);
	remove_server(&server);
	return 0;
}

static int
lookup(struct keyclient *c, struct message *reply)
{
	struct buf b = BUF_INIT;
	int error;

	keyclient_begin(c, &b, OP_LOOKUP);
	message_put_string(&b, TAG_LABEL, "x");
	message_put_string(&b, TAG_TEXT, "y");
	error = keyclient_call(c, &b, -1, reply, NULL, 1);
	buf_free(&b);
	return error;
}

static int
check(struct keyclient *c, int what, struct message *reply, int *fd)
{
	uint8_t byte = (uint8_t)what;
	int file = memfd_create("in", MFD_CLOEXEC);
	struct buf b = BUF_INIT;
	int error;

	keyclient_begin(c, &b, OP_CHECK);
	message_put(&b, TAG_KIND, "\0", 1);
	message_put(&b, TAG_PURPOSE, &byte, 1);
	c->timeout_ms = 5000;
	error = keyclient_call(c, &b, file, reply, fd, 0);
	buf_free(&b);
	close(file);
	return error;
}

static void
the_path_is_the_right(void **state)
{
	static struct message reply;
	struct keyclient c;

	(void)state;
	for (int i = 0; i < 3; i++) {
		keyclient_init(&c, server.path[i]);
		assert_int_equal(keyclient_ping(&c), 0);
		/* "tw" is the beginning of a name that is allowed, and no more than that */
		assert_int_equal(lookup(&c, &reply), i == 2 ? ICERT_E_DENIED : 0);
		keyclient_close(&c);
	}
}

static void
refusals_carry_no_field(void **state)
{
	static struct message reply;
	const uint8_t bytes[32] = { 0 };
	struct buf b = BUF_INIT;
	struct keyclient c;

	(void)state;
	keyclient_init(&c, server.path[0]);
	keyclient_begin(&c, &b, OP_ENVELOPE_OPEN);
	message_put(&b, TAG_CASE, bytes, 16);
	message_put(&b, TAG_SESSION, bytes, 32);
	assert_int_equal(keyclient_call(&c, &b, -1, &reply, NULL, 0), ICERT_E_CODE_WRONG);
	assert_int_equal(reply.n, 2);
	assert_int_equal(message_number(&reply, TAG_TRIES, 0), 3);
	assert_string_equal(c.detail, "why");
	keyclient_close(&c);
	buf_free(&b);
}

/* What a packet of our own making is answered with. */
static int
raw(const struct buf *b, int fd)
{
	struct keyclient c;
	struct message reply;
	int error;

	keyclient_init(&c, server.path[0]);
	error = keyclient_call(&c, b, fd, &reply, NULL, 0);
	keyclient_close(&c);
	return error;
}

static void
malformed_requests(void **state)
{
	struct buf b = BUF_INIT;
	int file = memfd_create("in", MFD_CLOEXEC);

	(void)state;
	message_begin(&b, OP_LOOKUP, 0, 1);
	message_put_string(&b, TAG_LABEL, "x");
	assert_int_equal(raw(&b, -1), ICERT_E_MALFORMED);
	message_put_string(&b, TAG_TEXT, "y");
	assert_int_equal(raw(&b, file), ICERT_E_MALFORMED);	/* a file nobody asked for */
	message_put(&b, TAG_KEY, "z", 1);
	assert_int_equal(raw(&b, -1), ICERT_E_MALFORMED);
	message_begin(&b, OP_ACCEPT, 0, 1);			/* known, but not this process's */
	assert_int_equal(raw(&b, -1), ICERT_E_UNSUPPORTED);
	message_begin(&b, OP_PING, 5, 1);			/* a status in a request */
	assert_int_equal(raw(&b, -1), ICERT_E_UNSUPPORTED);
	close(file);
	buf_free(&b);
}

static void
children(void **state)
{
	static struct message reply;
	struct keyclient c;
	int fd;

	(void)state;
	keyclient_init(&c, server.path[1]);
	assert_int_equal(check(&c, 1, &reply, &fd), 0);
	assert_true(fd >= 0);
	assert_int_not_equal(message_number(&reply, TAG_WIDTH, 0), (uint64_t)server.pid);
	close(fd);
	assert_int_equal(check(&c, 2, &reply, &fd), ICERT_E_CRASHED);
	assert_int_equal(check(&c, 4, &reply, &fd), ICERT_E_CRASHED);
	assert_int_equal(check(&c, 5, &reply, &fd), ICERT_E_INVALID);
	assert_int_equal(check(&c, 3, &reply, &fd), ICERT_E_TIMEOUT);
	/* and the server is well after all that */
	assert_int_equal(check(&c, 1, &reply, &fd), 0);
	close(fd);
	keyclient_close(&c);
}

/* More clients wait than children may run; others are answered meanwhile; a client that leaves frees its place. */
static void
clients_that_leave(void **state)
{
	static struct message reply;
	struct keyclient hanging[SERVE_CHILDREN], c;
	int fd;

	(void)state;
	for (int i = 0; i < SERVE_CHILDREN; i++) {
		keyclient_init(&hanging[i], server.path[1]);
		hanging[i].timeout_ms = 50;
		struct buf b = BUF_INIT;
		int file = memfd_create("in", MFD_CLOEXEC);

		keyclient_begin(&hanging[i], &b, OP_CHECK);
		message_put(&b, TAG_KIND, "\0", 1);
		message_put(&b, TAG_PURPOSE, "\3", 1);
		assert_int_equal(keyclient_call(&hanging[i], &b, file, &reply, NULL, 0), ICERT_E_TIMEOUT);
		close(file);
		buf_free(&b);
	}
	keyclient_init(&c, server.path[1]);
	assert_int_equal(check(&c, 1, &reply, &fd), 0);
	close(fd);
	keyclient_close(&c);
	for (int i = 0; i < SERVE_CHILDREN; i++)
		keyclient_close(&hanging[i]);
}

/* Files that hang, sent on one socket, keep nobody from being served on another. */
static void
a_flood_on_one_socket(void **state)
{
	static struct message reply;
	int64_t until;
	struct keyclient c;
	int fd, sock[SERVE_CHILDREN + 2];

	(void)state;
	for (int i = 0; i < SERVE_CHILDREN + 2; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		struct buf b = BUF_INIT;
		int file = memfd_create("in", MFD_CLOEXEC);

		strcpy(address.sun_path, server.path[1]);
		sock[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(sock[i], (struct sockaddr *)&address, sizeof(address)), 0);
		message_begin(&b, OP_CHECK, 0, 1);
		message_put(&b, TAG_KIND, "\0", 1);
		message_put(&b, TAG_PURPOSE, "\3", 1);
		assert_int_equal(message_send(sock[i], &b, file), 0);
		close(file);
		buf_free(&b);
	}
	usleep(200000);	/* as many as may are hanging now, for a second each */
	until = clock_mono_ms() + 500;
	keyclient_init(&c, server.path[0]);
	assert_int_equal(check(&c, 1, &reply, &fd), 0);
	assert_true(clock_mono_ms() < until);
	close(fd);
	keyclient_close(&c);
	for (int i = 0; i < SERVE_CHILDREN + 2; i++)
		close(sock[i]);
}

static void
more_clients_than_places(void **state)
{
	static struct keyclient c[SERVE_CONNECTIONS + 20];
	static struct message reply;

	(void)state;
	for (int i = 0; i < SERVE_CONNECTIONS + 20; i++) {
		keyclient_init(&c[i], server.path[0]);
		assert_int_equal(lookup(&c[i], &reply), 0);
	}
	/* the first one's place went to another: it connects again by itself */
	assert_int_equal(lookup(&c[0], &reply), 0);
	for (int i = 0; i < SERVE_CONNECTIONS + 20; i++)
		keyclient_close(&c[i]);
}

static void
a_restart_between_two_calls(void **state)
{
	static struct message reply;
	struct keyclient c;

	(void)state;
	keyclient_init(&c, server.path[0]);
	assert_int_equal(lookup(&c, &reply), 0);
	assert_int_equal(stop_server(&server), 0);
	run_server(&server, &serve);
	assert_int_equal(lookup(&c, &reply), 0);
	keyclient_close(&c);
	keyclient_init(&c, "/tmp/icert-nobody-listens-here");
	assert_int_equal(keyclient_ping(&c), ICERT_E_UNAVAILABLE);
	keyclient_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_is_the_right),
		cmocka_unit_test(refusals_carry_no_field),
		cmocka_unit_test(malformed_requests),
		cmocka_unit_test(children),
		cmocka_unit_test(clients_that_leave),
		cmocka_unit_test(a_flood_on_one_socket),
		cmocka_unit_test(more_clients_than_places),
		cmocka_unit_test(a_restart_between_two_calls)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
