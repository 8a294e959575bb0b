/*
 * application/x-www-form-urlencoded (WHATWG URL, 5.1), strictly: a percent
 * sign that two hexadecimal digits do not follow, NUL, and octets that are not
 * UTF-8 are errors, not guesses.  Serves form bodies and query strings.
 */
#ifndef LIBICERT_FORM_H
#define LIBICERT_FORM_H

#include <stddef.h>

#include "libicert/error.h"

struct form {
	char		*p;
	char		*end;
	unsigned	 left;	/* fields still allowed */
};

struct form_field {
	char	*name;		/* NUL-terminated, in the body */
	size_t	 name_len;
	char	*value;
	size_t	 value_len;
};

/*
 * Starts on body[0..len), which is decoded in place; body[len] must exist and
 * is overwritten.  More than max_fields fields are ICERT_E_TOO_LARGE.
 */
void	form_init(struct form *, char *body, size_t len, unsigned max_fields);

/*
 * 1: *field is the next, in order, doubles included; a field without "=" has
 * an empty value; empty runs between "&" are skipped.  0: no more.
 * ICERT_E_MALFORMED, ICERT_E_TOO_LARGE.
 */
int	form_next(struct form *, struct form_field *field);

/*
 * Decodes in place, with "+" as a space when plus is not 0, and terminates
 * with NUL at text[new length].  The new length, or ICERT_E_MALFORMED.
 */
long	form_decode(char *text, size_t len, int plus);

#endif
