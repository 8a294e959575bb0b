/* Messages between processes: their form, their rules, and a descriptor that travels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libicert/error.h"
#include "libicert/keyproto.h"
#include "libicert/message.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct message_rule rules[] = {
	{ 1, 1, 1, 4, 4 },
	{ 2, 0, 2, 0, 10 },
	{ 0, 0, 0, 0, 0 }
};

static void
round_trip(void **state)
{
	struct buf b = BUF_INIT;
	struct message m;
	char text[11];

	(void)state;
	message_begin(&b, 0x0102, 0, 77);
	message_put(&b, 1, "abcd", 4);
	message_put_string(&b, 2, "hola");
	message_put_string(&b, 2, "");
	assert_int_equal(message_finish(&b), 0);
	assert_int_equal(b.len, MESSAGE_HEADER + 3 * MESSAGE_FIELD + 8);
	assert_int_equal(message_parse(&m, b.p, b.len, rules), 0);
	assert_int_equal(m.op, 0x0102);
	assert_int_equal(m.id, 77);
	assert_int_equal(m.n, 3);
	assert_int_equal(message_count(&m, 2), 2);
	assert_int_equal(message_get(&m, 2, 1)->len, 0);
	assert_null(message_get(&m, 2, 2));
	assert_int_equal(message_string(&m, 2, text, sizeof(text)), 0);
	assert_string_equal(text, "hola");
	assert_int_equal(message_string(&m, 3, text, sizeof(text)), ICERT_E_MISSING);
	assert_int_equal(message_string(&m, 2, text, 4), ICERT_E_TOO_LARGE);
	buf_free(&b);
}

static void
header_is_little_endian(void **state)
{
	static const uint8_t want[] = { 1, 0, 2, 1, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 1, 0, 0, 0, 'x' };
	struct buf b = BUF_INIT;

	(void)state;
	message_begin(&b, 0x0102, 0, 0x0102030405060708);
	message_put(&b, 9, "x", 1);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.p, want, sizeof(want));
	message_set_status(&b, 0x0a0b);
	assert_int_equal(b.p[4], 0x0b);
	assert_int_equal(b.p[5], 0x0a);
	buf_free(&b);
}

static int
parse_fields(const void *fields, size_t len)
{
	struct buf b = BUF_INIT;
	struct message m;
	int error;

	message_begin(&b, 1, 0, 1);
	buf_put(&b, fields, len);
	error = message_parse(&m, b.p, b.len, rules);
	buf_free(&b);
	return error;
}

static void
what_rules_refuse(void **state)
{
	(void)state;
	assert_int_equal(parse_fields("\1\0\4\0\0\0abcd", 10), 0);
	/* required one absent */
	assert_int_equal(parse_fields("", 0), ICERT_E_MALFORMED);
	/* twice */
	assert_int_equal(parse_fields("\1\0\4\0\0\0abcd\1\0\4\0\0\0abcd", 20), ICERT_E_MALFORMED);
	/* wrong length */
	assert_int_equal(parse_fields("\1\0\3\0\0\0abc", 9), ICERT_E_MALFORMED);
	/* unknown tag */
	assert_int_equal(parse_fields("\1\0\4\0\0\0abcd\3\0\0\0\0\0", 16), ICERT_E_MALFORMED);
	/* tag 0 */
	assert_int_equal(parse_fields("\1\0\4\0\0\0abcd\0\0\0\0\0\0", 16), ICERT_E_MALFORMED);
	/* a length behind the end, a torn field header, a trailing byte */
	assert_int_equal(parse_fields("\1\0\5\0\0\0abcd", 10), ICERT_E_MALFORMED);
	assert_int_equal(parse_fields("\1\0\4\0\0", 5), ICERT_E_MALFORMED);
	assert_int_equal(parse_fields("\1\0\4\0\0\0abcd\2", 11), ICERT_E_MALFORMED);
	assert_int_equal(parse_fields("\1\0\xff\xff\xff\xff""abcd", 10), ICERT_E_MALFORMED);
}

static void
other_forms(void **state)
{
	static uint8_t big[MESSAGE_MAX + 1];
	struct message m;
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(message_parse(&m, big, sizeof(big), rules), ICERT_E_TOO_LARGE);
	assert_int_equal(message_parse(&m, big, 13, rules), ICERT_E_MALFORMED);
	assert_int_equal(message_parse(&m, big, 14, rules), ICERT_E_UNSUPPORTED);
	message_begin(&b, 1, 0, 1);
	message_put(&b, 1, big, MESSAGE_MAX - MESSAGE_HEADER - MESSAGE_FIELD);
	assert_int_equal(message_finish(&b), 0);
	message_put(&b, 1, big, 1);
	assert_int_equal(message_finish(&b), ICERT_E_TOO_LARGE);
	message_clear(&b);
	assert_int_equal(message_finish(&b), 0);
	assert_int_equal(b.len, MESSAGE_HEADER);
	/* more fields than any operation has */
	for (int i = 0; i <= MESSAGE_FIELDS_MAX; i++)
		message_put(&b, 1, "", 0);
	assert_int_equal(message_parse(&m, b.p, b.len, NULL), ICERT_E_MALFORMED);
	buf_free(&b);
}

static void
numbers(void **state)
{
	struct buf b = BUF_INIT;
	struct message m;

	(void)state;
	message_begin(&b, 1, 0, 1);
	message_put_number(&b, 5, 0xfedcba9876543210);
	message_put(&b, 6, "\x01\x02", 2);
	assert_int_equal(message_parse(&m, b.p, b.len, NULL), 0);
	assert_true(message_number(&m, 5, 0) == 0xfedcba9876543210);
	assert_int_equal(message_number(&m, 6, 0), 0x0201);
	assert_int_equal(message_number(&m, 7, 42), 42);
	buf_free(&b);
}

/* Sends with these descriptors, whatever message_send() would allow. */
static void
send_length(int sock, const int *fds, size_t n, size_t len)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(8 * sizeof(int))]; } control;
	struct iovec iov = { (char[]){ 'x' }, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	assert_int_equal(sendmsg(sock, &msg, 0), (ssize_t)len);
}

static void
send_raw(int sock, const int *fds, size_t n)
{
	send_length(sock, fds, n, 1);
}

static int
open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
descriptors_travel(void **state)
{
	struct buf b = BUF_INIT;
	uint8_t packet[256];
	int pair[2], got;
	int file = memfd_create("t", 0);
	int before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	before = open_descriptors();
	message_begin(&b, OP_PING, 0, 3);
	assert_int_equal(message_send(pair[0], &b, file), 0);
	assert_int_equal(message_recv(pair[1], packet, sizeof(packet), &got), (ssize_t)b.len);
	assert_true(got >= 0);
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	close(got);
	/* not expected: closed; several: closed and malformed */
	assert_int_equal(message_send(pair[0], &b, file), 0);
	assert_int_equal(message_recv(pair[1], packet, sizeof(packet), NULL), (ssize_t)b.len);
	send_raw(pair[0], (int[]){ file, file, file }, 3);
	assert_int_equal(message_recv(pair[1], packet, sizeof(packet), &got), ICERT_E_MALFORMED);
	assert_int_equal(got, -1);
	send_raw(pair[0], (int[]){ file, file, file, file, file, file, file, file }, 8);
	assert_int_equal(message_recv(pair[1], packet, sizeof(packet), &got), ICERT_E_MALFORMED);
	/* with an empty packet, which reads as the end: closed */
	send_length(pair[0], (int[]){ file }, 1, 0);
	assert_int_equal(message_recv(pair[1], packet, sizeof(packet), &got), 0);
	assert_int_equal(got, -1);
	assert_int_equal(open_descriptors(), before);
	/* longer than there is room for */
	assert_int_equal(message_send(pair[0], &b, -1), 0);
	assert_int_equal(message_recv(pair[1], packet, 5, &got), ICERT_E_TOO_LARGE);
	close(pair[0]);
	assert_int_equal(message_recv(pair[1], packet, sizeof(packet), &got), 0);
	close(pair[1]);
	close(file);
	buf_free(&b);
}

/* Every operation of the table has its forms, and no number twice. */
static void
table_of_operations(void **state)
{
	int n = 0;

	(void)state;
	for (uint32_t op = 0; op < 0x10000; op++) {
		const struct keyproto_spec *spec = keyproto_find((uint16_t)op);

		if (spec == NULL)
			continue;
		n++;
		assert_non_null(spec->request);
		assert_non_null(spec->reply);
		for (const struct message_rule *r = spec->request; r->tag != 0; r++)
			assert_true(r->count_min <= r->count_max && r->len_min <= r->len_max && r->count_max <= MESSAGE_FIELDS_MAX);
	}
	assert_int_equal(n, 35);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(header_is_little_endian),
		cmocka_unit_test(what_rules_refuse),
		cmocka_unit_test(other_forms),
		cmocka_unit_test(numbers),
		cmocka_unit_test(descriptors_travel),
		cmocka_unit_test(table_of_operations)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
