#ifndef ICERT_OPERATE_EVIDENCE_CHECK_H
#define ICERT_OPERATE_EVIDENCE_CHECK_H

#include <stdio.h>

/* What the reader brings along; NULL: what stands in the file is shown and believed. */
struct evidence_pins {
	const char *root;	/* the root's certificate, DER or PEM */
	const char *key;	/* of the log: FILE, of which FILE.pub is read (PEM) */
	const char *keys;	/* a folder with keeper.pub and keymaker.pub, as [paths] pins */
};

/*
 * `icertctl evidence verify FILE` and `icertctl receipt verify FILE`: need no instance and no network; the file is parsed in a
 * process without rights.  Tells in Spanish what was looked at.  0 it holds, 1 it does not, 2 could not be looked at.
 */
int	evidence_check(const char *path, const struct evidence_pins *, FILE *out);
int	receipt_check(const char *path, const struct evidence_pins *, FILE *out);

#endif
