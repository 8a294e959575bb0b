#ifndef CHECKER_CHECK_H
#define CHECKER_CHECK_H

#include "libicert/access_key.h"
#include "libicert/buf.h"
#include "libicert/keyproto.h"

#include <stddef.h>
#include <stdint.h>

/* What was seen in a file. */
struct check {
	enum check_kind type;		/* CHECK_ANY: none of the kinds */
	uint32_t flags;			/* CHECK_ENCRYPTED … */
	uint32_t width, height;		/* pixels, after EXIF rotation */
	uint32_t pages;
	uint32_t mean, deviation;	/* background.h */
	char printed[CHECK_PRINTED][ACCESS_KEY_DIGITS + 1];	/* CHECK_INVOICE: printed.h */
	size_t n_printed;
};

/* Caps.  A file of 2 MB from a telephone stays well below them. */
#define CHECK_BYTES ((size_t)32 << 20)
#define CHECK_PIXELS ((uint64_t)50 * 1000 * 1000)
#define CHECK_SIDE 30000
#define CHECK_PAGES 500
#define CHECK_QUALITY 90		/* of an encoded JPEG */

/*
 * Looks at the file behind a descriptor (a regular file or memfd, read from its start).  A good picture is encoded anew
 * into *out_fd, a sealed memfd that the caller closes: a JPEG for CHECK_FACE, else in the kind it came in; -1 otherwise.
 * 0, also for a bad file (flags say how), or ICERT_E_INVALID (no plain file), ICERT_E_TOO_LARGE (above CHECK_BYTES),
 * ICERT_E_SYSTEM, ICERT_E_MEMORY.
 */
int check_file(int fd, enum check_kind expected, enum check_purpose, struct check *out, int *out_fd);

/*
 * The bytes of a file, from its start, appended to *out: 0, ICERT_E_INVALID (no plain file), ICERT_E_TOO_LARGE (more than most),
 * ICERT_E_SYSTEM, ICERT_E_MEMORY.
 */
int check_read(int fd, size_t most, struct buf *out);

#endif
