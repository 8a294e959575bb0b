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
	SNIFF_CSR_DER = 4,	/* a PKCS#10 request, RFC 2986, 4: version 0 and a name */
	SNIFF_CSR_PEM = 5,	/* the same between RFC 7468's lines, the old label too */
	SNIFF_TEXT = 6,		/* no control characters but those of lines and tabs; by sniff_text() alone */
	SNIFF_TYPES = 7,
	SNIFF_ADDED = 16,	/* and up: those an administrator adds */
	SNIFF_END = 32
};

#define SNIFF_OCTETS 64		/* with so many no answer is SNIFF_MORE */

/* A type that is added: octets that stand at an offset. offset + len <= SNIFF_OCTETS. */
struct sniff_magic {
	const char	*name;		/* NUL-terminated */
	const uint8_t	*octets;
	size_t		 len;		/* at least 1 */
	size_t		 offset;
};

/*
 * The type of a file that begins with p[0..len).  What is decided by the fewest
 * octets wins, so that the answer never depends on how the octets came.
 */
enum sniff_type	sniff(const uint8_t *p, size_t len);

/* The same with n types more (at most SNIFF_END - SNIFF_ADDED): SNIFF_ADDED is added[0], and so on. */
enum sniff_type	sniff_added(const uint8_t *p, size_t len, const struct sniff_magic *added, size_t n);

/*
 * Whether a file that begins so and is of no other type may be plain text, in UTF-8 or an older encoding of an octet a letter, as spreadsheets
 * write CSV: SNIFF_TEXT with SNIFF_OCTETS of them, SNIFF_MORE with fewer (a file that ends then is text), or SNIFF_OTHER.
 */
enum sniff_type	sniff_text(const uint8_t *p, size_t len);

/* "pdf", "jpeg", "png", "csr-der", "csr-pem", "text", "other"; the type of such a word, or SNIFF_OTHER. */
const char	*sniff_name(enum sniff_type);
enum sniff_type	sniff_by_name(const char *name, size_t len);

/* "application/pdf", "image/jpeg", "image/png", "application/pkcs10", "text/plain", "application/octet-stream". */
const char	*sniff_media_type(enum sniff_type);

#endif
