#include "checker/check.h"
#include "checker/picture.h"
#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>

#define TRAILER 12	/* an IEND chunk: length, name, CRC */

/* Does the file end with the chunk that ends a PNG?  Bytes behind it are not looked for far. */
static int
has_end(const uint8_t *data, size_t len)
{
	static const uint8_t end[] = { 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82 };

	return len >= TRAILER && memmem(data + len - (len > 1024 ? 1024 : len), len > 1024 ? 1024 : len, end, sizeof(end)) != NULL;
}

int
picture_read_png(const uint8_t *data, size_t len, struct picture *p, uint32_t *flags)
{
	static const png_color white = { 255, 255, 255 };
	png_image image;

	memset(&image, 0, sizeof(image));
	image.version = PNG_IMAGE_VERSION;
	if (!png_image_begin_read_from_memory(&image, data, len)) {
		*flags |= has_end(data, len) ? CHECK_BROKEN : CHECK_TRUNCATED;
		return 0;
	}
	p->width = image.width;
	p->height = image.height;
	if (p->width > CHECK_SIDE || p->height > CHECK_SIDE || (uint64_t)p->width * p->height > CHECK_PIXELS) {
		*flags |= CHECK_TOO_BIG;
		png_image_free(&image);
		return 0;
	}
	image.format = PNG_FORMAT_RGB;
	p->pixels = calloc((size_t)p->width * p->height, 3);
	if (p->pixels == NULL) {
		png_image_free(&image);
		return ICERT_E_MEMORY;
	}
	if (!png_image_finish_read(&image, &white, p->pixels, 0, NULL)) {
		*flags |= has_end(data, len) ? CHECK_BROKEN : CHECK_TRUNCATED;
		picture_free(p);
	} else if (!has_end(data, len))
		*flags |= CHECK_TRUNCATED;
	png_image_free(&image);
	return 0;
}

int
picture_write_png(const struct picture *p, struct buf *out)
{
	png_image image;
	png_alloc_size_t size;
	uint8_t *to;

	memset(&image, 0, sizeof(image));
	image.version = PNG_IMAGE_VERSION;
	image.width = p->width;
	image.height = p->height;
	image.format = PNG_FORMAT_RGB;
	size = PNG_IMAGE_PNG_SIZE_MAX(image);
	to = buf_room(out, size);
	if (to == NULL)
		return buf_error(out);
	if (!png_image_write_to_memory(&image, to, &size, 0, p->pixels, 0, NULL))
		return ICERT_E_CRASHED;
	buf_took(out, size);
	return 0;
}
