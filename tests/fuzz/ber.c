/* BER into DER's lengths: what comes out is read by der.h to its leaves, and comes out as it is when it goes in again. */
#include "libicert/ber.h"
#include "libicert/der.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
walk(struct der d, int depth)
{
	struct der	content;
	int		tag;

	while (!der_empty(&d)) {
		if (der_next(&d, &tag, &content, NULL) != 0 || depth > BER_DEPTH_MAX)
			abort();
		if ((tag & 0x20) != 0)
			walk(content, depth + 1);
	}
}

/* Is it DER already, down to its leaves, without an octet string in pieces?  Then nothing may change. */
static int
plain(struct der d, int depth)
{
	struct der	content;
	int		tag;

	while (!der_empty(&d)) {
		if (der_next(&d, &tag, &content, NULL) != 0 || tag == 0 || tag == 0x24 || depth > BER_DEPTH_MAX)
			return 0;
		if ((tag & 0x20) != 0 && !plain(content, depth + 1))
			return 0;
	}
	return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf	out = BUF_INIT, again = BUF_INIT;
	struct der	all, content, whole, left;
	size_t		used, twice;
	int		tag, first;

	der_init(&all, data, len);
	left = all;
	first = der_next(&left, &tag, &content, &whole) == 0 && plain(whole, 0);
	if (ber_to_der(data, len, &used, &out) != 0) {
		if (first)
			abort();
	} else {
		if (used == 0 || used > len)
			abort();
		der_init(&all, out.p, out.len);
		walk(all, 0);
		if (first && (used != whole.len || out.len != whole.len || memcmp(out.p, data, out.len) != 0))
			abort();
		if (ber_to_der(out.p, out.len, &twice, &again) != 0 || twice != out.len || again.len != out.len ||
		    memcmp(again.p, out.p, out.len) != 0)
			abort();
	}
	buf_free(&out);
	buf_free(&again);
	return 0;
}
