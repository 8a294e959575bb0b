#ifndef ICERT_PROCEDURE_PURCHASE_H
#define ICERT_PROCEDURE_PURCHASE_H
/*
 * An order ("order" is SQL's word): created → pending → paid → used; expired
 * from created or pending; refunding, refunded, disputed from paid or used.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "mail/outbox.h"
#include "payments/gateway.h"
#include "payments/payment.h"
#include "procedure/act.h"
#include "procedure/order/billing.h"
#include "procedure/number.h"

struct inquiry;

struct purchase {
	char		id[ID_TEXT];
	char		number[NUMBER_TEXT];
	char		state[12];
	int		version;
	char		contact[ID_TEXT];
	char		key[ID_TEXT];
	char		tariff[ID_TEXT];
	char		container[16], kind[16];
	char		ruc[8];			/* "with", "without", "any": as the tariff's */
	int		years;
	int64_t		net, tax, total;	/* cents */
	int		tax_bp;
	char		currency[4];
	char		gateway[24];
	char		gateway_payment[GATEWAY_ID];
	char		application[ID_TEXT];	/* that it serves, "" none */
	char		origin[ID_TEXT];	/* case whose data it goes on with, "" none; purchase_create() only */
	int64_t		created_at, expires_at, paid_at;
	struct billing	billing;
};

/*
 * Orders one item of the tariff at today's price.  once: a random text from
 * the page's form; a second submit of the same form gives the same order.
 * ICERT_E_NOT_FOUND: not on sale; ICERT_E_INVALID: billing_check() finds faults; ICERT_E_TOO_LARGE: too much for an invoice
 * to the final consumer (policy invoice.consumer_max, cents with tax).
 * Mails the contact.  origin (NULL none): the case that the new one begins with; a
 * renewal has one always.  Errors of anew_may() when it may not.
 */
int	purchase_create(struct act *, const char *tariff, const struct billing *, const char *origin, const char *once,
	    char id[ID_TEXT]);
/* The contact's own order that was made with that text; ICERT_E_NOT_FOUND none yet. */
int	purchase_made(struct act *, const char *once, char id[ID_TEXT]);
int	purchase_get(struct act *, const char *id, struct purchase *);
/*
 * Who ordered corrects who is invoiced, of an order p that nobody has paid; price and checkout stay.  ICERT_E_STATE: it is paid, or over;
 * ICERT_E_TOO_LARGE: above what the final consumer may be invoiced; ICERT_E_INVALID as billing_check().
 */
int	purchase_correct(struct act *, const struct purchase *p, const struct billing *);
/* The contact's, or for finance every one, newest first; billing is not opened.  state: only those, NULL all.
 * *n: room (at most 50 are read), then rows filled. */
int	purchase_list(struct act *, const char *state, int offset, struct purchase *rows, size_t *n);
/* Those of these ids, with a space between them, that the caller may see; as purchase_list(). */
int	purchase_some(struct act *, const char *ids, struct purchase *rows, size_t *n);

/*
 * The gateway has a checkout for it: created → pending.  p: the order as it was read before the gateway was asked.  A repeat with
 * the same payment, an order that is paid already, or one that has been given another checkout since (two tabs, two gateways) changes nothing
 * and is 0: the checkout that was first is the one that the payer is led to, and nobody sees the other.
 */
int	purchase_pending(struct act *, const struct purchase *p, const char *gateway, const struct gateway_checkout *);
/* That checkout, while the order is pending; ICERT_E_NOT_FOUND otherwise. */
int	purchase_checkout(struct act *, const char *id, struct gateway_checkout *);

/* What its gateway has said of the checkout that a pending order has: PURCHASE_CHECKING, PURCHASE_REFUSED, or 0 nothing yet. */
#define PURCHASE_CHECKING	1
#define PURCHASE_REFUSED	2
int	purchase_heard(struct act *, const char *id);

/* What came through a gateway and pays nothing of this order: "again" (charged twice), "late", "mismatch" (another amount), or ""; *back: it went back.  Of several one that has not, first.
 * Transfers have transfer_word(). */
#define PURCHASE_EXCESS	12
int	purchase_excess(struct act *, const char *id, char word[PURCHASE_EXCESS], int *back);

/*
 * The clerk: what a gateway says about one payment; sure: PAYMENT_ASKED when it is its answer to a query, else as payment.h says.
 * Decides with payment_decide() and acts in one transaction; as often as
 * wanted, the result is the same.  *verdict tells what was done; PAYMENT_QUERY
 * means: nothing, ask the gateway and call again.  order: whose payment it was, "" nobody's that we know.
 * asked: the question about it, written in that transaction when the order is known; NULL, or empty, nobody asked.
 */
int	purchase_apply(struct act *, const char *gateway, const struct gateway_payment *, int sure, struct inquiry *asked,
	    enum payment_verdict *verdict, char order[ID_TEXT]);

/* What purchase_apply() would do now; nothing is changed. */
int	purchase_foresee(struct act *, const char *gateway, const struct gateway_payment *, int sure, enum payment_verdict *verdict,
	    char order[ID_TEXT]);

/* The payer is back: the clerk asks how a pending order stands, unless it did half a minute ago. */
int	purchase_ask_soon(struct act *, const char *id);

/* One mail about an order to its contact, in the open transaction; key: the order's, opened. */
int	purchase_mail(struct act *, const struct purchase *, const uint8_t *key, enum mail_template, const char *dedup);

#endif
