#ifndef LIBICERT_MESSAGE_H
#define LIBICERT_MESSAGE_H

#include "libicert/buf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * One message between two processes of the house, over a Unix SOCK_SEQPACKET
 * socket: one request, one reply, each one packet of at most 64 KiB.
 *
 *	header	version u16, operation u16, status u16, id u64		(14 bytes)
 *	fields	{ tag u16, length u32, bytes } ...			little-endian
 *
 * The status is 0 in a request; in a reply 0, or the absolute value of an
 * error of error.h.  The reply repeats operation and id.  What an operation
 * may carry is a list of rules: a tag without a rule, one field too many or too
 * few, a wrong length, a trailing byte, all are errors, so a handler only
 * meets messages of the form it was written for.  docs/key-protocol.md.
 */
#define MESSAGE_VERSION 1
#define MESSAGE_HEADER 14
#define MESSAGE_FIELD 6
#define MESSAGE_MAX 65536
#define MESSAGE_FIELDS_MAX 600

/* What one tag may look like in one operation's request or reply. */
struct message_rule {
	uint16_t tag;		/* 0 ends the list */
	uint16_t count_min;	/* so many fields of it at least */
	uint16_t count_max;	/* and at most */
	uint32_t len_min;	/* bytes of each at least */
	uint32_t len_max;	/* and at most */
};

struct message_field {
	uint16_t tag;
	uint32_t len;
	const uint8_t *p;	/* into the packet */
};

/* A parsed message; the fields point into the packet, which must outlive it. */
struct message {
	uint16_t op;
	uint16_t status;
	uint64_t id;
	size_t n;
	struct message_field field[MESSAGE_FIELDS_MAX];
};

/*
 * Parses a packet.  rules NULL: only the form is checked, any tag passes (for
 * reading the operation before its rules are known).
 * 0, ICERT_E_TOO_LARGE, ICERT_E_UNSUPPORTED (another version) or ICERT_E_MALFORMED.
 */
int message_parse(struct message *, const uint8_t *packet, size_t len, const struct message_rule *rules);

/* Checks the fields of a parsed message against rules.  0 or ICERT_E_MALFORMED. */
int message_check(const struct message *, const struct message_rule *rules);

/* The i-th field with this tag (from 0), NULL when there is none. */
const struct message_field *message_get(const struct message *, uint16_t tag, size_t i);
/* How many fields have this tag. */
size_t message_count(const struct message *, uint16_t tag);
/* A number of at most 8 bytes, little-endian; fallback when the field is absent. */
uint64_t message_number(const struct message *, uint16_t tag, uint64_t fallback);
/*
 * A field as a string: copied to out with a NUL.  0, ICERT_E_MISSING when
 * absent, ICERT_E_MALFORMED with a NUL inside, ICERT_E_TOO_LARGE.
 */
int message_string(const struct message *, uint16_t tag, char *out, size_t size);
/*
 * A field of exactly n bytes, copied.  0, ICERT_E_MISSING or ICERT_E_MALFORMED.
 */
int message_bytes(const struct message *, uint16_t tag, void *out, size_t n);

/*
 * Writing: message_begin() empties the buffer and writes the header, the others
 * append fields, message_finish() says whether all fitted: 0, ICERT_E_MEMORY
 * or ICERT_E_TOO_LARGE.  message_set_status() changes the status of a begun
 * message and message_clear() drops its fields again.
 */
void message_begin(struct buf *, uint16_t op, uint16_t status, uint64_t id);
void message_put(struct buf *, uint16_t tag, const void *, size_t);
void message_put_string(struct buf *, uint16_t tag, const char *);
/* As 8 bytes, little-endian. */
void message_put_number(struct buf *, uint16_t tag, uint64_t);
void message_set_status(struct buf *, uint16_t status);
void message_clear(struct buf *);
int message_finish(const struct buf *);

/*
 * Over a socket.  A packet may carry one file descriptor (-1: none); the sender
 * keeps its own, the receiver owns what it gets (close-on-exec).  More
 * descriptors than one are closed and the packet is malformed.
 * message_send: 0, ICERT_E_SYSTEM (errno), ICERT_E_TIMEOUT (the socket would block).
 * message_recv: the length (0 = the other side closed), or ICERT_E_SYSTEM,
 * ICERT_E_TIMEOUT, ICERT_E_TOO_LARGE, ICERT_E_MALFORMED.  fd may be NULL when none is expected:
 * one that comes all the same is closed.
 */
int message_send(int sock, const struct buf *, int fd);
ssize_t message_recv(int sock, uint8_t *packet, size_t size, int *fd);

#endif
