/* A payment notification of one gateway: its headers, each ending in NUL, then the body.  What every adapter's target does with it. */
#ifndef FUZZ_NOTICE_H
#define FUZZ_NOTICE_H

#include "payments/gateway_adapter.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

#define NOTICE_HEADERS 3
#define NOTICE_NOW 1795464000

struct notice_headers {
	const char *const *names;
	char *values[NOTICE_HEADERS];
};

static const char *
notice_header(void *arg, const char *name)
{
	struct notice_headers *h = arg;

	for (int i = 0; h->names[i] != NULL; i++)
		if (strcmp(name, h->names[i]) == 0)
			return h->values[i];
	return NULL;
}

static void
notice_ended(const char *text, size_t size)
{
	if (memchr(text, '\0', size) == NULL)
		abort();
}

/* names ends with NULL and has NOTICE_HEADERS at most; secret: a line of its secret file. */
static int
notice_fuzz(const struct gateway_adapter *adapter, const char *const *names, const char *secret, const uint8_t *data, size_t len)
{
	struct gateway gateway = { .adapter = adapter, .name = "demo", .n_secrets = 1, .tolerance = 300 };
	struct notice_headers h = { .names = names };
	struct gateway_notice notice = { .header = notice_header, .header_arg = &h };
	char *copy = calloc(1, len + 1), event[GATEWAY_ID] = "";
	struct gateway_payment payment;
	size_t at = 0;
	int error;

	if (adapter->secret != NULL && adapter->secret(secret, &gateway.secret[0]) != 0)
		abort();
	memcpy(copy, data, len);
	for (int i = 0; names[i] != NULL && at < len; i++) {
		h.values[i] = copy + at;
		at += strlen(copy + at) + 1;
	}
	at = at > len ? len : at;
	notice.body = (const uint8_t *)copy + at;
	notice.len = len - at;
	error = gateway_verify(&gateway, &notice, NOTICE_NOW, event);
	if (error == 0 && (event[0] == '\0' || strlen(event) >= GATEWAY_ID))
		abort();
	/* Whoever passes is read next, and what is read stays within what it is stored in. */
	if (gateway_read(&gateway, notice.body, notice.len, &payment) == 0) {
		notice_ended(payment.id, sizeof(payment.id));
		notice_ended(payment.order, sizeof(payment.order));
		notice_ended(payment.currency, sizeof(payment.currency));
		if (payment.id[0] == '\0' || strpbrk(payment.id, "/?#%. \r\n") != NULL || payment.cents < -1 || payment.times < 0 ||
		    payment.state < GATEWAY_PENDING || payment.state > GATEWAY_DISPUTED ||
		    (payment.sure && (payment.cents < 0 || payment.currency[0] == '\0')))
			abort();
	}
	free(copy);
	return 0;
}

#endif
