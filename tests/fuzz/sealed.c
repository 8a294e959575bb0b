/* Sealed bytes that nobody sealed: always refused, and nothing is left behind. */
#include "libicert/sealed.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[SEALED_KEY] = { 1 };
	struct buf plain = BUF_INIT;

	if (sealed_open(key, "place", data, len, &plain) == 0 || plain.len != 0)
		abort();
	buf_free(&plain);
	return 0;
}
