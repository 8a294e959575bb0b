#include "crypt/checker.h"

#include "crypt/call.h"
#include "libicert/error.h"

#include <string.h>

/* The child's own limit is shorter; files queue. */
#define CHECK_TIMEOUT 24000	/* above the life of a checker's child, below the edge's patience */

int
checker_check(struct keyclient *client, int fd, enum check_kind expected, enum check_purpose purpose, struct checked *out, int *out_fd)
{
	uint8_t type = 0;
	struct call c;

	memset(out, 0, sizeof(*out));
	call_begin(&c, client, OP_CHECK);
	c.timeout_ms = CHECK_TIMEOUT;
	c.probe = 1;
	c.fd_in = fd;
	c.fd_out = out_fd;
	call_byte(&c, TAG_KIND, (int)expected);
	call_byte(&c, TAG_PURPOSE, (int)purpose);
	if (call_do(&c, 1) == 0) {
		call_get(&c, TAG_TYPE, &type, 1);
		out->type = (enum check_kind)type;
		out->flags = (uint32_t)message_number(&c.reply, TAG_FLAGS, 0);
		out->width = (uint32_t)message_number(&c.reply, TAG_WIDTH, 0);
		out->height = (uint32_t)message_number(&c.reply, TAG_HEIGHT, 0);
		out->pages = (uint32_t)message_number(&c.reply, TAG_PAGES, 0);
		out->background_mean = (uint32_t)message_number(&c.reply, TAG_MEAN, 0);
		out->background_deviation = (uint32_t)message_number(&c.reply, TAG_DEVIATION, 0);
		out->encrypted = (out->flags & CHECK_ENCRYPTED) != 0;
		out->active = (out->flags & CHECK_ACTIVE) != 0;
		out->truncated = (out->flags & CHECK_TRUNCATED) != 0;
		out->broken = (out->flags & CHECK_BROKEN) != 0;
		out->too_big = (out->flags & CHECK_TOO_BIG) != 0;
	}
	/* Said by the checker, it speaks of the file; said here, of a checker that does not answer. */
	if (c.error == ICERT_E_TIMEOUT && c.reply.status == 0)
		c.error = ICERT_E_UNAVAILABLE;
	return call_end(&c);
}
