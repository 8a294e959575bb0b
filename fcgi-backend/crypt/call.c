#include "crypt/call.h"

#include "libicert/error.h"

#include <string.h>

void
call_begin(struct call *c, struct keyclient *client, uint16_t op)
{
	c->client = client;
	buf_init(&c->request);
	c->reply.n = 0;
	c->error = 0;
	c->fd_in = -1;
	c->fd_out = NULL;
	c->timeout_ms = c->probe = 0;
	keyclient_begin(client, &c->request, op);
}

void
call_bytes(struct call *c, uint16_t tag, const void *data, size_t len)
{
	message_put(&c->request, tag, data, len);
}

void
call_id(struct call *c, uint16_t tag, const char *id)
{
	uint8_t raw[ID_RAW] = { 0 };

	if (id_raw(id, raw) != 0 && c->error == 0)
		c->error = ICERT_E_INVALID;
	call_bytes(c, tag, raw, sizeof(raw));
}

void
call_string(struct call *c, uint16_t tag, const char *s)
{
	if (s == NULL && c->error == 0)
		c->error = ICERT_E_INVALID;
	if (s != NULL)
		call_bytes(c, tag, s, strlen(s));
}

void
call_byte(struct call *c, uint16_t tag, int value)
{
	uint8_t byte = (uint8_t)value;

	call_bytes(c, tag, &byte, 1);
}

void
call_number(struct call *c, uint16_t tag, uint64_t value)
{
	message_put_number(&c->request, tag, value);
}

void
call_fields(struct call *c, uint16_t tag, const struct cert_fields *fields)
{
	struct buf canonical = BUF_INIT;
	int error = cert_fields_encode(fields, &canonical);

	if (error != 0 && c->error == 0)
		c->error = error;
	call_bytes(c, tag, canonical.p, canonical.len);
	buf_free(&canonical);
}

void
call_statement(struct call *c, uint16_t tag, const struct statement *s)
{
	struct buf bytes = BUF_INIT;

	if (s->len > STATEMENT_MAX) {
		c->error = ICERT_E_INVALID;
		return;
	}
	statement_encode(s, &bytes);
	call_bytes(c, tag, bytes.p, bytes.len);
	buf_free(&bytes);
}

/*
 * The request is held against the operation's own rules first: what the process would refuse as malformed is an
 * argument that is not allowed, and is told so without asking.
 */
static int
check_own(struct call *c)
{
	const struct keyproto_spec *spec = keyproto_find(get_u16le(c->request.p + 2));

	if (message_finish(&c->request) != 0)
		return message_finish(&c->request);
	if (message_parse(&c->reply, c->request.p, c->request.len, spec->request) != 0)
		return ICERT_E_INVALID;
	return 0;
}

int
call_do(struct call *c, int again)
{
	int usual = c->client->timeout_ms;

	if (c->error == 0 && buf_error(&c->request) == 0)
		c->error = check_own(c);
	else if (c->error == 0)
		c->error = buf_error(&c->request);
	if (c->error != 0)
		return c->error;
	if (c->timeout_ms > usual)
		c->client->timeout_ms = c->timeout_ms;
	c->client->probe = c->probe;
	c->error = keyclient_call(c->client, &c->request, c->fd_in, &c->reply, c->fd_out, again);
	c->client->timeout_ms = usual;
	c->client->probe = 0;
	return c->error;
}

void
call_get(struct call *c, uint16_t tag, void *out, size_t n)
{
	if (c->error == 0)
		c->error = message_bytes(&c->reply, tag, out, n);
}

void
call_get_buf(struct call *c, uint16_t tag, struct buf *out)
{
	const struct message_field *f = c->error == 0 ? message_get(&c->reply, tag, 0) : NULL;

	if (f == NULL)
		return;
	buf_put(out, f->p, f->len);
	if (c->error == 0)
		c->error = buf_error(out);
}

void
call_get_statement(struct call *c, uint16_t tag, struct statement *s)
{
	const struct message_field *f = c->error == 0 ? message_get(&c->reply, tag, 0) : NULL;

	if (c->error == 0)
		c->error = f == NULL ? ICERT_E_MALFORMED : statement_decode(s, f->p, f->len);
}

int
call_end(struct call *c)
{
	buf_free(&c->request);
	if (c->client->packet != NULL)
		bytes_wipe(c->client->packet, c->client->packet_len);
	return c->error;
}
