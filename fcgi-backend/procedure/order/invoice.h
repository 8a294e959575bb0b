#ifndef ICERT_PROCEDURE_INVOICE_H
#define ICERT_PROCEDURE_INVOICE_H
/*
 * An invoice that finance made in its own system, held against the order that it is for (the step "Envío de datos para facturación").
 */
#include <stdint.h>

#include "libicert/invoice.h"
#include "procedure/order/billing.h"

/* What it has to say. */
struct invoice_due {
	const char *document;		/* ACCESS_KEY_INVOICE, or a credit note that takes the whole of one back */
	const char *ruc;		/* ours */
	int	production;		/* else invoices are of the authority's trial environment */
	const struct billing *billing;	/* checked by billing_check */
	int64_t	net, tax, total;	/* cents: the order's */
};

/*
 * NULL: the invoice is the order's.  Else the first thing that is not, as a code: "access_key.form", "access_key.check",
 * "access_key.other" (the key says another day, issuer, number, document or environment than the invoice around it), "document" (another kind),
 * "environment", "issuer", "buyer_kind", "buyer", "buyer_name", "currency", "net", "tax", "total".  Whether a key was
 * used before, and whether the order is paid, only the database knows.
 */
const char *invoice_differs(const struct invoice *, const struct invoice_due *);

#endif
