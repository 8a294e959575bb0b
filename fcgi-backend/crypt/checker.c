#include "crypt/checker.h"

#include "crypt/call.h"
#include "libicert/error.h"
#include "libicert/utf8.h"

#include <string.h>

/* The child's own limit is shorter; files queue. */
#define CHECK_TIMEOUT 24000	/* above the life of a checker's child, below the edge's patience */

static void
ask(struct call *c, struct keyclient *client, uint16_t op, int fd)
{
	call_begin(c, client, op);
	c->timeout_ms = CHECK_TIMEOUT;
	c->probe = 1;
	c->fd_in = fd;
}

static int
end(struct call *c)
{
	/* Said by the checker, it speaks of the file; said here, of a checker that does not answer. */
	if (c->error == ICERT_E_TIMEOUT && c->reply.status == 0)
		c->error = ICERT_E_UNAVAILABLE;
	return call_end(c);
}

/* Digits, whatever the child says. */
static void
get_printed(const struct message *reply, struct checked *out)
{
	const struct message_field *f;

	for (size_t i = 0; i < CHECK_PRINTED && (f = message_get(reply, TAG_CODE, i)) != NULL; i++) {
		char *key = out->printed[out->n_printed];

		memcpy(key, f->p, ACCESS_KEY_DIGITS);
		out->n_printed += strspn(key, "0123456789") == ACCESS_KEY_DIGITS;
	}
}

int
checker_check(struct keyclient *client, int fd, enum check_kind expected, enum check_purpose purpose, struct checked *out, int *out_fd)
{
	uint8_t type = 0;
	struct call c;

	memset(out, 0, sizeof(*out));
	ask(&c, client, OP_CHECK, fd);
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
		get_printed(&c.reply, out);
		out->encrypted = (out->flags & CHECK_ENCRYPTED) != 0;
		out->active = (out->flags & CHECK_ACTIVE) != 0;
		out->truncated = (out->flags & CHECK_TRUNCATED) != 0;
		out->broken = (out->flags & CHECK_BROKEN) != 0;
		out->too_big = (out->flags & CHECK_TOO_BIG) != 0;
	}
	return end(&c);
}

int
checker_invoice(struct keyclient *client, int fd, struct invoice *out, struct invoice_fault *fault)
{
	struct call c;

	memset(out, 0, sizeof *out);
	memset(fault, 0, sizeof *fault);
	ask(&c, client, OP_INVOICE, fd);
	if (call_do(&c, 1) == 0) {
		if (message_string(&c.reply, TAG_LABEL, fault->code, sizeof fault->code) != 0 ||
		    message_string(&c.reply, TAG_DETAIL, fault->element, sizeof fault->element) != 0 ||
		    !utf8_printable(fault->element, strlen(fault->element)) || (fault->code[0] == '\0' && invoice_get(out, &c.reply) != 0))
			c.error = ICERT_E_CRASHED;
		else if (fault->code[0] != '\0')
			c.error = ICERT_E_MALFORMED;
	} else if (c.error == ICERT_E_MALFORMED)	/* an answer, not a file, of the wrong form */
		c.error = ICERT_E_CRASHED;
	return end(&c);
}
