/* Later revisions of a PDF; the first one ends with the first end-of-file marker. */
#include "libicert/pdf_change.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The first end-of-file marker with its line end: where a fuzzed file's own part stops. */
static size_t
first_of(const uint8_t *data, size_t len)
{
	const uint8_t *mark = memmem(data, len, "%%EOF\n", 6);

	return mark == NULL ? len : (size_t)(mark - data) + 6;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pdf_changes out;
	size_t first = first_of(data, len);

	if (pdf_changes_read(data, len, first, &out) == PDF_NO_FAULT && out.n == 0)
		abort();
	for (size_t i = 0; i < out.n; i++) {
		const struct pdf_signature *s = &out.signature[i];

		if (s->gap < first || s->gap_end <= s->gap || s->end < s->gap_end || s->end > len || data[s->gap] != '<' ||
		    data[s->gap_end - 1] != '>' || s->hex.p != data + s->gap + 1)
			abort();
	}
	return 0;
}
