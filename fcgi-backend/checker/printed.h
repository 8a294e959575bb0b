#ifndef CHECKER_PRINTED_H
#define CHECKER_PRINTED_H

#include <stddef.h>
#include <stdint.h>

#include "checker/check.h"

/*
 * Access keys of the tax authority that a document prints as text.  Where the fonts number their glyphs in their own way nothing is found: what is
 * found was printed, what is not may have been.
 */

/* In the content of a page (ISO 32000-1, 7.8.2), added to those there; each is a key in form and check digit, and stands once. */
void printed_scan(const uint8_t *content, size_t, struct check *);

/* In the first pages of a whole file. */
void printed_look(const uint8_t *, size_t, struct check *);

#endif
