#include "checker/background.h"

#define BAND 12			/* a twelfth */
#define DOWN_TO(height) ((height) - (height) / 10 * 4)

static uint32_t
root(uint64_t v)
{
	uint64_t r = 0;

	while ((r + 1) * (r + 1) <= v)
		r++;
	return (uint32_t)r;
}

void
background_measure(const struct picture *p, uint32_t *mean, uint32_t *deviation)
{
	uint32_t side = p->width / BAND + 1;
	uint32_t top = p->height / BAND + 1;
	uint64_t n = 0, sum = 0, squares = 0;

	for (uint32_t y = 0; y < DOWN_TO(p->height); y++)
		for (uint32_t x = 0; x < p->width; x++) {
			const uint8_t *c = p->pixels + 3 * ((size_t)y * p->width + x);
			uint32_t light;

			if (y >= top && x >= side && x + side < p->width) {
				x = p->width - side - 1;	/* the middle is the person */
				continue;
			}
			light = (299u * c[0] + 587u * c[1] + 114u * c[2]) / 1000;
			n++;
			sum += light;
			squares += (uint64_t)light * light;
		}
	*mean = n == 0 ? 0 : (uint32_t)(sum / n);
	/* Variance times n squared stays a whole number; 50 million pixels keep it far below 2^64. */
	*deviation = n == 0 ? 0 : root((squares - sum * sum / n) / n);
}
