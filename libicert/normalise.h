#ifndef LIBICERT_NORMALISE_H
#define LIBICERT_NORMALISE_H

#include <stddef.h>

/*
 * The one form of a value under which a keyed hash is made, so that
 * " 171003406-5" and "1710034065" are one person and one row.
 */
#define NORMALISED_MAX 320

/*
 * A cedula, RUC or passport: ASCII letters to upper case, digits kept, spaces,
 * dots and hyphens dropped.  0, ICERT_E_INVALID when anything else is in it or
 * nothing remains, ICERT_E_TOO_LARGE.
 */
int normalise_person(const char *text, char *out, size_t size);
/*
 * An address: surrounding white space dropped, ASCII letters to lower case.
 * 0, ICERT_E_INVALID without exactly one @ inside or with a space or a control character, ICERT_E_TOO_LARGE.
 */
int normalise_email(const char *text, char *out, size_t size);

#endif
