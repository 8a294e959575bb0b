#include <string.h>

#include "libicert/buf.h"
#include "libicert/dimensions.h"
#include "libicert/error.h"

/* What is read next, and how much of it has to be there. */
enum {
	PNG_HEADER,	/* signature, length, "IHDR", width, height: 24 */
	JPEG_SOI,	/* 2 */
	JPEG_MARKER,	/* 0xff and a code: 2; fill octets before it */
	JPEG_LENGTH,	/* of the segment: 2 */
	JPEG_FRAME,	/* precision, height, width: 5 */
	JPEG_SKIP
};

static const size_t wanted[] = { 24, 2, 2, 2, 5, 0 };

void
dimensions_init(struct dimensions *d, enum sniff_type type)
{
	memset(d, 0, sizeof(*d));
	d->type = type;
	d->state = type == SNIFF_PNG ? PNG_HEADER : JPEG_SOI;
	if (type != SNIFF_PNG && type != SNIFF_JPEG)
		d->result = ICERT_E_MALFORMED;
}

static int
known(struct dimensions *d, uint32_t width, uint32_t height)
{
	/* A height of 0 stands in a later segment (DNL), which nobody's camera writes. */
	if (width == 0 || height == 0)
		return ICERT_E_MALFORMED;
	d->width = width;
	d->height = height;
	return 1;
}

static int
png(struct dimensions *d)
{
	static const uint8_t ihdr[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R' };
	uint32_t width = get_u32be(d->head + 16), height = get_u32be(d->head + 20);

	if (memcmp(d->head, ihdr, sizeof(ihdr)) != 0 || width > INT32_MAX || height > INT32_MAX)
		return ICERT_E_MALFORMED;
	return known(d, width, height);
}

/* SOF0 … SOF15 but DHT, JPG and DAC, which stand among them. */
static int
is_frame(uint8_t code)
{
	return code >= 0xc0 && code <= 0xcf && code != 0xc4 && code != 0xc8 && code != 0xcc;
}

static int
marker(struct dimensions *d)
{
	if (d->head[0] != 0xff)
		return ICERT_E_MALFORMED;
	if (d->head[1] == 0xff) {	/* a fill octet: B.1.1.2 */
		d->have = 1;
		return 0;
	}
	/* A scan, the end or what has no length, before any frame. */
	if (d->head[1] == 0xda || d->head[1] == 0xd9 || d->head[1] < 0xc0 || (d->head[1] >= 0xd0 && d->head[1] <= 0xd8) ||
	    ++d->segments > DIMENSIONS_SEGMENTS)
		return ICERT_E_MALFORMED;
	d->head[2] = d->head[1];	/* kept for the length that follows */
	d->state = JPEG_LENGTH;
	d->have = 0;
	return 0;
}

static int
segment(struct dimensions *d)
{
	size_t len = (size_t)d->head[0] << 8 | d->head[1];

	if (len < 2)
		return ICERT_E_MALFORMED;
	d->have = 0;
	d->state = JPEG_SKIP;
	d->skip = len - 2;
	if (!is_frame(d->head[2]))
		return 0;
	d->state = JPEG_FRAME;
	return d->skip < 5 ? ICERT_E_MALFORMED : 0;
}

static int
step(struct dimensions *d)
{
	switch (d->state) {
	case PNG_HEADER:
		return png(d);
	case JPEG_SOI:
		d->state = JPEG_MARKER;
		d->have = 0;
		return d->head[0] == 0xff && d->head[1] == 0xd8 ? 0 : ICERT_E_MALFORMED;
	case JPEG_MARKER:
		return marker(d);
	case JPEG_LENGTH:
		return segment(d);
	default:
		return known(d, (uint32_t)d->head[3] << 8 | d->head[4], (uint32_t)d->head[1] << 8 | d->head[2]);
	}
}

int
dimensions_feed(struct dimensions *d, const void *octets, size_t len)
{
	const uint8_t *p = octets;
	size_t n;

	while (d->result == 0 && len > 0) {
		if (d->state == JPEG_SKIP) {
			n = len < d->skip ? len : d->skip;
			d->skip -= n;
			if (d->skip == 0)
				d->state = JPEG_MARKER;
		} else {
			n = wanted[d->state] - d->have;
			n = len < n ? len : n;
			memcpy(d->head + d->have, p, n);
			d->have += n;
			if (d->have == wanted[d->state]) {
				d->result = step(d);
				if (d->state == JPEG_SKIP && d->skip == 0)
					d->state = JPEG_MARKER;
			}
		}
		p += n;
		len -= n;
	}
	return d->result;
}
