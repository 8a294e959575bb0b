#ifndef CRYPT_KEYCLIENT_H
#define CRYPT_KEYCLIENT_H

#include "libicert/keyproto.h"

/*
 * One connection to one socket of a key process.  It connects when first used; when the
 * other side has closed meanwhile (a restart), it connects again, once, before
 * it gives up.  One request at a time; not for use by two threads.
 *
 * Every client function of crypt/ returns 0 or: what the process answered (its header
 * says which), ICERT_E_UNAVAILABLE (nobody there), ICERT_E_TIMEOUT, ICERT_E_MALFORMED (an answer of the wrong
 * form), ICERT_E_INVALID (an argument).  Ids are taken as text.  Outputs are only
 * written on success, unless said otherwise.
 */
struct keyclient {
	const char *path;	/* of the socket; belongs to the caller */
	int timeout_ms;		/* KEYCLIENT_TIMEOUT; slow operations wait longer by themselves */
	int fd;			/* -1: not connected */
	uint64_t next_id;
	uint8_t *packet;	/* the last reply, room for MESSAGE_MAX bytes */
	size_t packet_len;	/* of it, at most so many were received */
	int probe;		/* while a call takes long, the process is asked every KEYCLIENT_TIMEOUT whether it is there */
	int64_t closed_until;	/* monotonic ms; it was not: asked quickly whether it is back before anybody waits for it */
	char detail[256];	/* what the last refusal said about itself, "" when nothing: for logs and the desk */
};

#define KEYCLIENT_TIMEOUT 2000	/* milliseconds */
#define KEYCLIENT_BREAK 2000	/* milliseconds */
#define KEYCLIENT_QUICK 250	/* milliseconds */

/* path belongs to the caller and must outlive the client.  Connects nothing yet. */
void keyclient_init(struct keyclient *, const char *path);
/* Closes and frees; the client may be used again. */
void keyclient_close(struct keyclient *);

/* Is anybody there?  For status pages. */
int keyclient_ping(struct keyclient *);

/*
 * For the client files of crypt/.  keyclient_begin() starts a request in the buffer;
 * keyclient_call() sends it (with a file, or -1) and parses the reply by the operation's rules.
 * The reply's fields point into the client's packet: valid until the next call.  When the
 * process refused, the parsed error reply is in reply all the same.  fd_out (may be NULL) gets
 * the reply's file, or -1; the caller closes it.  again: sending the request twice
 * does no harm, so it may be repeated when the connection breaks after sending.
 */
void keyclient_begin(struct keyclient *, struct buf *request, uint16_t op);
int keyclient_call(struct keyclient *, const struct buf *request, int fd_in, struct message *reply, int *fd_out, int again);

#endif
