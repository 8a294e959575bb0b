#ifndef CHECKER_EXIF_H
#define CHECKER_EXIF_H

#include <stddef.h>
#include <stdint.h>

/*
 * The orientation (1 … 8) in a JPEG's APP1 segment ("Exif", TIFF 6.0, tag 0x0112 of the first directory); 1 when there
 * is none or the segment is not of that form.
 */
unsigned exif_orientation(const uint8_t *, size_t);

#endif
