/*
 * Cookies, RFC 6265: reading the request's header and writing Set-Cookie.
 */
#ifndef LIBICERT_COOKIE_H
#define LIBICERT_COOKIE_H

#include <stddef.h>

#include "libicert/error.h"

/*
 * Finds the first cookie of exactly that name in a Cookie header (NULL is an
 * empty one).  1: *value and *len point into the header, without surrounding
 * quotes; 0: there is none.  Octets that RFC 6265, 4.1.1 does not allow in a
 * value make that cookie as good as absent.
 */
int	cookie_find(const char *header, const char *name, const char **value, size_t *len);

enum cookie_same_site {
	COOKIE_STRICT,
	COOKIE_LAX
};

struct cookie {
	const char		*name;		/* a token */
	const char		*value;		/* cookie octets; "" with max_age 0 removes it */
	const char		*path;		/* "/" for a name that begins with __Host- */
	long			 max_age;	/* seconds; -1: until the browser closes */
	enum cookie_same_site	 same_site;
};

/*
 * The value of a Set-Cookie header, always Secure and HttpOnly, into out.
 * Its length, ICERT_E_TOO_LARGE, or ICERT_E_INVALID for a name, value or path
 * that would change the header's meaning.
 */
int	cookie_format(char *out, size_t size, const struct cookie *);

#endif
