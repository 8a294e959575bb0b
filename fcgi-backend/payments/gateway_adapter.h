#ifndef ICERT_PAYMENTS_GATEWAY_ADAPTER_H
#define ICERT_PAYMENTS_GATEWAY_ADAPTER_H

#include <jansson.h>

#include "payments/gateway.h"

/* What an adapter file implements, and what they share.  Only for payments/. */

#define GATEWAY_SECRETS 4        /* secrets valid at a time: one, and one being rotated in or out */
#define GATEWAY_SECRET_MAX 64    /* bytes of a decoded secret */

struct gateway_secret {
	uint8_t key[GATEWAY_SECRET_MAX];
	size_t len;
};

struct gateway {
	const struct gateway_adapter *adapter;
	char name[GATEWAY_NAME];
	char url[256];                   /* base of the API, without a slash at its end */
	char api_key[128];
	struct gateway_secret secret[GATEWAY_SECRETS];
	size_t n_secrets;
	int64_t tolerance;               /* seconds */
	void *http;                      /* CURL *, kept between calls; NULL until the first */
};

struct gateway_adapter {
	const char *name;                /* as in NAME.adapter */
	int signs_amount;                /* the signature covers amount and currency */
	/* One line of the secret file to bytes. */
	int (*secret)(const char *text, struct gateway_secret *out);
	int (*verify)(const struct gateway *, const struct gateway_notice *, int64_t now, char event_id[GATEWAY_ID]);
	int (*read)(const void *body, size_t len, struct gateway_payment *);
	int (*checkout)(struct gateway *, const struct gateway_checkout_request *, struct gateway_checkout *);
	int (*query)(struct gateway *, const char *payment, struct gateway_payment *);
	int (*refund)(struct gateway *, const struct gateway_refund_request *, char id[GATEWAY_ID], int *pending);
};

extern const struct gateway_adapter gateway_standard_webhooks;

/*
 * One call of the gateway's API: GET without a body, POST with one (taken
 * over).  *answer is the JSON object of a 2xx, the caller's to free.
 * ICERT_E_NOT_FOUND for a 404; the other errors are those of gateway_query().
 */
int	gateway_http(struct gateway *gateway, const char *path, json_t *body, const char *idempotency_key,
	    json_t **answer);

#endif
