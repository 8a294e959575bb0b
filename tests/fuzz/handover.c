/* The hand-over stream: what is read is written back octet for octet. */
#include "libicert/handover.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct handover_reader h;
	struct handover_record r;
	uint8_t *copy;
	size_t n;
	int rc;

	if (handover_open(&h, data, len) != 0)
		return 0;
	copy = malloc(len);
	n = handover_start(copy, len);
	while ((rc = handover_next(&h, &r)) == 1)
		n += handover_record(copy + n, len - n, &r);
	if (rc == 0) {
		n += handover_end(copy + n, len - n, h.records);
		if (n != len || memcmp(copy, data, len) != 0)
			abort();
	}
	free(copy);
	return 0;
}
