/* DER, taken apart as pki/cms does: every value lies within what it was taken from, and nothing is left uncounted. */
#include "libicert/der.h"

#include <stdlib.h>

#define DEPTH 64

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
walk(struct der in, int depth)
{
	struct der content, whole;
	int tag;

	while (!der_empty(&in)) {
		const uint8_t *before = in.p;
		size_t left = in.len;

		if (der_next(&in, &tag, &content, &whole) != 0)
			return;
		if (whole.p != before || whole.len > left || whole.len < 2 || in.len != left - whole.len || content.p < whole.p ||
		    content.p + content.len != whole.p + whole.len)
			abort();
		if ((tag & 0x20) != 0 && depth < DEPTH)
			walk(content, depth + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct der in, value;

	der_init(&in, data, len);
	walk(in, 0);
	if (der_take_positive(&in, &value) == 0 && (value.len == 0 || value.p[0] == 0))
		abort();
	return 0;
}
