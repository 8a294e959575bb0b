/* A payment notification of Nuvei. */
#include "notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const headers[] = { NULL };

	return notice_fuzz(&gateway_nuvei, headers, "0123456789abcdef0123456789abcdef", data, len);
}
