#ifndef CHECKER_PICTURE_H
#define CHECKER_PICTURE_H

#include "libicert/buf.h"

#include <stdint.h>

/* A decoded picture: rows from the top, three bytes a pixel, red green blue, no padding. */
struct picture {
	uint32_t width, height;
	uint8_t *pixels;	/* malloc; NULL when only the size is known */
};

void picture_free(struct picture *);

/*
 * Decode a whole file.  A transparent PNG is laid on white; a JPEG is turned as its EXIF orientation says (1 … 8,
 * CIPA DC-008 section 4.6.4).  flags gets CHECK_TRUNCATED, CHECK_BROKEN or CHECK_TOO_BIG (then nothing is decoded).
 * 0 also for a bad file; ICERT_E_MEMORY.
 */
int picture_read_jpeg(const uint8_t *, size_t, struct picture *, uint32_t *flags);
int picture_read_png(const uint8_t *, size_t, struct picture *, uint32_t *flags);

/* Turns and mirrors the pixels upright.  0 or ICERT_E_MEMORY. */
int picture_orient(struct picture *, unsigned orientation);

/* Encode without any metadata; appended to out.  0, ICERT_E_MEMORY, ICERT_E_CRASHED (the library refused). */
int picture_write_jpeg(const struct picture *, int quality, struct buf *out);
int picture_write_png(const struct picture *, struct buf *out);

#endif
