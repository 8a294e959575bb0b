#ifndef CHECKER_PRINTED_H
#define CHECKER_PRINTED_H

#include <stddef.h>
#include <stdint.h>

#include "checker/check.h"
#include "checker/printed_font.h"

/*
 * Access keys of the tax authority that a document prints as text.  What is found was printed; what is not may have been, as a picture or in a font
 * that does not say what its glyphs are.
 */

/* In the content of a page (ISO 32000-1, 7.8.2), added to those there; each is a key in form and check digit, and stands once. */
void printed_scan(const uint8_t *content, size_t, const struct printed_fonts *, struct check *);

/* In the first pages of a whole file. */
void printed_look(const uint8_t *, size_t, struct check *);

#endif
