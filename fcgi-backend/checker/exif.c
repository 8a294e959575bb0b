#include "checker/exif.h"

#include <string.h>

#define HEADER 6		/* "Exif", NUL, NUL */
#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT 3
#define ENTRY 12

/* A TIFF in either byte order. */
struct tiff {
	const uint8_t *p;
	size_t len;
	int little;
};

static uint32_t
number(const struct tiff *t, size_t at, size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | t->p[at + (t->little ? n - 1 - i : i)];
	return v;
}

unsigned
exif_orientation(const uint8_t *segment, size_t len)
{
	struct tiff t;
	size_t at;
	uint32_t n;

	if (len < HEADER + 8 || memcmp(segment, "Exif\0", HEADER) != 0)
		return 1;
	t.p = segment + HEADER;
	t.len = len - HEADER;
	if (memcmp(t.p, "II*", 4) != 0 && memcmp(t.p, "MM\0*", 4) != 0)
		return 1;
	t.little = t.p[0] == 'I';
	at = number(&t, 4, 4);
	if (at > t.len || t.len - at < 2)
		return 1;
	n = number(&t, at, 2);
	at += 2;
	for (; n > 0 && t.len - at >= ENTRY; n--, at += ENTRY) {
		uint32_t value;

		if (number(&t, at, 2) != TAG_ORIENTATION)
			continue;
		value = number(&t, at + 8, 2);
		return number(&t, at + 2, 2) == TYPE_SHORT && value >= 1 && value <= 8 ? value : 1;
	}
	return 1;
}
