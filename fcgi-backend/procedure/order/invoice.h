#ifndef ICERT_PROCEDURE_INVOICE_H
#define ICERT_PROCEDURE_INVOICE_H
/*
 * An invoice that finance made in its own system, held against the order that it is for (the step "Envío de datos para facturación").
 */
#include <stdint.h>

#include "procedure/order/billing.h"

/* What an invoice's XML (SRI, factura 1.1.0) says, each as text of the element named; sizes are bytes of UTF-8 with the NUL. */
struct invoice {
	char	access_key[64];		/* claveAcceso */
	char	document[4];		/* codDoc */
	char	environment[4];		/* ambiente: "1" trial, "2" production */
	char	ruc[16];		/* of the issuer */
	char	place[8];		/* estab and ptoEmi, one after the other */
	char	sequence[12];		/* secuencial */
	char	buyer_kind[4];		/* tipoIdentificacionComprador */
	char	buyer[24];		/* identificacionComprador */
	char	buyer_name[304];	/* razonSocialComprador */
	char	currency[16];		/* moneda; "" not said, as the schema allows */
	int64_t	net, tax, total;	/* cents: totalSinImpuestos, the sum of its VAT, importeTotal */
};

/* What it has to say. */
struct invoice_due {
	const char *ruc;		/* ours */
	int	production;		/* else invoices are of the authority's trial environment */
	const struct billing *billing;	/* checked by billing_check */
	int64_t	net, tax, total;	/* cents: the order's */
};

/*
 * NULL: the invoice is the order's.  Else the first thing that is not, as a code: "access_key.form", "access_key.check",
 * "access_key.other" (the key says another issuer, number, document or environment than the invoice around it), "document" (no invoice),
 * "environment", "issuer", "buyer_kind", "buyer", "buyer_name", "currency", "net", "tax", "total".  Whether a key was
 * used before, and whether the order is paid, only the database knows.
 */
const char *invoice_differs(const struct invoice *, const struct invoice_due *);

#endif
