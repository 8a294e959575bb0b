#ifndef ICERT_PAYMENTS_GATEWAY_H
#define ICERT_PAYMENTS_GATEWAY_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

struct config;

/*
 * A payment gateway behind one interface; one file an adapter.  Each gateway
 * in use has keys NAME.* in [gateways] of the configuration:
 *	NAME.adapter            "standard_webhooks" (the default)
 *	NAME.url                base URL of its API
 *	NAME.secret_file        whsec_... for notifications, one a line (rotation: all are tried)
 *	NAME.api_key_file       bearer token of its API
 *	NAME.timestamp_tolerance  seconds; 300
 */
#define GATEWAY_ID 64             /* longest id of a payment or event, with the NUL */
#define GATEWAY_NAME 24
#define GATEWAY_TOLERANCE_S 300   /* notifications older or newer than this are refused, unless configured */

/* What a gateway says about one payment. */
enum gateway_state {
	GATEWAY_PENDING = 1,      /* open: waiting for the payer, or being checked */
	GATEWAY_APPROVED,
	GATEWAY_REJECTED,
	GATEWAY_EXPIRED,          /* abandoned */
	GATEWAY_REFUNDED,         /* all of it went back */
	GATEWAY_DISPUTED,         /* the payer's bank holds it back for now */
};

struct gateway_payment {
	char id[GATEWAY_ID];      /* the gateway's id of the checkout */
	char order[GATEWAY_ID];   /* our order's uuid, as we gave it ("" unknown) */
	enum gateway_state state;
	int64_t cents;            /* amount; -1: not stated */
	char currency[4];         /* "" not stated */
	int checking;             /* pending because the gateway itself is checking */
	int times;                /* how many approved captures (2: paid twice); 0 not stated */
};

struct gateway_checkout_request {
	const char *order;        /* uuid; also the idempotency key: a repeat returns the same checkout */
	const char *number;       /* the order's number, shown to the payer */
	const char *description;  /* the product's name */
	int64_t cents;
	const char *currency;
	const char *return_url;   /* where the payer's browser comes back to (GET) */
	const char *notify_url;   /* our /avisos/<gateway> */
};

struct gateway_refund_request {
	const char *refund;       /* uuid, our idempotency key: a repeat asks about the same refund */
	const char *payment;      /* the gateway's id of the checkout */
	int64_t cents;
	const char *currency;
};

struct gateway_checkout {
	char id[GATEWAY_ID];
	char url[512];            /* the page the payer is sent to */
};

/* What the edge gave us with a notification; header values borrowed, NULL when absent. */
struct gateway_notice {
	const char *(*header)(void *arg, const char *name);  /* name in lower case: "webhook-id" */
	void *header_arg;
	const uint8_t *body;      /* raw, exactly as received */
	size_t len;
};

struct gateway;

/* Purposes: each needs only its own secret, and only that file is read. */
#define GATEWAY_NOTICES  1    /* icert-webhook: verify */
#define GATEWAY_API      2    /* icert-portal: checkout; icert-clerk: query */

/* The names in [gateways] names (separated by commas or blanks), in their
 * order; the first is the one offered first.  Returns how many, at most GATEWAYS_MAX. */
#define GATEWAYS_MAX 8
int	gateway_names(const struct config *config, char names[GATEWAYS_MAX][GATEWAY_NAME]);

/* ICERT_E_NOT_FOUND: no gateway of that name is configured.  ICERT_E_CONFIG:
 * a key is missing, or a secret is not one (logged, without the secret). */
int	gateway_open(const struct config *config, const char *name, int purpose, struct gateway **gateway);
void	gateway_free(struct gateway *gateway);

/*
 * Verifies a notification on its raw bytes, in constant time, against every
 * secret and every signature of the header, with `now` in UTC seconds (real
 * time).  event_id gets the sender's id, stable across its retries.
 * Errors: ICERT_E_FORGED (missing, malformed or wrong; one code for all),
 * ICERT_E_STALE (the signature holds, the timestamp is out of tolerance).
 */
int	gateway_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now,
	    char event_id[GATEWAY_ID]);

/* What a verified body says.  ICERT_E_MALFORMED when it says nothing we know. */
int	gateway_read(const struct gateway *gateway, const void *body, size_t len, struct gateway_payment *payment);

/* Whether a notification's amount is covered by its signature (else: query first). */
int	gateway_signs_amount(const struct gateway *gateway);

/*
 * The gateway's API, over HTTP with a time-out of 5 s (a redirect is not
 * followed, answers are capped at 64 KiB).  ICERT_E_UNAVAILABLE when it does
 * not answer or answers 5xx or 429: try later.  ICERT_E_DENIED otherwise.
 */
int	gateway_checkout_create(struct gateway *gateway, const struct gateway_checkout_request *request,
	    struct gateway_checkout *checkout);
int	gateway_query(struct gateway *gateway, const char *payment, struct gateway_payment *out);
/* id: the gateway's of the refund.  *pending is 1 while the gateway has not done it yet: ask again. */
int	gateway_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID],
	    int *pending);

#endif
