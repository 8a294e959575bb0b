#ifndef ICERT_PROCEDURE_EVIDENCE_H
#define ICERT_PROCEDURE_EVIDENCE_H
/*
 * The evidence package: one file that shows years later, without this house, what was agreed and
 * who agreed to it (form and contents: docs/evidence.md).  icert-clerk makes it when a contract is
 * filed; it is kept with the case's documents and given out to its applicant, the national office
 * and the auditor.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"

struct document_store;

/* What the filing has in hand; the rest is read here.  All borrowed. */
struct evidence_case {
	const char *application;	/* its id */
	const char *number;		/* of the case, as printed */
	int province;
	const char *key_id;		/* the case's data key … */
	const uint8_t *key;		/* … opened, 32 octets */
	const char *contract;		/* its number */
	size_t original_len;		/* the contract as it was sent: length … */
	const uint8_t *original_sha256;	/* … and hash */
	const struct buf *contract_pdf;	/* with both signatures */
	const struct buf *certificate;	/* of the applicant, DER */
	const struct buf *director;	/* the certificate on the director's account, DER */
};

/* A package whose bytes are stored, encrypted, and which no row names yet. */
struct evidence {
	char file[ID_TEXT];		/* documents/'s name; "" nothing is stored */
	char document[ID_TEXT];		/* of the row, once kept */
	uint8_t sha256[32];		/* of the package */
	size_t size;
};

/*
 * Gathers, packs and stores; outside a transaction.  ICERT_E_STATE: an audit row of the case
 * has no place under a signed head yet (a second); ICERT_E_UNAVAILABLE: the edge gave no status; errors of
 * database and store.  In each case nothing is stored: file the contract in a later round.
 */
int	evidence_make(struct act *, const struct document_store *, const struct evidence_case *, struct evidence *);

/* Inside the open transaction that files the contract: the document's row, and an audit row with the package's hash. */
int	evidence_keep(struct act *, const struct evidence_case *, struct evidence *);

/* When that transaction failed: the stored bytes go. */
void	evidence_drop(const struct document_store *, const struct evidence *);

/* The package of a case, appended, for whoever may see it; the read is audited.  ICERT_E_NOT_FOUND while there is none. */
int	evidence_read(struct act *, const struct document_store *, const char *application, struct buf *out);

/* An applicant's receipt of the log for their own case (audit/receipt.h), appended: the rows that have a place by now.
 * ICERT_E_NOT_FOUND. */
int	evidence_receipt(struct act *, const char *application, const char *number, struct buf *out);

#endif
