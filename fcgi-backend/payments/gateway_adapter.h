#ifndef ICERT_PAYMENTS_GATEWAY_ADAPTER_H
#define ICERT_PAYMENTS_GATEWAY_ADAPTER_H

#include <jansson.h>

#include "payments/gateway.h"

/* What an adapter file implements, and what they share.  Only for payments/. */

#define GATEWAY_SECRETS 4        /* secrets valid at a time: one, and one being rotated in or out */
#define GATEWAY_SECRET_MAX 128   /* bytes of a secret */
#define GATEWAY_CREDENTIALS 6    /* keys of one credentials_file */
#define GATEWAY_CREDENTIAL 256   /* longest value, with the NUL */

struct gateway_secret {
	uint8_t key[GATEWAY_SECRET_MAX];
	size_t len;
};

#define GATEWAY_NETWORKS 32

struct gateway_network {
	int family, bits;                /* AF_INET or AF_INET6 */
	uint8_t address[16];
};

struct gateway {
	const struct gateway_adapter *adapter;
	char name[GATEWAY_NAME];
	char url[256];                   /* base of the API, without a slash at its end */
	char credential[GATEWAY_CREDENTIALS][GATEWAY_CREDENTIAL];  /* in the order of adapter->credentials; "" absent */
	struct gateway_secret secret[GATEWAY_SECRETS];
	size_t n_secrets;
	struct gateway_network network[GATEWAY_NETWORKS];  /* where notifications may come from */
	size_t n_networks;               /* 0: from anywhere */
	int64_t tolerance;               /* seconds */
	void *http;                      /* CURL *, kept between calls; NULL until the first */
};

/* Who does without one of these has NULL there, apart from verify, read, checkout and query. */
struct gateway_adapter {
	const char *name;                /* as in NAME.adapter */
	/* Keys of its credentials_file, the necessary ones first, NULL after the last; `needed` of them are necessary. */
	const char *credentials[GATEWAY_CREDENTIALS + 1];
	size_t needed;
	const char *accepted;            /* JSON body of the 200; NULL: "{}" */
	/* One line of the secret file to bytes; NULL: its notifications are not signed, and there is no file. */
	int (*secret)(const char *text, struct gateway_secret *out);
	int (*verify)(const struct gateway *, const struct gateway_notice *, int64_t now, char event_id[GATEWAY_ID]);
	/* Sets payment->sure when the signature covers state, amount and currency. */
	int (*read)(const void *body, size_t len, struct gateway_payment *);
	int (*checkout)(struct gateway *, const struct gateway_checkout_request *, struct gateway_checkout *);
	int (*returned)(struct gateway *, const char *payment, const struct gateway_return *);
	int (*query)(struct gateway *, const char *payment, struct gateway_payment *);
	int (*refund)(struct gateway *, const struct gateway_refund_request *, char id[GATEWAY_ID], int *pending);
	int (*list)(struct gateway *, int64_t from, int64_t to, int (*each)(void *, const struct gateway_payment *), void *arg);
};

extern const struct gateway_adapter gateway_standard_webhooks;
extern const struct gateway_adapter gateway_placetopay;
extern const struct gateway_adapter gateway_stripe;
extern const struct gateway_adapter gateway_kushki;
extern const struct gateway_adapter gateway_payphone;
extern const struct gateway_adapter gateway_nuvei;

/* ---- gateway_call.c: HTTP ---- */

/* A header, a form's field, a parameter of the query; arrays of them end with a NULL name. */
struct gateway_field {
	const char *name, *value;
};

struct gateway_call {
	const char *method;              /* NULL: POST with a body, GET without */
	const char *base;                /* another base URL than the gateway's, where its API has two; NULL: that */
	const char *path;                /* from the base URL on, with its slash; safe characters only */
	const struct gateway_field *query;    /* joined to the path, encoded; NULL none */
	const struct gateway_field *headers;  /* Authorization and whatever else; Accept and Content-Type are set */
	json_t *json;                    /* JSON body, taken over whatever happens; NULL none */
	const struct gateway_field *form;     /* instead of it, form-encoded; NULL none */
	int repeatable;                  /* a second one does nothing more (GETs always; POSTs with an idempotency key) */
	size_t answer_max;               /* bytes; 0: 64 KiB */
	int scalar;                      /* a bare true or false is an answer too */
};

struct gateway_answer {
	long status;                     /* of HTTP; 0 none came */
	json_t *json;                    /* object or array (with scalar: or whatever) that came with it, of refusals too; NULL none.  The caller's to free */
};

/*
 * One call of the gateway's API, tried again within its 5 s where that may be
 * done and may help.  0 for a 2xx with a JSON object or array.
 * ICERT_E_NOT_FOUND for a 404; the other errors are those of gateway_query().
 * answer is set in every case (json NULL when there is none).
 */
int	gateway_call(struct gateway *gateway, const struct gateway_call *call, struct gateway_answer *answer);

/* The value of an adapter's credential, "" absent. */
const char *gateway_credential(const struct gateway *gateway, const char *name);

/* ---- gateway_address.c ---- */

/* Networks as configured, blanks or commas between; ICERT_E_CONFIG. */
int	gateway_networks_read(struct gateway *gateway, const char *text);

/* ---- gateway_value.c: what their bodies hold, strangers' octets ---- */

/* A string member into out.  Absent (or null): "" and ICERT_E_MALFORMED when required, else 0. */
int	gateway_text(const json_t *object, const char *name, char *out, size_t size, int required);
/* The same where a gateway writes numbers as strings or strings as numbers: whole numbers become digits. */
int	gateway_text_or_number(const json_t *object, const char *name, char *out, size_t size, int required);
/* "31.05", 31.05 or 31 to cents; fractions of a cent, negatives and absurd amounts are ICERT_E_MALFORMED. */
int	gateway_cents(const json_t *value, int64_t *cents);
/* "31.05" */
void	gateway_amount(int64_t cents, char out[24]);
/* 31.05 as a JSON number that prints as it should. */
json_t *gateway_amount_json(int64_t cents);
/* "2019-01-01T12:00:00-05:00", with or without fractions, Z or an offset, to UTC seconds.  ICERT_E_MALFORMED. */
int	gateway_time(const char *text, int64_t *at);
/* UTC seconds to "2019-01-01T17:00:00+00:00". */
void	gateway_time_write(int64_t at, char out[32]);
/* What the "status" of a refund's answer says: *pending for the one word, 0 for both, ICERT_E_DENIED for any other, ICERT_E_MALFORMED. */
int	gateway_given_back(const json_t *object, const char *waits, const char *done, int *pending);
/* Our order's uuid without its dashes, for gateways that take 32 characters or no dashes, and back: "" and ICERT_E_MALFORMED when it is none. */
#define GATEWAY_ORDER 33
void	gateway_order_write(const char *order, char out[GATEWAY_ORDER]);
int	gateway_order_read(const char *text, char order[GATEWAY_ID]);
/* Only letters, digits and _ - : ; not empty, shorter than GATEWAY_ID.  Such an id can go into a path. */
int	gateway_id_ok(const char *id);
/* A JSON object of a notification: duplicates refused, nothing after it.  NULL when it is none. */
json_t *gateway_json(const void *body, size_t len);

/* An event id where the gateway gives none: "sha256:" and 48 digits over the octets. */
void	gateway_event_id(const void *octets, size_t len, char event_id[GATEWAY_ID]);

/*
 * HMAC-SHA-256 of text under each secret against each of n signatures, without an early way out: 1 when any holds.
 */
#define GATEWAY_MAC 32
int	gateway_hmac_holds(const struct gateway *gateway, const void *text, size_t len, const uint8_t sent[][GATEWAY_MAC], size_t n);
/* A secret that is its line of text as it stands, of at least `least` octets. */
int	gateway_secret_text(const char *text, size_t least, struct gateway_secret *out);
/* Digits of a Unix time, at most 12. */
int	gateway_digits(const char *text, int64_t *number);

#endif
