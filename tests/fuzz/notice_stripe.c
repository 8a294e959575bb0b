/* A payment notification of Stripe. */
#include "notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const headers[] = { "stripe-signature", NULL };

	return notice_fuzz(&gateway_stripe, headers, "whsec_0123456789abcdef0123456789", data, len);
}
