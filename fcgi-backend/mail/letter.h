#ifndef ICERT_MAIL_LETTER_H
#define ICERT_MAIL_LETTER_H

#include "libicert/buf.h"
#include "mail/outbox.h"
#include "views/view.h"

/*
 * The words of a mail: views/mail/<name>.hbs (HTML), <name>.txt.hbs (text) and
 * the sentence mail.<name>.subject of the catalogue.  A subject has no variables:
 * nothing personal can come into it.
 */
struct letter {
	const char *subject;    /* the catalogue's: static */
	struct buf text, html;
};

/* Composes; on an error everything is freed.  ICERT_E_NOT_FOUND: no such
 * view or subject. */
int	letter_compose(enum mail_template template, view_lookup lookup, void *ctx, struct letter *out);
void	letter_free(struct letter *letter);

/*
 * Variables as they travel in the outbox's sealed column: a JSON object of
 * strings.  Unknown names give NULL.
 */
struct letter_variables;

int	letter_variables_pack(const struct outbox_variable *variables, size_t n, struct buf *out);
int	letter_variables_open(const void *json, size_t len, struct letter_variables **out);
void	letter_variables_free(struct letter_variables *variables);
/* Adds or replaces one (a link made from a token, the portal's address). */
int	letter_variables_set(struct letter_variables *variables, const char *name, const char *value);
/* A view_lookup: ctx is the struct. */
const char *letter_variables_get(void *variables, const char *name);

#endif
