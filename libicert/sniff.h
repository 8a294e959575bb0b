/*
 * The type of a file by its first octets, decided as early as they allow, so
 * that a lie can be refused before the rest is read.  What the file claims by
 * name or media type is never asked.  Only the signature: whether the rest is
 * sound is for icert-checker to say.
 */
#ifndef LIBICERT_SNIFF_H
#define LIBICERT_SNIFF_H

#include <stddef.h>
#include <stdint.h>

enum sniff_type {
	SNIFF_MORE = -1,	/* undecided: ask again with more octets */
	SNIFF_OTHER = 0,	/* none of the types below */
	SNIFF_PDF = 1,		/* "%PDF-", ISO 32000-1, 7.5.2; at offset 0 only */
	SNIFF_JPEG = 2,		/* SOI and another marker, ITU-T T.81, B.1 */
	SNIFF_PNG = 3,		/* the signature of ISO/IEC 15948, 5.2 */
	SNIFF_TYPES = 4
};

#define SNIFF_OCTETS 8		/* with so many no answer is SNIFF_MORE */

/* The type of a file that begins with p[0..len). */
enum sniff_type	sniff(const uint8_t *p, size_t len);

/* "pdf", "jpeg", "png", "other"; the type of such a word, or SNIFF_OTHER. */
const char	*sniff_name(enum sniff_type);
enum sniff_type	sniff_by_name(const char *name, size_t len);

/* "application/pdf", "image/jpeg", "image/png", "application/octet-stream". */
const char	*sniff_media_type(enum sniff_type);

#endif
