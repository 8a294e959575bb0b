#ifndef PROCEDURE_CONTRACT_SIGNATURE_H
#define PROCEDURE_CONTRACT_SIGNATURE_H

#include "documents/pdf_signature.h"
#include "pki/cms.h"

#include <stdint.h>

/* A certificate that has to have signed, DER. */
struct contract_signer {
	const uint8_t *cert;
	size_t len;
};

#define CONTRACT_SIGNERS 4

struct contract_signatures {
	struct pdf_changes changes;
	struct cms_signed cms[CONTRACT_SIGNERS];	/* one for each signer, in their order */
	size_t verified;				/* signatures that verified before the fault */
	/*
	 * What is wrong, NULL: nothing.  A stable code of PDF_FAULTS or CMS_FAULTS, "contract-signature-missing" (fewer signatures than
	 * signers) or "contract-signature-extra" (more); "memory" is our own trouble, to be tried again.
	 * Its sentence in the catalogue is contract_fault.<code>.
	 */
	const char *fault;
};

/*
 * The verdict on a contract that came back: the first original->len octets are what was generated, nothing but signatures
 * was added, and they are exactly those of the signers, in this order, each over its whole revision.  The applicant's return has one signer,
 * the director's two.  Octets are read and digested here; nothing rests on the word of the checker.  Whether a certificate was good
 * when the file arrived is the caller's to ask.
 */
void contract_signatures_verify(const uint8_t *data, size_t len, const struct pdf_original *original,
    const struct contract_signer *signers, size_t n, struct contract_signatures *out);

#endif
