#ifndef ICERT_PROCEDURE_CONTRACT_DIRECTOR_H
#define ICERT_PROCEDURE_CONTRACT_DIRECTOR_H
/*
 * The provincial director's part: the contract that the applicant has signed is downloaded, signed elsewhere with the
 * certificate on the director's account, and uploaded; or sent back with the reason.
 */
#include <stddef.h>

#include "procedure/act.h"
#include "procedure/contract/contract_copy.h"

struct document_store;
struct keyclient;

/*
 * contract_signed → countersigned, when the file begins with the applicant's octet for octet, adds one signature by
 * the caller's registered certificate and nothing else.  ICERT_E_MISMATCH: *fault is a code of contract_fault.
 * ICERT_E_MISSING: no certificate is registered on the account; ICERT_E_STALE: it has ended or is not good;
 * ICERT_E_OWN_CASE.  version: the row as the caller's page showed it, < 0 any.
 */
int	contract_countersign(struct act *, const struct document_store *, struct keyclient *checker, const char *application,
	    int version, const void *bytes, size_t len, const char **fault);

/*
 * contract_signed → contract_sent: the applicant is mailed the words, and has at least the policy's
 * contract.return_hours from now.  ICERT_E_INVALID: no words, or more than CONTRACT_WORDS bytes.
 */
int	contract_return(struct act *, const char *application, int version, const char *words);

#endif
