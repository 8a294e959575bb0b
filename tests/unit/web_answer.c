/* An answer as the edge reads it: whole, in records, and the connection's end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "web/answer.h"

#define STDOUT_RECORD 6
#define END_RECORD 3

struct reader {
	int fd;
	struct buf all;
};

static void *
read_all(void *arg)
{
	struct reader *r = arg;
	unsigned char piece[4096];
	ssize_t n;

	while ((n = read(r->fd, piece, sizeof(piece))) > 0)
		buf_put(&r->all, piece, (size_t)n);
	return NULL;
}

/* Sends len octets as the answer to request 7; checks each record and gives the content back. */
static void
check(size_t len)
{
	struct reader r = { .all = BUF_INIT };
	struct buf answer = BUF_INIT, content = BUF_INIT;
	FCGX_Request fcgi;
	pthread_t thread;
	size_t at = 0;
	int pair[2], ended = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	memset(&fcgi, 0, sizeof(fcgi));
	fcgi.ipcFd = pair[0];
	fcgi.requestId = 7;
	for (size_t i = 0; i < len; i++)
		buf_putc(&answer, (int)(i * 31 % 251));
	r.fd = pair[1];
	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	answer_send(&fcgi, &answer);
	assert_int_equal(fcgi.ipcFd, -1);
	pthread_join(thread, NULL);
	while (at < r.all.len) {
		const uint8_t *h = r.all.p + at;
		size_t n;

		assert_true(r.all.len - at >= 8 && !ended);
		n = (size_t)h[4] << 8 | h[5];
		assert_int_equal(h[0], 1);
		assert_int_equal(h[2] << 8 | h[3], 7);
		assert_true(n + h[6] + 8 <= r.all.len - at);
		ended = h[1] == END_RECORD;
		if (!ended) {
			assert_int_equal(h[1], STDOUT_RECORD);
			buf_put(&content, h + 8, n);
		} else {
			assert_int_equal(n, 8);
		}
		at += 8 + n + h[6];
	}
	assert_true(ended);
	assert_int_equal(content.len, len);
	assert_memory_equal(content.p, answer.p, len);
	close(pair[1]);
	buf_free(&answer);
	buf_free(&content);
	buf_free(&r.all);
}

static void
test_page(void **state)
{
	(void)state;
	check(1);
	check(10000);
}

/* Lengths about the limits of a record, and more records than go out at once. */
static void
test_large(void **state)
{
	(void)state;
	check(65528);
	check(65529);
	check(65528 * 32);
	check(65528 * 33 + 5);
}

/* Who hung up is nobody's failure, and costs no signal. */
static void
test_gone(void **state)
{
	struct buf answer = BUF_INIT;
	FCGX_Request fcgi;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	memset(&fcgi, 0, sizeof(fcgi));
	fcgi.ipcFd = pair[0];
	buf_puts(&answer, "Status: 200\r\n\r\n");
	answer_send(&fcgi, &answer);
	assert_int_equal(fcgi.ipcFd, -1);
	buf_free(&answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
