/* Canonical certificate fields and statements, as a captured program might send them. */
#include "libicert/approval.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What decodes must encode to the same bytes: there is one canonical form. */
static void
try_fields(const uint8_t *data, size_t len)
{
	struct cert_fields fields;
	struct buf store = BUF_INIT, again = BUF_INIT;

	if (cert_fields_decode(&fields, data, len, &store) == 0) {
		if (cert_fields_encode(&fields, &again) != 0 || again.len != len || memcmp(again.p, data, len) != 0)
			abort();
	}
	buf_free(&store);
	buf_free(&again);
}

static void
try_statement(const uint8_t *data, size_t len)
{
	struct statement s, again;
	struct approval a;
	struct key_word w;

	if (statement_decode(&s, data, len) != 0)
		return;
	if (approval_parse(&s, &a) == 0) {
		if (approval_build(&a, &again) != 0 || again.len != s.len || memcmp(again.bytes, s.bytes, s.len) != 0)
			abort();
	}
	if (key_word_parse(&s, &w) == 0) {
		if (key_word_build(&w, &again) != 0 || again.len != s.len || memcmp(again.bytes, s.bytes, s.len) != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	try_fields(data, len);
	try_statement(data, len);
	return 0;
}
