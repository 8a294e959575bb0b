/* A payment notification of Placetopay: all of it is in the body. */
#include "notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const headers[] = { NULL };

	return notice_fuzz(&gateway_placetopay, headers, "0123456789abcdef0123456789abcdef", data, len);
}
