/* A payment notification: three headers that end in NUL, then the body. */
#include "payments/gateway_adapter.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *header_names[] = { "webhook-id", "webhook-timestamp", "webhook-signature" };

static const char *
header(void *arg, const char *name)
{
	char **values = arg;

	for (int i = 0; i < 3; i++)
		if (strcmp(name, header_names[i]) == 0)
			return values[i];
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct gateway gateway = { .name = "demo", .secret = { { "0123456789abcdef0123456789abcdef", 32 } }, .n_secrets = 1,
	    .tolerance = 300 };
	char *copy = calloc(1, len + 1), *values[3] = { NULL }, event[GATEWAY_ID] = "";
	struct gateway_notice notice = { .header = header, .header_arg = values };
	struct gateway_payment payment;
	size_t at = 0;
	int error;

	memcpy(copy, data, len);
	for (int i = 0; i < 3 && at < len; i++) {
		values[i] = copy + at;
		at += strlen(copy + at) + 1;
	}
	at = at > len ? len : at;
	notice.body = (const uint8_t *)copy + at;
	notice.len = len - at;
	memset(&payment, 0, sizeof(payment));
	payment.cents = -1;
	error = gateway_standard_webhooks.verify(&gateway, &notice, 1795464000, event);
	if (error == 0 && (event[0] == '\0' || strlen(event) >= GATEWAY_ID))
		abort();
	/* Whoever passes is read next, and what is read stays within what it is stored in. */
	if (gateway_standard_webhooks.read(notice.body, notice.len, &payment) == 0 &&
	    (payment.id[0] == '\0' || memchr(payment.id, '\0', sizeof(payment.id)) == NULL || strchr(payment.id, '/') != NULL ||
	    memchr(payment.order, '\0', sizeof(payment.order)) == NULL || payment.cents < -1 || payment.times < 0 ||
	    memchr(payment.currency, '\0', sizeof(payment.currency)) == NULL))
		abort();
	free(copy);
	return 0;
}
