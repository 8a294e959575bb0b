#ifndef ICERT_PROCEDURE_CONTRACT_JUDGE_H
#define ICERT_PROCEDURE_CONTRACT_JUDGE_H
/*
 * icert-clerk's word on contracts that came back, and what follows from it.  The portal, which
 * takes the files, judges none: whoever has it can say that something arrived, no more.
 */
#include <stddef.h>

#include "procedure/act.h"

struct document_store;
struct keyclient;

/*
 * Files that wait: contract_received → contract_signed, or → contract_sent with the fault mailed and the
 * clock running on.  The checker down: they wait, and the error says so.  PKCS#12 and envelope of what was signed
 * are destroyed at once: the signature proves that they arrived.
 */
int	contract_judge_run(struct act *, const struct document_store *, struct keyclient *checker, size_t most, size_t *done);

/* Deliveries that outlived a valid signature, because the keeper was down or the clerk died: destroyed now. */
int	contract_delivered_run(struct act *, size_t most);

/*
 * countersigned → active: both signatures are verified once more from the bytes that are kept, and the copy is
 * mailed to the applicant.  One that does not verify stays, and the province is told.
 */
int	contract_filing_run(struct act *, const struct document_store *, size_t most, size_t *done);

#endif
