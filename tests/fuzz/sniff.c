/* Types by first octets: more octets never change what was decided. */
#include "libicert/sniff.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum sniff_type type = sniff(data, len);

	if (len >= SNIFF_OCTETS && type == SNIFF_MORE)
		abort();
	for (size_t n = 0; n < len; n++)
		if (sniff(data, n) != SNIFF_MORE && sniff(data, n) != type)
			abort();
	sniff_by_name((const char *)data, len);
	return 0;
}
