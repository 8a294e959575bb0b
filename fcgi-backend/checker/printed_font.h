#ifndef CHECKER_PRINTED_FONT_H
#define CHECKER_PRINTED_FONT_H

#include <stddef.h>
#include <stdint.h>

/*
 * How the fonts of a page write digits: most programs number the glyphs of a font in their own way, and say in its ToUnicode which is which
 * (ISO 32000-1, 9.10.3).  Only digits and the blank are kept.
 */
#define PRINTED_FONTS	16
#define PRINTED_RUNS	24

struct printed_font {
	char name[32];		/* as the page names it, "/F1" */
	int wide;		/* a code is two octets: a composite font; else one */
	size_t n;
	struct {
		uint16_t from, to;	/* codes */
		char first;		/* what the first is; the following are the following */
	} run[PRINTED_RUNS];
};

struct printed_fonts {
	size_t n;
	struct printed_font font[PRINTED_FONTS];
};

/* Reads what ToUnicode says into the font (its name and width stay).  What is not understood is left out. */
void printed_font_read(struct printed_font *, const uint8_t *cmap, size_t);

/* The digit or blank of a code, '\0' for anything else. */
char printed_font_char(const struct printed_font *, unsigned code);

/* A hexadecimal digit's value; -1: it is none. */
int printed_nibble(uint8_t);

/* The page's font of that name, NULL: none that says how it writes. */
const struct printed_font *printed_font_find(const struct printed_fonts *, const char *name, size_t);

#endif
