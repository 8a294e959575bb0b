#ifndef ICERT_PROCEDURE_INVOICING_H
#define ICERT_PROCEDURE_INVOICING_H
/*
 * What becomes of an order's invoices (the step "Envío de datos para facturación"; "un correo con la factura … con copia al coordinador u
 * operador").  Finance makes them in its own system and files them here: PDF and XML together, held against the order, mailed, kept under the
 * order's key.
 *
 * An invoice is awaited from the payment on → filed → mailed, when the mail to who ordered has left; voided by a credit note, which is a row of its
 * own; dropped when the money was given back before there was one.  A credit note is filed → mailed.  One that is wrong is voided, and another
 * is awaited while the order is paid.  For issuing here later the table knows to_issue, sent, authorised and rejected, between awaited and mailed; nothing
 * leads there yet.
 */
#include <stddef.h>
#include <stdint.h>

#include "documents/store.h"
#include "libicert/buf.h"
#include "libicert/id.h"
#include "libicert/invoice.h"
#include "procedure/act.h"
#include "procedure/number.h"

#define INVOICING_MAX		20	/* rows of one order that are read */
#define INVOICING_SERIAL	18	/* "001-002-000000123" */
#define INVOICING_RUC		"invoice.ruc"		/* policy: who makes them, 13 digits */
#define INVOICING_PRODUCTION	"invoice.production"	/* policy: 1, or 0 for the tax authority's trial environment */

/* A stored file, under the order's key. */
struct invoicing_file {
	char	file[ID_TEXT];		/* documents/'s name of it */
	int64_t	size;			/* octets of the plain bytes */
	uint8_t	sha256[32];		/* of them */
};

enum invoicing_part { INVOICING_PDF, INVOICING_XML, INVOICING_PARTS };

struct invoicing {
	char	id[ID_TEXT], order[ID_TEXT];
	char	voids[ID_TEXT];		/* of a credit note: the invoice's id; "" an invoice */
	char	state[12];
	char	access_key[50];		/* "" while there is none, as the following */
	char	serial[INVOICING_SERIAL];
	char	day[11];		/* on it, "2026-11-23" */
	int64_t	net, tax, total;	/* cents */
	struct invoicing_file part[INVOICING_PARTS];
	char	filed_by[128];		/* name, for staff */
	int64_t	created_at, filed_at, mailed_at, copied_at;	/* 0 not yet; copied: to the province's operator */
};

/* An order's, the oldest first, for its contact, finance, the national office, the auditor.  *n: room, then filled. */
int	invoicing_list(struct act *, const char *order, struct invoicing *, size_t *n);

/* One file of one of them, appended to *out.  The reading is a row of the log, written before.  ICERT_E_NOT_FOUND: not of that order, or there is no file. */
int	invoicing_read(struct act *, const struct document_store *, const char *order, const char *id, enum invoicing_part,
	    struct invoicing *, struct buf *out);

/*
 * Why one is not filed.  code: invoice_differs()'s, or
 * "unset" (no policy says who makes invoices), "unpaid", "returned" (money given back, on its way back or in dispute: no invoice),
 * "standing" (the order has one; a credit note comes first), "access_key.used" (there: the number of that order), "access_key.voided",
 * "nothing_to_void", "modifies" (a credit note of another invoice).
 */
struct invoicing_refusal {
	char	code[24];
	char	due[1204], said[1204];	/* what it has to say, and what it does, where that is a text; "" */
	int64_t	due_cents, said_cents;	/* the same of an amount; -1 */
	char	number[NUMBER_TEXT];	/* "access_key.used": the other order's, "" not visible */
};

/* Whether it would be filed, before its files are stored: as invoicing_file(). */
int	invoicing_check(struct act *, const char *order, const struct invoice *, struct invoicing_refusal *why);

/*
 * Finance files an invoice (codDoc 01) or a credit note (04), as checker_invoice() read it.  Both files are stored already; the caller drops
 * them unless 0 comes back.  ICERT_E_EXISTS: that very document is filed with this order, and stands: end as the first time did;
 * ICERT_E_MISMATCH: *why says what is wrong; ICERT_E_CONFLICT: somebody was faster.  id (may be NULL): the row's.
 */
int	invoicing_file(struct act *, const char *order, const struct invoice *, const struct invoicing_file part[INVOICING_PARTS],
	    char id[ID_TEXT], struct invoicing_refusal *why);

/* Inside the open transaction of the clerk: an order is paid, and one is awaited; its money is given back, and none is awaited any more. */
int	invoicing_paid(struct act *, const char *order);
int	invoicing_returned(struct act *, const char *order);

/* The clerk: copies for operators, once the province is known; what was mailed.  *done counts rows that changed. */
int	invoicing_run(struct act *, size_t most, size_t *done);

/* For the clerk's mails.  Both files of one, appended; and where the payer wants invoices, "" where who ordered does. */
int	invoicing_files(struct act *, const struct document_store *, const char *id, struct buf *pdf, struct buf *xml);
int	invoicing_address(struct act *, const char *order, char *out, size_t size);

#endif
