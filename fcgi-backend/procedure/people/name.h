#ifndef ICERT_PROCEDURE_NAME_H
#define ICERT_PROCEDURE_NAME_H
/*
 * Words as the certificate writes them: upper case, accents and Ñ kept, one
 * space between words.
 */
#include <stddef.h>

/*
 * Latin letters of text to upper case, an accent typed as a combining mark
 * joined to its letter, surrounding and doubled spaces dropped.  0,
 * ICERT_E_TOO_LARGE, ICERT_E_MALFORMED (not UTF-8, or a control character).
 */
int	name_upper(const char *text, char *out, size_t size);
/* The same without the upper case. */
int	name_fold(const char *text, char *out, size_t size);

/* Only letters of the Latin script, spaces, apostrophes, hyphens and points, and a letter among them. */
int	name_plausible(const char *text);

#endif
