#include "libicert/message.h"

#include "libicert/error.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int
message_parse(struct message *m, const uint8_t *packet, size_t len, const struct message_rule *rules)
{
	size_t at = MESSAGE_HEADER;

	m->n = 0;
	if (len > MESSAGE_MAX)
		return ICERT_E_TOO_LARGE;
	if (len < MESSAGE_HEADER)
		return ICERT_E_MALFORMED;
	if (get_u16le(packet) != MESSAGE_VERSION)
		return ICERT_E_UNSUPPORTED;
	m->op = get_u16le(packet + 2);
	m->status = get_u16le(packet + 4);
	m->id = get_u64le(packet + 6);
	while (at < len) {
		struct message_field *f = &m->field[m->n];

		if (m->n == MESSAGE_FIELDS_MAX || len - at < MESSAGE_FIELD)
			return ICERT_E_MALFORMED;
		f->tag = get_u16le(packet + at);
		f->len = get_u32le(packet + at + 2);
		at += MESSAGE_FIELD;
		if (f->tag == 0 || f->len > len - at)
			return ICERT_E_MALFORMED;
		f->p = packet + at;
		at += f->len;
		m->n++;
	}
	return rules == NULL ? 0 : message_check(m, rules);
}

static const struct message_rule *
rule_of(const struct message_rule *rules, uint16_t tag)
{
	for (; rules->tag != 0; rules++)
		if (rules->tag == tag)
			return rules;
	return NULL;
}

int
message_check(const struct message *m, const struct message_rule *rules)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct message_rule *rule = rule_of(rules, m->field[i].tag);

		if (rule == NULL || m->field[i].len < rule->len_min || m->field[i].len > rule->len_max)
			return ICERT_E_MALFORMED;
	}
	for (; rules->tag != 0; rules++) {
		size_t n = message_count(m, rules->tag);

		if (n < rules->count_min || n > rules->count_max)
			return ICERT_E_MALFORMED;
	}
	return 0;
}

const struct message_field *
message_get(const struct message *m, uint16_t tag, size_t i)
{
	for (size_t at = 0; at < m->n; at++)
		if (m->field[at].tag == tag && i-- == 0)
			return &m->field[at];
	return NULL;
}

size_t
message_count(const struct message *m, uint16_t tag)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->field[i].tag == tag;
	return n;
}

uint64_t
message_number(const struct message *m, uint16_t tag, uint64_t fallback)
{
	const struct message_field *f = message_get(m, tag, 0);
	uint64_t v = 0;

	if (f == NULL || f->len > 8)
		return fallback;
	for (uint32_t i = f->len; i > 0; i--)
		v = v << 8 | f->p[i - 1];
	return v;
}

int
message_string(const struct message *m, uint16_t tag, char *out, size_t size)
{
	const struct message_field *f = message_get(m, tag, 0);

	if (f == NULL)
		return ICERT_E_MISSING;
	if (f->len >= size)
		return ICERT_E_TOO_LARGE;
	if (memchr(f->p, 0, f->len) != NULL)
		return ICERT_E_MALFORMED;
	memcpy(out, f->p, f->len);
	out[f->len] = 0;
	return 0;
}

int
message_bytes(const struct message *m, uint16_t tag, void *out, size_t n)
{
	const struct message_field *f = message_get(m, tag, 0);

	if (f == NULL)
		return ICERT_E_MISSING;
	if (f->len != n)
		return ICERT_E_MALFORMED;
	memcpy(out, f->p, n);
	return 0;
}

void
message_begin(struct buf *b, uint16_t op, uint16_t status, uint64_t id)
{
	buf_reset(b);
	buf_u16le(b, MESSAGE_VERSION);
	buf_u16le(b, op);
	buf_u16le(b, status);
	buf_u64le(b, id);
}

void
message_put(struct buf *b, uint16_t tag, const void *data, size_t len)
{
	if (len > MESSAGE_MAX || b->len + MESSAGE_FIELD + len > MESSAGE_MAX) {
		buf_fail(b, ICERT_E_TOO_LARGE);
		return;
	}
	buf_u16le(b, tag);
	buf_u32le(b, (uint32_t)len);
	buf_put(b, data, len);
}

void
message_put_string(struct buf *b, uint16_t tag, const char *s)
{
	message_put(b, tag, s, strlen(s));
}

void
message_put_number(struct buf *b, uint16_t tag, uint64_t v)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	message_put(b, tag, bytes, sizeof(bytes));
}

void
message_set_status(struct buf *b, uint16_t status)
{
	if (b->len < MESSAGE_HEADER)
		return;
	b->p[4] = (uint8_t)status;
	b->p[5] = (uint8_t)(status >> 8);
}

void
message_clear(struct buf *b)
{
	if (b->len < MESSAGE_HEADER)
		return;
	bytes_wipe(b->p + MESSAGE_HEADER, b->len - MESSAGE_HEADER);
	b->len = MESSAGE_HEADER;
	b->failed = 0;
}

int
message_finish(const struct buf *b)
{
	if (b->failed != 0)
		return b->failed;
	return b->len > MESSAGE_MAX ? ICERT_E_TOO_LARGE : 0;
}

/* Room for more descriptors than we take, so that extra ones can be closed. */
#define CONTROL_FDS 4
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
};

int
message_send(int sock, const struct buf *b, int fd)
{
	struct iovec iov = { b->p, b->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? ICERT_E_TIMEOUT : ICERT_E_SYSTEM;
	return (size_t)n == b->len ? 0 : ICERT_E_SYSTEM;
}

/* Takes the first descriptor, closes the others; how many came. */
static int
take_fds(struct msghdr *msg, int *fd)
{
	int n = 0;

	*fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++, n++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n == 0)
				*fd = one;
			else
				close(one);
		}
	}
	return n;
}

ssize_t
message_recv(int sock, uint8_t *packet, size_t size, int *fd)
{
	struct iovec iov = { packet, size };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)
	};
	int got = -1;
	int count;
	ssize_t n;

	if (fd != NULL)
		*fd = -1;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? ICERT_E_TIMEOUT : ICERT_E_SYSTEM;
	count = take_fds(&msg, &got);
	/* An empty packet reads as the other side's end: no caller looks for a descriptor then. */
	if (got >= 0 && (fd == NULL || n == 0 || count > 1 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)) {
		close(got);
		got = -1;
	}
	if (msg.msg_flags & MSG_TRUNC)
		return ICERT_E_TOO_LARGE;
	if (count > 1 || (msg.msg_flags & MSG_CTRUNC) != 0)
		return ICERT_E_MALFORMED;
	if (fd != NULL)
		*fd = got;
	return n;
}
