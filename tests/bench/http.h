#ifndef TESTS_BENCH_HTTP_H
#define TESTS_BENCH_HTTP_H
/*
 * A client of HTTP/1.1 on this machine for many connections at once: whole requests from a file, keep-alive, one
 * request at a time on each.  For the generators of load beside it.
 *
 * The file of requests: for each, octets of the request (2, little-endian), what is expected (1), the
 * serial it asks for (16), the request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HTTP_ANSWER 16384

struct question {
	const uint8_t *bytes;
	size_t len;
	const uint8_t *serial;		/* 16 octets */
	uint8_t expected;
};

struct http {
	int fd;				/* -1: closed */
	const struct question *asked;	/* NULL: idle */
	size_t sent;
	uint8_t in[HTTP_ANSWER];
	size_t in_len;
	size_t body, body_len;		/* in `in`, once the header is there; body 0: not yet */
	int status;
	int last;			/* the server closes after this answer */
	int epoll, port;
	uint32_t from;			/* address of this machine to ask from, host order; 0 any */
};

static inline int64_t
nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* All questions of a file; they live as long as the program. */
static inline struct question *
questions_read(const char *path, size_t *n)
{
	struct question *list = NULL;
	size_t size = 0, room = 0, at;
	uint8_t *bytes;
	FILE *f = fopen(path, "r");

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = (size_t)ftell(f)) == 0 || (bytes = malloc(size)) == NULL)
		fail(path);
	rewind(f);
	if (fread(bytes, 1, size, f) != size)
		fail(path);
	fclose(f);
	*n = 0;
	for (at = 0; at + 19 <= size; at += 19 + list[(*n)++].len) {
		if (*n == room && (list = reallocarray(list, room = room ? 2 * room : 1024, sizeof(*list))) == NULL)
			fail("memory");
		list[*n] = (struct question){ bytes + at + 19, (size_t)(bytes[at] | bytes[at + 1] << 8), bytes + at + 3, bytes[at + 2] };
	}
	return list;
}

static inline int
http_open(struct http *c, int epoll, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { htonl(c->from) } };
	struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = c } };
	int one = 1;

	c->asked = NULL;
	c->epoll = epoll;
	c->port = port;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		fail("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (c->from != 0 && bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		fail("bind");
	if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
		close(c->fd);
		c->fd = -1;
		return -1;
	}
	return 0;
}

static inline void
http_close(struct http *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->asked = NULL;
}

/* A request is shorter than a socket's buffer: it leaves at once, or the connection is broken. */
static inline int
http_ask(struct http *c, const struct question *q)
{
	c->in_len = c->body = 0;
	c->asked = q;
	return send(c->fd, q->bytes, q->len, MSG_NOSIGNAL) == (ssize_t)q->len ? 0 : -1;
}

static inline int
header_read(struct http *c)
{
	static const char field[] = "\r\nContent-Length:", closes[] = "\r\nConnection: close";
	uint8_t *end = memmem(c->in, c->in_len, "\r\n\r\n", 4), *p;

	if (end == NULL)
		return c->in_len == sizeof(c->in) ? -1 : 0;
	if (c->in_len < 12 || memcmp(c->in, "HTTP/1.1 ", 9) != 0)
		return -1;
	c->status = atoi((const char *)c->in + 9);
	c->body = (size_t)(end + 4 - c->in);
	c->body_len = SIZE_MAX;
	for (p = c->in; p + sizeof(field) < end; p++)
		if (*p == '\r' && strncasecmp((const char *)p, field, sizeof(field) - 1) == 0)
			c->body_len = (size_t)atol((const char *)p + sizeof(field) - 1);
	c->last = memmem(c->in, c->body, closes, sizeof(closes) - 1) != NULL;
	return c->body_len > sizeof(c->in) - c->body ? -1 : 0;
}

/* 1: the whole answer is there (and the connection idle), 0: not yet, -1: broken, or an answer that is none. */
static inline int
http_read(struct http *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || c->asked == NULL)
		return -1;
	c->in_len += (size_t)n;
	if (c->body == 0 && header_read(c) != 0)
		return -1;
	if (c->body == 0 || c->in_len < c->body + c->body_len)
		return 0;
	c->asked = NULL;
	if (c->in_len != c->body + c->body_len)
		return -1;
	/* After so many requests a server wants a new connection. */
	if (c->last) {
		close(c->fd);
		if (http_open(c, c->epoll, c->port) != 0)
			return -1;
	}
	return 1;
}

enum answer { ANSWER_GOOD, ANSWER_REVOKED, ANSWER_LATER, ANSWER_OTHER };

/* What an answer says of a serial: signatures are looked at by others. */
static inline enum answer
answer_of(const struct http *c, const uint8_t serial[16])
{
	static const uint8_t later[] = { 0x30, 3, 0x0A, 1, 3 };
	const uint8_t *p = c->in + c->body, *found;

	if (c->status != 200)
		return ANSWER_OTHER;
	if (c->body_len == sizeof(later) && memcmp(p, later, sizeof(later)) == 0)
		return ANSWER_LATER;
	if ((found = memmem(p, c->body_len, serial, 16)) == NULL || found + 17 >= p + c->body_len)
		return ANSWER_OTHER;
	return found[16] == 0x80 && found[17] == 0 ? ANSWER_GOOD : found[16] == 0xA1 ? ANSWER_REVOKED : ANSWER_OTHER;
}

#endif
