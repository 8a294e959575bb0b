#ifndef ICERT_MAIL_ATTACH_H
#define ICERT_MAIL_ATTACH_H

#include <stddef.h>

#include "libicert/buf.h"
#include "mail/letter.h"
#include "mail/sender.h"
#include "mail/smtp.h"

/* What goes with a mail, made at sending and wiped after it.  Only for mail/. */
#define ATTACH_MAX (OUTBOX_DOCUMENTS_MAX + 2)

struct attachments {
	struct smtp_attachment list[ATTACH_MAX];
	struct buf data[ATTACH_MAX];
	char filename[ATTACH_MAX][96];
	size_t n;
};

/* The row as far as attachments need it; uuids as text, "" absent. */
struct attach_row {
	const char *id, *application, *certificate;
	enum mail_template template;
	int64_t created_at;          /* UTC seconds */
};

/*
 * Fills out; freed with attach_free() also after an error.
 * ICERT_E_DESTROYED: what should be attached is gone for good;
 * ICERT_E_MISMATCH: a document is not the one that was meant.
 */
int	attach_make(const struct sender_parts *parts, struct db *db, const struct attach_row *row,
	    struct letter_variables *variables, struct attachments *out);
void	attach_free(struct attachments *attachments);

#endif
