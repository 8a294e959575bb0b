#ifndef KEYS_SERVE_REQUEST_H
#define KEYS_SERVE_REQUEST_H
/*
 * One packet as a request, and what is answered: the same for the loop (serve.c), for the child of a forked operation and for
 * serve_once().
 */
#include "keys/serve.h"

/*
 * Parses a packet and decides whether this socket may ask for it.  0 and the operation (NULL for a ping), or the refusal; a
 * malformed packet has a message whose header may be trusted no further than to be repeated.
 */
int	serve_admit(const struct serve *, const char *socket, const uint8_t *packet, size_t len, int fd, struct message *,
	    const struct serve_op **);

/* The reply to a request, empty as yet.  serve_reply_free() closes its file, if it has one. */
void	serve_reply_begin(struct serve_reply *, const struct message *request);

/* Turns an outcome into the packet: an error carries no field but detail and tries, and no file. */
void	serve_reply_end(struct serve_reply *, int outcome);
void	serve_reply_free(struct serve_reply *);

#endif
