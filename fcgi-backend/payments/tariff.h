#ifndef ICERT_PAYMENTS_TARIFF_H
#define ICERT_PAYMENTS_TARIFF_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"

struct db;

/* Money is whole cents of `currency` in int64_t; never a float. */
#define TARIFF_CENTS_MAX INT64_C(100000000)   /* a million: more is a typing error */

struct tariff_item {
	char id[ID_TEXT];        /* uuid of the price row: an order keeps it */
	char container[16];      /* "file", "token", "remote" */
	char kind[16];           /* "new", "renewal" */
	int years;
	char ruc[8];             /* "with" or "without" a RUC in the certificate; "any": the form decides */
	int64_t net;             /* cents before tax */
	int tax_bp;              /* hundredths of a percent: 1500 is 15 % */
	char currency[4];        /* ISO 4217: "USD" */
	int on_sale;             /* 0: shown in the comparison only */
	int64_t sale_from;       /* UTC seconds; 0 unknown; for items not yet on sale */
};

struct tariff_total {
	int64_t net, tax, total; /* cents */
};

/*
 * tax = net * tax_bp / 10000 rounded half up to the cent, total = net + tax.
 * Returns 0, or ICERT_E_INVALID for a negative or absurd net (above
 * TARIFF_CENTS_MAX) or a rate outside 0..10000.
 */
int	tariff_total(int64_t net, int tax_bp, struct tariff_total *total);

/*
 * Whether what is sold can be made: a file, new or renewed, and a new token.  A token's renewal goes another way and nothing is issued
 * into a remote container, so both are shown, and never on sale.
 */
int	tariff_sellable(const char *container, const char *kind);

/* "1.234,56": thousands with a point, decimals with a comma, as es-EC writes
 * money; the currency sign is the page's.  size >= 24. */
void	tariff_format(int64_t cents, char *out, size_t size);

/* "15", "12,5", "12,05": hundredths of a percent without trailing zeros; the sign is the page's.  size >= 8. */
void	tariff_percent(int tax_bp, char *out, size_t size);

/* "1234.56" exactly to cents: digits, and a point with one or two digits or
 * none.  For gateways' JSON numbers and strings.  ICERT_E_INVALID otherwise. */
int	tariff_parse(const char *text, int64_t *cents);

/*
 * The same as people type it: "27", "27,5", "27.50", "1.234,56" or "1,234.56".  One mark with three digits after it groups
 * thousands when it is a point, as es-EC writes them; a comma there is nobody's money.  ICERT_E_INVALID otherwise.
 */
int	tariff_typed(const char *text, int64_t *cents);

/* The prices in force at the business time `at`, ordered as the page shows
 * them.  *n is the room in items, then the number filled. */
int	tariff_list(struct db *db, int64_t at, struct tariff_item *items, size_t *n);

/* One price that is in force and on sale; ICERT_E_NOT_FOUND otherwise. */
int	tariff_get(struct db *db, int64_t at, const char *id, struct tariff_item *item);

/* The price in force of the product that the price `id`, perhaps an old one, is of; the same errors. */
int	tariff_now(struct db *db, int64_t at, const char *id, struct tariff_item *item);

#endif
