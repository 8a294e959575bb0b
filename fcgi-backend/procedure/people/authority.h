#ifndef ICERT_PROCEDURE_AUTHORITY_H
#define ICERT_PROCEDURE_AUTHORITY_H
/*
 * The authorities whose certificates count for a director's signature: the PEM file that [contract] director_authorities names, roots
 * and those below them, read anew each time.  What is not in it is not asked elsewhere: no network.
 */
#include <stddef.h>

#include "procedure/act.h"

/* Whether a list is configured at all; without one nobody's authority is checked, and the desk says so. */
int	authority_listed(const struct act *);

/*
 * A certificate (DER) leads to one of the list, by signatures, dates and names (RFC 5280 6.1), or no list is configured: 0.
 * ICERT_E_FORGED: it does not; ICERT_E_MALFORMED; ICERT_E_CONFIG: the file cannot be read or holds none; ICERT_E_MEMORY.
 */
int	authority_check(const struct act *, const void *der, size_t len);

#endif
