/* The orientation in a photograph's APP1 segment. */
#include "checker/exif.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* Its own allocation: one octet too far is seen. */
	uint8_t *copy = malloc(len + 1);
	unsigned orientation;

	memcpy(copy + 1, data, len);
	orientation = exif_orientation(copy + 1, len);
	if (orientation < 1 || orientation > 8)
		abort();
	free(copy);
	return 0;
}
