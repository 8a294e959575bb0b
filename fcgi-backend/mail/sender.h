#ifndef ICERT_MAIL_SENDER_H
#define ICERT_MAIL_SENDER_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

struct db;
struct config;
struct keyclient;

/*
 * The clerk's hand for the outbox.  A row goes waiting -> sent | failed |
 * expired; a row that could not be sent waits again with a growing delay
 * (30 s doubled up to 4 h, given up after 3 days: failed, seen at the desk).
 *
 * Documents live in a room that mail may not call: the program lends a reader.  So it is with certificates.
 */
typedef int sender_document_fn(void *arg, struct db *db, const char *id, struct buf *out);
/* The DER of a published certificate, and as PEM with the authority's. */
typedef int sender_certificate_fn(void *arg, struct db *db, const char *id, struct buf *cer, struct buf *chain);

/* Both files of an invoice. */
typedef int sender_invoice_fn(void *arg, struct db *db, const char *id, struct buf *pdf, struct buf *xml);
/* Where an order's payer wants its invoice; "" where who ordered does. */
typedef int sender_payer_fn(void *arg, struct db *db, const char *order, char *out, size_t size);

struct sender_parts {
	const struct config *config;
	struct keyclient *keeper;       /* socket keeper-clerk */
	sender_document_fn *document;
	sender_certificate_fn *certificate;
	sender_invoice_fn *invoice;
	sender_payer_fn *payer;
	void *document_arg;             /* of all four */
};

struct sender;

int	sender_open(const struct sender_parts *parts, struct sender **sender);
void	sender_free(struct sender *sender);

/*
 * Sends what is due, at most `most` rows.  Taking a row pushes its next try
 * away, so that no other clerk takes it meanwhile and a crash only repeats
 * it, under the same Message-ID.  *sent may be NULL.
 */
int	sender_run(struct sender *sender, struct db *db, size_t most, size_t *sent);

/* Business clock: since then the mail server was not reached at any try; 0: it was at the last one. */
int64_t	sender_down_since(const struct sender *sender);
/* How many mails have failed for good since sender_open(). */
size_t	sender_failed(const struct sender *sender);

#endif
