#include "checker/picture.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

void
picture_free(struct picture *p)
{
	free(p->pixels);
	p->pixels = NULL;
}

/* Where the pixel that shall stand at (x, y) of the upright picture stands in the stored one. */
static void
source_of(const struct picture *stored, unsigned orientation, uint32_t x, uint32_t y, uint32_t *sx, uint32_t *sy)
{
	uint32_t right = stored->width - 1;
	uint32_t bottom = stored->height - 1;

	switch (orientation) {
	case 2: *sx = right - x; *sy = y; break;
	case 3: *sx = right - x; *sy = bottom - y; break;
	case 4: *sx = x; *sy = bottom - y; break;
	case 5: *sx = y; *sy = x; break;
	case 6: *sx = y; *sy = bottom - x; break;
	case 7: *sx = right - y; *sy = bottom - x; break;
	case 8: *sx = right - y; *sy = x; break;
	default: *sx = x; *sy = y; break;
	}
}

int
picture_orient(struct picture *p, unsigned orientation)
{
	struct picture upright;

	if (orientation < 2 || orientation > 8)
		return 0;
	upright.width = orientation >= 5 ? p->height : p->width;
	upright.height = orientation >= 5 ? p->width : p->height;
	upright.pixels = malloc((size_t)3 * p->width * p->height);
	if (upright.pixels == NULL)
		return ICERT_E_MEMORY;
	for (uint32_t y = 0; y < upright.height; y++)
		for (uint32_t x = 0; x < upright.width; x++) {
			uint32_t sx, sy;

			source_of(p, orientation, x, y, &sx, &sy);
			memcpy(upright.pixels + 3 * ((size_t)y * upright.width + x),
			    p->pixels + 3 * ((size_t)sy * p->width + sx), 3);
		}
	free(p->pixels);
	*p = upright;
	return 0;
}
