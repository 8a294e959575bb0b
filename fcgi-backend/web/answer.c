#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "web/answer.h"

#define FCGI_VERSION	1
#define FCGI_STDOUT	6
#define FCGI_END	3
#define HEADER		8
#define CONTENT_MAX	65528	/* of a record: 16 bits of length, and no padding wanted */
#define RECORDS		32	/* sent at once: two parts each, far below IOV_MAX */

static void
header(unsigned char *out, int type, int request, size_t len)
{
	out[0] = FCGI_VERSION;
	out[1] = (unsigned char)type;
	out[2] = (unsigned char)(request >> 8);
	out[3] = (unsigned char)request;
	out[4] = (unsigned char)(len >> 8);
	out[5] = (unsigned char)len;
	out[6] = out[7] = 0;
}

/* All of it, or -1: the edge is gone, or took nothing for as long as the socket allows. */
static int
send_all(int fd, struct iovec *part, size_t n)
{
	while (n > 0) {
		struct msghdr m = { .msg_iov = part, .msg_iovlen = n };
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -1;
		for (; n > 0 && (size_t)sent >= part->iov_len; part++, n--)
			sent -= (ssize_t)part->iov_len;
		if (n > 0) {
			part->iov_base = (char *)part->iov_base + sent;
			part->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

static void
send_records(int fd, int request, const struct buf *answer)
{
	unsigned char headers[RECORDS][HEADER];
	/* The empty record that ends the stream, and END_REQUEST: status 0, complete. */
	unsigned char end[3 * HEADER] = { 0 };
	struct iovec part[2 * RECORDS + 1];
	size_t at = 0, n = 0;

	header(end, FCGI_STDOUT, request, 0);
	header(end + HEADER, FCGI_END, request, HEADER);
	while (at < answer->len) {
		size_t len = answer->len - at < CONTENT_MAX ? answer->len - at : CONTENT_MAX;

		header(headers[n / 2], FCGI_STDOUT, request, len);
		part[n] = (struct iovec){ headers[n / 2], HEADER };
		part[n + 1] = (struct iovec){ answer->p + at, len };
		n += 2;
		at += len;
		if (n == 2 * RECORDS && at < answer->len) {
			if (send_all(fd, part, n) != 0)
				return;
			n = 0;
		}
	}
	part[n++] = (struct iovec){ end, sizeof(end) };
	(void)send_all(fd, part, n);
}

void
answer_send(FCGX_Request *fcgi, const struct buf *answer)
{
	send_records(fcgi->ipcFd, fcgi->requestId, answer);
	close(fcgi->ipcFd);
	fcgi->ipcFd = -1;
	FCGX_Free(fcgi, 0);
}
