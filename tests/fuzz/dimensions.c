/* Pictures: the same width and height for every cut of the octets. */
#include "libicert/dimensions.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dimensions whole, cut;
	size_t i, n, step;

	if (len < 2)
		return 0;
	step = data[0] % 37 + 1;
	dimensions_init(&whole, data[1] & 1 ? SNIFF_JPEG : SNIFF_PNG);
	cut = whole;
	data += 2;
	len -= 2;
	(void)dimensions_feed(&whole, data, len);
	for (i = 0; i < len; i += n) {
		n = len - i < step ? len - i : step;
		(void)dimensions_feed(&cut, data + i, n);
	}
	if (whole.result != cut.result || whole.width != cut.width || whole.height != cut.height ||
	    (whole.result == 1) != (whole.width != 0 && whole.height != 0))
		abort();
	return 0;
}
