#include "keys/serve_request.h"

#include "libicert/error.h"
#include "libicert/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
allowed_on(const char *sockets, const char *name)
{
	size_t len = strlen(name);

	while (*sockets != 0) {
		size_t n = strcspn(sockets, " ");

		if (n == len && memcmp(sockets, name, n) == 0)
			return 1;
		sockets += n;
		sockets += *sockets == ' ';
	}
	return 0;
}

static const struct serve_op *
find_op(const struct serve *serve, uint16_t op)
{
	for (size_t i = 0; i < serve->n; i++)
		if (serve->ops[i].op == op)
			return &serve->ops[i];
	return NULL;
}

void
serve_reply_begin(struct serve_reply *r, const struct message *request)
{
	memset(r, 0, sizeof(*r));
	r->fd = -1;
	r->tries = -1;
	message_begin(&r->body, request->op, 0, request->id);
}

void
serve_reply_end(struct serve_reply *r, int outcome)
{
	if (outcome == 0)
		outcome = message_finish(&r->body);
	if (outcome == 0)
		return;
	message_clear(&r->body);
	message_set_status(&r->body, (uint16_t)-outcome);
	if (r->detail[0] != 0)
		message_put_string(&r->body, TAG_DETAIL, r->detail);
	if (r->tries >= 0)
		message_put_number(&r->body, TAG_TRIES, (uint64_t)r->tries);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

void
serve_reply_free(struct serve_reply *r)
{
	buf_free(&r->body);
	if (r->fd >= 0)
		close(r->fd);
	bytes_wipe(r, sizeof(*r));
	r->fd = -1;
}

int
serve_admit(const struct serve *serve, const char *socket, const uint8_t *packet, size_t len, int fd, struct message *m,
    const struct serve_op **op)
{
	const struct keyproto_spec *spec;
	int error = message_parse(m, packet, len, NULL);

	*op = NULL;
	if (error != 0) {
		m->n = 0;
		return error;
	}
	spec = keyproto_find(m->op);
	*op = find_op(serve, m->op);
	if (m->status != 0 || spec == NULL || (*op == NULL && m->op != OP_PING))
		return ICERT_E_UNSUPPORTED;
	if (*op != NULL && !allowed_on((*op)->sockets, socket)) {
		log_warn("key_request_denied", "%s is not allowed on %s", spec->name, socket);
		return ICERT_E_DENIED;
	}
	if ((fd >= 0) != (spec->fd_in != 0))
		return ICERT_E_MALFORMED;
	return message_check(m, spec->request);
}

/* What the server makes of the reply of a forked operation that was run in this process. */
static int
finish_once(const struct serve *serve, const struct serve_op *op, const struct serve_request *q, struct serve_reply *r)
{
	struct message *answer = calloc(1, sizeof(*answer));
	struct buf child = r->body;
	int outcome;

	if (answer == NULL)
		return ICERT_E_MEMORY;
	buf_init(&r->body);
	message_begin(&r->body, op->op, 0, q->message->id);
	outcome = message_parse(answer, child.p, child.len, op->child_reply);
	if (outcome == 0)
		outcome = op->finish(serve->ctx, q, answer, r);
	free(answer);
	buf_free(&child);
	return outcome;
}

int
serve_once(const struct serve *serve, const char *socket, const uint8_t *packet, size_t len, int fd, struct buf *out,
    int *fd_out)
{
	struct message *m = calloc(1, sizeof(*m));
	struct serve_request q = { .socket = socket, .message = m, .fd = fd };
	const struct serve_op *op;
	struct serve_reply r;
	int outcome;

	if (m == NULL)
		return ICERT_E_MEMORY;
	outcome = serve_admit(serve, socket, packet, len, fd, m, &op);
	serve_reply_begin(&r, m);
	if (outcome == 0 && op != NULL)
		outcome = op->handler(serve->ctx, &q, &r);
	if (outcome == 0 && op != NULL && op->finish != NULL)
		outcome = finish_once(serve, op, &q, &r);
	serve_reply_end(&r, outcome);
	buf_put(out, r.body.p, r.body.len);
	if (fd_out != NULL) {
		*fd_out = r.fd;
		r.fd = -1;
	}
	serve_reply_free(&r);
	free(m);
	return buf_error(out);
}
