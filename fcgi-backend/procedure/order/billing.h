#ifndef ICERT_PROCEDURE_BILLING_H
#define ICERT_PROCEDURE_BILLING_H
/*
 * Who the invoice is for: asked once, with the order.  Sealed under the order's key.
 */
#include <stddef.h>

#include "libicert/buf.h"

/* Sizes are bytes of UTF-8 with the NUL. */
struct billing {
	char	id_kind[12];	/* "cedula", "ruc", "passport"; "consumer": to the final consumer, who is not named */
	char	id_number[24];
	char	name[200];	/* as on the invoice */
	char	address[256];
	char	telephone[20];
	char	email[256];	/* where the invoice goes; "" the contact's */
	char	for_me[4];	/* "is the invoice for you?": "yes" prefills the application, "no" */
};

/* What an invoice to the final consumer says (the tax authority's table of identifications, 07). */
#define BILLING_CONSUMER_ID	"9999999999999"
#define BILLING_CONSUMER_NAME	"CONSUMIDOR FINAL"

/* Checks, and brings to the one form; returns the number of faults.  code is a
 * key of the catalogue: "billing.id_number.cedula".  Of the final consumer number, name and address are what they always are, whatever was typed;
 * for whom the invoice is then says nothing. */
struct billing_fault { const char *field, *code; };
#define BILLING_FAULTS_MAX 8
size_t	billing_check(struct billing *, struct billing_fault faults[BILLING_FAULTS_MAX]);

/* Whether two, both in the one form, say the same. */
int	billing_same(const struct billing *, const struct billing *);

/* As JSON, and back.  0, ICERT_E_MALFORMED, ICERT_E_MEMORY. */
int	billing_write(const struct billing *, struct buf *out);
int	billing_read(struct billing *, const void *json, size_t n);

#endif
