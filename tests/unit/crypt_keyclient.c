/* A process that works long and one that hangs: what the client makes of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypt/keyclient.h"
#include "libicert/clock.h"
#include "libicert/error.h"

#define LONG_MS 24000

struct server {
	char folder[32], path[64];
	int fd;
	int answers;		/* others, while one waits */
	int connections;
	pthread_t thread;
};

static int
take(const struct server *s, uint8_t packet[MESSAGE_MAX], ssize_t *len)
{
	int fd = accept(s->fd, NULL, NULL), none = -1;

	if (fd >= 0)
		*len = message_recv(fd, packet, MESSAGE_MAX, &none);
	return fd;
}

/* A reply to a ping is its header. */
static void
answer(int fd, const uint8_t *packet)
{
	struct buf reply = BUF_INIT;

	message_begin(&reply, get_u16le(packet + 2), 0, get_u64le(packet + 6));
	message_send(fd, &reply, -1);
	buf_free(&reply);
}

/* The first is answered after the second; or nobody ever. */
static void *
serve(void *arg)
{
	static uint8_t first[MESSAGE_MAX], second[MESSAGE_MAX];
	struct server *s = arg;
	ssize_t len;
	int one, other;

	one = take(s, first, &len);
	s->connections = 1;
	other = take(s, second, &len);
	s->connections = 2;
	if (s->answers) {
		answer(other, second);
		answer(one, first);
	}
	/* Until the client has closed. */
	while (recv(one, second, sizeof(second), 0) > 0)
		continue;
	close(one);
	close(other);
	return NULL;
}

static void
begin(struct server *s, int answers)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(s, 0, sizeof(*s));
	s->answers = answers;
	strcpy(s->folder, "/tmp/icert-unit-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->path, sizeof(s->path), "%s/socket", s->folder);
	strcpy(address.sun_path, s->path);
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
end(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
	rmdir(s->folder);
}

static int
call(struct keyclient *c)
{
	struct buf request = BUF_INIT;
	struct message *reply = malloc(sizeof(*reply));
	int error;

	assert_non_null(reply);
	keyclient_begin(c, &request, OP_PING);
	error = keyclient_call(c, &request, -1, reply, NULL, 1);
	buf_free(&request);
	free(reply);
	return error;
}

static void
who_answers_others_is_waited_for(void **state)
{
	struct keyclient c;
	struct server s;
	int64_t began;

	(void)state;
	begin(&s, 1);
	keyclient_init(&c, s.path);
	c.timeout_ms = LONG_MS;
	c.probe = 1;
	began = clock_mono_ms();
	assert_int_equal(call(&c), 0);
	assert_true(clock_mono_ms() - began >= KEYCLIENT_TIMEOUT);
	assert_int_equal(c.closed_until, 0);
	keyclient_close(&c);
	end(&s);
}

static void
who_answers_nobody_is_given_up(void **state)
{
	struct keyclient c;
	struct server s;
	int64_t began;

	(void)state;
	begin(&s, 0);
	keyclient_init(&c, s.path);
	c.timeout_ms = LONG_MS;
	c.probe = 1;
	began = clock_mono_ms();
	assert_int_equal(call(&c), ICERT_E_TIMEOUT);
	assert_true(clock_mono_ms() - began < LONG_MS);
	/* Nor is it waited for again at once; that it is back is seen at once. */
	c.closed_until = INT64_MAX;
	began = clock_mono_ms();
	assert_int_equal(call(&c), ICERT_E_TIMEOUT);
	assert_true(clock_mono_ms() - began < KEYCLIENT_TIMEOUT);
	assert_int_equal(c.fd, -1);
	keyclient_close(&c);
	end(&s);
	assert_int_equal(s.connections, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_answers_others_is_waited_for),
		cmocka_unit_test(who_answers_nobody_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
