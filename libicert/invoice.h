#ifndef LIBICERT_INVOICE_H
#define LIBICERT_INVOICE_H
/* An electronic invoice or credit note of Ecuador's tax authority, as far as an order is compared with it. */
#include <stdint.h>

#include "libicert/message.h"

/* What its XML (SRI, factura 1.1.0, notaCredito 1.1.0) says, each as text of the element named; sizes are bytes of UTF-8 with the NUL. */
struct invoice {
	char	access_key[64];		/* claveAcceso */
	char	document[4];		/* codDoc */
	char	environment[4];		/* ambiente: "1" trial, "2" production */
	char	ruc[16];		/* of the issuer */
	char	place[8];		/* estab and ptoEmi, one after the other */
	char	sequence[12];		/* secuencial */
	char	day[11];		/* fechaEmision, "2026-11-23" */
	char	buyer_kind[4];		/* tipoIdentificacionComprador */
	char	buyer[24];		/* identificacionComprador */
	char	buyer_name[1204];	/* razonSocialComprador: 300 letters */
	char	currency[16];		/* moneda; "" not said, as the schema allows */
	char	modifies[20];		/* numDocModificado, of a credit note: "001-002-000000123"; "" an invoice */
	int64_t	net, tax, total;	/* cents: totalSinImpuestos, the sum of its taxes, importeTotal (of a credit note valorModificacion) */
};

/* Why XML is none. */
struct invoice_fault {
	/* "size", "encoding" (not UTF-8), "doctype", "xml" (not well-formed), "root" (another document), "unauthorised", "element"; "" it is one */
	char	code[16];
	char	element[32];	/* "element": the one that is missing, doubled or not of its form */
};

#define INVOICE_TEXTS	12
#define INVOICE_AMOUNTS	3

/* As the checker tells it: INVOICE_TEXTS of TAG_TEXT, INVOICE_AMOUNTS of TAG_NUMBER. */
void	invoice_put(struct buf *, const struct invoice *);
/* 0, or ICERT_E_MALFORMED: not all of them, a text too long or not printable, an amount below zero. */
int	invoice_get(struct invoice *, const struct message *);

#endif
