#ifndef VIEWS_VIEW_H
#define VIEWS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

/*
 * What the compiled views call.  Everything goes into a buffer whose failure
 * is sticky; nothing here fails visibly.
 */

/* A field of a form: what is in it, and the sentence beside it, NULL if none. */
struct view_field {
	const char *value;
	const char *error;
};

/* Looks up a variable of a mail: its text, or NULL.  Numbers, money (cents)
 * and moments (UTC seconds) come as decimal text, a flag as "1". */
typedef const char *(*view_lookup)(void *ctx, const char *name);

/*
 * Renders a view of views/mail by its file's name without ".hbs": "mail/code",
 * "mail/code.txt".  0, or ICERT_E_NOT_FOUND.
 */
int view_render_named(struct buf *, const char *name, view_lookup, void *ctx);

/* The sentence of a code of views/catalogue, NULL when there is none. */
const char *catalogue(const char *code);

/*
 * The same with each {name} replaced: pairs is name, value, …, NULL.  A code
 * without a sentence is written as it is.
 */
void catalogue_put(struct buf *, const char *code, const char *const *pairs);

/* --- called by generated code --------------------------------------------- */

bool view_true(const char *);
bool view_equal(const char *, const char *);
int64_t view_parse_number(const char *);
bool view_parse_flag(const char *);

void view_put(struct buf *, const char *, size_t);
void view_put_plain(struct buf *, const char *);
void view_put_text(struct buf *, const char *);		/* HTML text and attributes */
void view_put_url(struct buf *, const char *);		/* "#" unless a safe address */
void view_put_component(struct buf *, const char *);	/* percent-encoded */
void view_put_tel(struct buf *, const char *);		/* digits and '+' */
void view_put_number(struct buf *, int64_t);
void view_put_money(struct buf *, int64_t cents);	/* 1234567 → 12.345,67 */
void view_put_lines(struct buf *, bool html, const char *);	/* newline → <br> */
void view_put_breaking(struct buf *, bool html, const char *);	/* a long word that may go on in the next line anywhere */
void view_put_say(struct buf *, bool html, const char *const *parts, size_t n);

/*
 * Moments are UTC seconds, written in the hour of continental Ecuador (UTC−5,
 * no summer time): "lunes 23 de noviembre de 2026, 15:00 (hora de Ecuador
 * continental)".  _both adds the hour of Galápagos (UTC−6).
 */
void view_put_moment(struct buf *, int64_t);
void view_put_both(struct buf *, int64_t);
void view_put_day(struct buf *, int64_t);	/* lunes 23 de noviembre de 2026 */
void view_put_date(struct buf *, int64_t);	/* 23/11/2026 */
void view_put_hour(struct buf *, int64_t);	/* 15:00 */

struct view_named {
	const char *name;
	void (*render)(struct buf *, view_lookup, void *);
};
struct catalogue_entry {
	const char *code;
	const char *text;
};
extern const struct view_named view_named_table[];
extern const struct catalogue_entry catalogue_table[];
extern const size_t catalogue_size;

#endif
