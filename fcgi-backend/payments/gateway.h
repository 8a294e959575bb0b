#ifndef ICERT_PAYMENTS_GATEWAY_H
#define ICERT_PAYMENTS_GATEWAY_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

struct config;

/*
 * A payment gateway behind one interface; one file an adapter, and
 * docs/gateways.md for who configures one.  Each gateway in use has keys NAME.*
 * in [gateways] of the configuration:
 *	NAME.adapter            "standard_webhooks" (the default), "placetopay", …
 *	NAME.title              how the payer is offered it, when there are several
 *	NAME.url                base URL of its API
 *	NAME.secret_file        secrets of its notifications, one a line (rotation: all are tried)
 *	NAME.credentials_file   lines "key = value": what its API is opened with, by the adapter's own keys
 *	NAME.api_key_file       instead of a credentials_file: one line, its "api_key"
 *	NAME.timestamp_tolerance  seconds; 300
 *	NAME.addresses          where its notifications may come from, as CIDR with blanks between; from anywhere when left out
 * The files must not be readable or writable by everybody.
 */
#define GATEWAY_ID 128            /* longest id of a payment or event, with the NUL */
#define GATEWAY_NAME 24
#define GATEWAY_URL 2048
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
	char id[GATEWAY_ID];      /* the gateway's id of the checkout; in a notification whatever gateway_query() takes */
	char order[GATEWAY_ID];   /* our order's uuid, as we gave it ("" unknown) */
	enum gateway_state state;
	int64_t cents;            /* amount; -1: not stated */
	int64_t refunded;         /* cents of it that went back so far; 0 also when not stated */
	char currency[4];         /* "" not stated */
	int checking;             /* pending because the gateway itself is checking */
	int times;                /* how many approved captures (2: paid twice); 0 not stated */
	int64_t at;               /* when it was begun or paid, UTC seconds; 0 not stated */
	int sure;                 /* state, amount and currency are the gateway's signed word, or its answer to a query */
};

struct gateway_checkout_request {
	const char *order;        /* uuid */
	const char *once;         /* idempotency key of this try: a repeat gives the same checkout, where the gateway has such keys */
	const char *number;       /* the order's number, shown to the payer; unique */
	const char *description;  /* the product's name */
	int64_t cents;            /* total, what is charged: net + tax */
	int64_t net, tax;
	int tax_bp;               /* rate of the tax, 1/100 % */
	const char *currency;
	const char *return_url;   /* where the payer's browser comes back to (GET); the gateway may add parameters */
	const char *notify_url;   /* our /avisos/<gateway> */
	int64_t seconds;          /* from now: so long the order can be paid */
	const char *address;      /* the payer's IP address and browser, "" unknown; for gateways that want them */
	const char *browser;
};

struct gateway_refund_request {
	const char *refund;       /* uuid, our idempotency key: a repeat asks about the same refund */
	const char *payment;      /* the gateway's id of the checkout */
	int64_t cents;
	const char *currency;
};

struct gateway_checkout {
	char id[GATEWAY_ID];
	char url[GATEWAY_URL];    /* the page the payer is sent to */
};

/* What the edge gave us with a notification; header values borrowed, NULL when absent. */
struct gateway_notice {
	const char *(*header)(void *arg, const char *name);  /* name in lower case: "webhook-id" */
	void *header_arg;
	const uint8_t *body;      /* raw, exactly as received */
	size_t len;
};

/* What the payer's browser brought back to return_url; NULL when absent.  Anybody can write it. */
struct gateway_return {
	const char *(*parameter)(const void *arg, const char *name);
	const void *arg;
};

struct gateway;

/* Purposes: each needs only its own secret, and only that file is read. */
#define GATEWAY_NOTICES  1    /* icert-webhook: verify */
#define GATEWAY_API      2    /* icert-portal: checkout; icert-clerk: query */

/* The names in [gateways] names (separated by commas or blanks), in their
 * order; the first is the one offered first.  Returns how many, at most GATEWAYS_MAX. */
#define GATEWAYS_MAX 8
int	gateway_names(const struct config *config, char names[GATEWAYS_MAX][GATEWAY_NAME]);

/* NAME.title, or NULL. */
const char *gateway_title(const struct config *config, const char *name);

/* ICERT_E_NOT_FOUND: no gateway of that name is configured.  ICERT_E_CONFIG:
 * a key is missing, or a secret is not one (logged, without the secret). */
int	gateway_open(const struct config *config, const char *name, int purpose, struct gateway **gateway);
void	gateway_free(struct gateway *gateway);

/* Whether its notifications may come from this address ("192.0.2.7", "2001:db8::1"): NAME.addresses. */
int	gateway_address_ok(const struct gateway *gateway, const char *address);

/*
 * Verifies a notification on its raw bytes, in constant time, against every
 * secret and every signature that came with it, with `now` in UTC seconds (real
 * time).  event_id gets the sender's id, stable across its retries; where a
 * gateway gives none it is derived from what the notification says.
 * Errors: ICERT_E_FORGED (missing, malformed or wrong; one code for all),
 * ICERT_E_STALE (the signature holds, the timestamp is out of tolerance; only
 * where one is signed).  A gateway that does not sign accepts what it can read:
 * its notifications are hints and never sure.
 */
int	gateway_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now,
	    char event_id[GATEWAY_ID]);

/* JSON body of the 200 that this gateway wants for a notification taken; "{}" where it wants none. */
const char *gateway_accepted(const struct gateway *gateway);

/*
 * What a verified body says.  ICERT_E_MALFORMED when it says nothing we know.
 * Even what is sure is only the gateway's word of a moment: notifications come
 * late and out of order, so whoever applies one asks with gateway_query() first.
 * While the gateway does not answer, a sure one pays an open order at its word
 * and nothing more; what is not sure waits.
 */
int	gateway_read(const struct gateway *gateway, const void *body, size_t len, struct gateway_payment *payment);

/*
 * The gateway's API, over HTTP within 5 s in all: what may be repeated is tried
 * again meanwhile.  A redirect is not followed, answers are capped.
 * ICERT_E_UNAVAILABLE when it does not answer or answers 5xx or 429: try later.
 * ICERT_E_MALFORMED: it answers what we cannot read.  ICERT_E_DENIED otherwise.
 */
int	gateway_checkout_create(struct gateway *gateway, const struct gateway_checkout_request *request,
	    struct gateway_checkout *checkout);

/*
 * The payer's browser is back: what some gateways want to be told before they
 * keep the money.  0 where none of that is needed.  What the payment became is asked with gateway_query().
 */
int	gateway_returned(struct gateway *gateway, const char *payment, const struct gateway_return *back);

/*
 * How a payment is: its state now, disputes and refunds counted, always sure.  payment: the checkout's id, or the id in
 * a notification; out->id is the checkout's.  ICERT_E_NOT_FOUND: the gateway knows none.
 */
int	gateway_query(struct gateway *gateway, const char *payment, struct gateway_payment *out);
/* id: the gateway's of the refund.  *pending is 1 while the gateway has not done it yet: ask again. */
int	gateway_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID],
	    int *pending);

/*
 * Every payment that was begun or paid at the gateway from `from` until before
 * `to` (UTC seconds, real time), page by page, each once and as gateway_query()
 * would give it, in no order; payments that nobody has paid may be among them
 * or not.  What each() returns other than 0 ends it and is returned.
 * ICERT_E_UNSUPPORTED: this gateway has no list; ask about each payment with
 * gateway_query().  After another error the list was not whole.
 */
int	gateway_list(struct gateway *gateway, int64_t from, int64_t to,
	    int (*each)(void *arg, const struct gateway_payment *payment), void *arg);

#endif
