/* A payment notification in the form of Standard Webhooks. */
#include "notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const headers[] = { "webhook-id", "webhook-timestamp", "webhook-signature", NULL };

	return notice_fuzz(&gateway_standard_webhooks, headers, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", data, len);
}
