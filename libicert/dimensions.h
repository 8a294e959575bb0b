/*
 * Width and height of a picture from its first octets, while they stream in: what is too small can be refused before the rest is
 * read.  Nothing is decoded; whether the picture is sound is for icert-checker to say.  A push parser with bounded state: the same
 * octets give the same answer however they are cut.
 *
 * JPEG: ITU-T T.81, B.1.1 and B.2.2 (the first frame header), PNG: ISO/IEC 15948, 11.2.2 (IHDR).
 */
#ifndef LIBICERT_DIMENSIONS_H
#define LIBICERT_DIMENSIONS_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/sniff.h"

#define DIMENSIONS_SEGMENTS 1000	/* of a JPEG before its frame header; more is no picture */

struct dimensions {
	enum sniff_type	type;
	int		state;
	int		result;		/* what dimensions_feed() returned last */
	unsigned	segments;
	size_t		skip;		/* octets of a segment still to pass over */
	size_t		have;		/* octets in head */
	uint8_t		head[32];
	uint32_t	width;		/* pixels, as stored: a camera's rotation is not looked at */
	uint32_t	height;
};

/* For a file that sniff() called SNIFF_JPEG or SNIFF_PNG; its first octet is fed first. */
void	dimensions_init(struct dimensions *, enum sniff_type);

/*
 * 1: width and height are known (neither is 0), 0: more is needed, ICERT_E_MALFORMED: they will never be.  After 1 or an error it
 * stays at that.
 */
int	dimensions_feed(struct dimensions *, const void *octets, size_t len);

#endif
