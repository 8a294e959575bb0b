#ifndef ICERT_MAIL_SMTP_H
#define ICERT_MAIL_SMTP_H

#include <stddef.h>

#include "libicert/buf.h"

struct config;

/* One message, composed.  Everything is borrowed and UTF-8. */
struct smtp_attachment {
	const char *filename;
	const char *type;           /* "application/x-pkcs12", "text/calendar; charset=utf-8; method=PUBLISH" */
	const void *data;
	size_t len;
};

struct smtp_message {
	const char *to;             /* one address, no display name */
	const char *subject;
	const char *message_id;     /* "<uuid@domain>": the same at every try, so receivers can see a repeat */
	int64_t date;               /* UTC seconds */
	const char *text, *html;
	const struct smtp_attachment *attachments;
	size_t n_attachments;
};

struct smtp_result {
	long code;                  /* SMTP reply code, 0 when the server was not reached */
	char detail[128];           /* the server's words, addresses removed */
};

struct smtp;

/* Reads [mail] smtp_url, from, and optional user_file (name and password
 * on two lines), tls (none | opportunistic | required).  One connection, kept between messages. */
int	smtp_open(const struct config *config, struct smtp **smtp);
void	smtp_free(struct smtp *smtp);

/*
 * Sends one message (libcurl: SMTP and MIME).  Returns 0 when the server has
 * taken it; ICERT_E_UNAVAILABLE when trying again later may help (no
 * connection, 4xx); ICERT_E_DENIED when it will not (5xx).
 */
int	smtp_send(struct smtp *smtp, const struct smtp_message *message, struct smtp_result *result);

#endif
