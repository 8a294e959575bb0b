/*
 * The status store's reader: a segment that was damaged gives an error or an
 * answer inside the map, never anything else.
 */
#include "libicert/status.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
inside(const struct status_segment *s, const uint8_t *p, size_t n)
{
	if (p != NULL && (p < s->map || n > s->size || (size_t)(p - s->map) > s->size - n))
		abort();
}

static void
segment(const uint8_t *data, size_t len)
{
	struct status_segment s;
	struct status_record r;
	struct status_key key;
	uint64_t cursor = 0;
	uint8_t hash[32] = { 0 }, serial[2];

	if (status_segment_init(&s, data, len, NULL) != 0)
		return;
	status_segment_verify(&s);
	status_segment_issuer(&s, STATUS_SHA1, hash, hash);
	status_segment_issuer(&s, STATUS_SHA256, hash, hash);
	while (status_segment_next(&s, &cursor, &key, &r) == 1)
		inside(&s, key.serial, key.serial_len);
	for (unsigned n = 0; n < 512; n++) {
		serial[0] = (uint8_t)(n + 8);
		serial[1] = (uint8_t)n;
		if (status_segment_find(&s, n & 1, serial, 1 + (n & 1), &r) != 1)
			continue;
		for (int a = 0; a < STATUS_ALGORITHMS; a++) {
			inside(&s, r.answer[a].head, r.answer[a].head_len);
			inside(&s, r.answer[a].tail, r.answer[a].tail_len);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	segment(data, len);
	return 0;
}
