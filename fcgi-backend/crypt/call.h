#ifndef CRYPT_CALL_H
#define CRYPT_CALL_H

#include "crypt/keyclient.h"
#include "libicert/approval.h"

/*
 * For the client files of this folder: one call from its first field to its outcome. An
 * error on the way (an id that is none, no memory) is kept and call_do() returns it
 * unsent.  call_end() wipes and frees; after it the reply is gone.
 */
struct call {
	struct keyclient *client;
	struct buf request;
	struct message reply;
	int error;
	int fd_in;
	int *fd_out;
	int timeout_ms;		/* 0: the client's */
	int probe;		/* a child works for it: the process itself answers a ping meanwhile */
};

void call_begin(struct call *, struct keyclient *, uint16_t op);
void call_id(struct call *, uint16_t tag, const char *id);
void call_bytes(struct call *, uint16_t tag, const void *, size_t);
void call_string(struct call *, uint16_t tag, const char *);
void call_byte(struct call *, uint16_t tag, int);
void call_number(struct call *, uint16_t tag, uint64_t);
void call_fields(struct call *, uint16_t tag, const struct cert_fields *);
void call_statement(struct call *, uint16_t tag, const struct statement *);
/* again: as for keyclient_call(). */
int call_do(struct call *, int again);
/* Reads from the reply; the forms were checked already. */
void call_get(struct call *, uint16_t tag, void *, size_t);
void call_get_buf(struct call *, uint16_t tag, struct buf *out);
void call_get_statement(struct call *, uint16_t tag, struct statement *);
/* Returns the call's outcome. */
int call_end(struct call *);

#endif
