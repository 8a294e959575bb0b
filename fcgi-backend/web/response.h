#ifndef WEB_RESPONSE_H
#define WEB_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "libicert/buf.h"

/*
 * An answer in the making: nothing reaches the client before the handler is
 * done, so an error found late still gives a whole page with its own status.
 * Functions never fail visibly: when memory is short the answer becomes a
 * constant 500 that needs none.
 */
struct response {
	int status;		/* HTTP status, 0 until one is set */
	struct buf headers;	/* complete lines, each ended by CRLF */
	struct buf body;
	const char *type;	/* Content-Type */
	const char *location;	/* of a 303, in the request's arena */
	const char *download;	/* file name for Content-Disposition: attachment */
	bool picture;		/* shown by an <img>, with the rights of a file */
	bool hsts;		/* the program answers under a public name: HTTPS only, for a year */
	bool leads_out;		/* to a gateway, some of which want to see that their payer comes from this site */
	bool failed;		/* a header or the body could not be stored */
};

struct request;

void response_init(struct response *);
void response_free(struct response *);	/* overwrites the body first */
/* As it was before anything was answered. */
void response_again(struct response *);

/* Adds a header; a value with CR, LF or NUL makes the answer a 500. */
void response_header(struct response *, const char *name, const char *value);

/* 303 See Other to a path of this site. */
int response_redirect(struct request *, const char *path_fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whether an address that a gateway gave may be led to: https, or in a trial
 * this machine, and nothing that would end a header's value or a link. */
bool response_gateway_good(const struct request *, const char *url);

/* A file that the browser saves: never shown inside our origin.  The bytes are
 * copied; the name is ASCII without quotes. */
int response_file(struct request *, const char *type, const char *name, const void *data, size_t len);

/* A picture that the checker has encoded anew ("image/jpeg", "image/png"), for an
 * <img> of our own page; by itself it opens without any right. */
int response_picture(struct request *, const char *type, const void *data, size_t len);

/* The whole answer as CGI headers and body, ready for FCGX_PutStr; production
 * tells whether cookies and headers are for a public name. */
int response_serialise(const struct response *, bool head, struct buf *out);

#endif
