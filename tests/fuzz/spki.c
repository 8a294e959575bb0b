/* Public keys that strangers ask to have certified. */
#include "pki/spki.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t id[SPKI_KEY_ID];
	const uint8_t *bits;
	const char *why;
	size_t n;
	int size = 0;

	if (spki_bits(data, len, &bits, &n) == 0 && (bits < data || n > len || bits + n > data + len))
		abort();
	spki_key_id(data, len, id);
	why = NULL;
	if (spki_check_holder(data, len, 1, &size, &why) == 0) {
		if (size != 2048 && size != 3072 && size != 4096)
			abort();
	} else if (why == NULL) {
		abort();
	}
	spki_check_p256(data, len, &why);
	return 0;
}
