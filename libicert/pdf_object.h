#ifndef LIBICERT_PDF_OBJECT_H
#define LIBICERT_PDF_OBJECT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Values of a PDF (ISO 32000-1, 7.2 and 7.3), read where they lie: a span is a
 * run of somebody else's bytes.  The reader is strict: what two programs could
 * read in two ways is ICERT_E_MALFORMED, never guessed.
 */
struct pdf_span {
	const uint8_t *p;
	size_t len;
};

enum pdf_type {
	PDF_NONE,	/* nothing is left */
	PDF_NULL,
	PDF_BOOL,
	PDF_INTEGER,
	PDF_REAL,
	PDF_NAME,	/* span: without the solidus, escapes as written */
	PDF_STRING,	/* between the brackets, escapes as written */
	PDF_HEX,	/* between the brackets */
	PDF_ARRAY,	/* between the brackets */
	PDF_DICT,	/* between the brackets */
	PDF_REF,	/* the three tokens */
	PDF_KEYWORD	/* obj, stream, … */
};

struct pdf_value {
	enum pdf_type type;
	struct pdf_span in;	/* as the type says */
	struct pdf_span all;	/* the whole of it, brackets and solidus included */
	int64_t number;		/* of an integer or of a truth value; the object number of a reference */
	uint32_t generation;	/* of a reference */
};

/* How deep arrays and dictionaries may lie in each other. */
#define PDF_DEPTH 48

/* Moves past white space and comments. */
void pdf_skip(struct pdf_span *rest);

/* Takes the next value.  0 (type PDF_NONE at the end) or ICERT_E_MALFORMED. */
int pdf_next(struct pdf_span *rest, struct pdf_value *out);

/* The same in a body where "1 0 obj" may follow: a reference is not looked for. */
int pdf_next_token(struct pdf_span *rest, struct pdf_value *out);

/* 1 when it is that name (escapes decoded), or that keyword. */
int pdf_is_name(const struct pdf_value *, const char *);
int pdf_is_keyword(const struct pdf_value *, const char *);

/*
 * Takes the next pair of a dictionary's inside.  0 (key->type PDF_NONE at the
 * end) or ICERT_E_MALFORMED.
 */
int pdf_pair(struct pdf_span *rest, struct pdf_value *key, struct pdf_value *value);

/* 0 when the value, with all that lies in it, is well formed and no dictionary has a key twice (escapes decoded). */
int pdf_check(const struct pdf_value *);

/* The value of a key; type PDF_NONE when the dictionary has none.  0 or ICERT_E_MALFORMED. */
int pdf_get(const struct pdf_value *dict, const char *key, struct pdf_value *out);

/* 1 when the two are the same token by token; white space and comments do not count. */
int pdf_same(const struct pdf_span *, const struct pdf_span *);

#endif
