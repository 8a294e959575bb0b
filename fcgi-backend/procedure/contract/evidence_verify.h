#ifndef ICERT_PROCEDURE_EVIDENCE_VERIFY_H
#define ICERT_PROCEDURE_EVIDENCE_VERIFY_H
/*
 * An evidence package, or a receipt, verified with nothing of this house: no instance, no database, no network.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

/* What the reader trusts beforehand; NULL: the package's own is taken, and shown. */
struct evidence_trust {
	const struct buf *root;		/* the root's certificate, DER */
	const uint8_t *audit;		/* public keys, 32 octets each */
	const uint8_t *keeper;
	const uint8_t *keymaker;
};

/*
 * One thing that was looked at.  check: "manifest", "contract", "chain", "director", "ocsp", "crl", "arl", "fields", "approvals", "key",
 * "audit", "trust"; receipts: "receipt", "row".  fault: NULL it holds; else a stable code, whose sentence is evidence_fault.<code> or
 * contract_fault.<code>.  facts: name, value, …, NULL for the sentences.
 */
typedef void evidence_tell(void *arg, const char *check, const char *fault, const char *const *facts);

/* Everything is told, also after a fault.  *faults counts them.  0, or ICERT_E_MEMORY. */
int	evidence_verify(const void *bytes, size_t len, const struct evidence_trust *, evidence_tell *, void *arg, unsigned *faults);

struct receipt;
/* What a receipt that was read says, for both. */
void	receipt_tell(const char *check, const struct receipt *, const char *fault, evidence_tell *, void *arg);

/* A citizen's receipt (audit/receipt.h): its rows are told one by one. */
int	receipt_verify(const void *bytes, size_t len, const struct evidence_trust *, evidence_tell *, void *arg, unsigned *faults);

#endif
