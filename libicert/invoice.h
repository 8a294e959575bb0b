#ifndef LIBICERT_INVOICE_H
#define LIBICERT_INVOICE_H
/* An electronic invoice or credit note of Ecuador's tax authority, as far as an order is compared with it. */
#include <stdint.h>

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

#endif
