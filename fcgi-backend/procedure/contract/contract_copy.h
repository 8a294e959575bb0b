#ifndef ICERT_PROCEDURE_CONTRACT_COPY_H
#define ICERT_PROCEDURE_CONTRACT_COPY_H
/*
 * Contracts that came back.  Every file is kept and listed with what was found in it.  It is
 * received by portal or desk, which stops the clock of the 120 hours, and judged by
 * icert-clerk alone (contract_judge.h), within a moment when the checker answers.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"

struct document_store;

struct contract_copy {
	char	id[ID_TEXT];
	char	document[ID_TEXT];
	char	source[12];	/* page, mail (entered by the operator), director */
	char	state[12];	/* waiting, valid, refused, returned (by the director), void (the case ended) */
	char	fault[48];	/* refused: its sentence is contract_fault.<code> */
	char	words[1024];	/* returned: the director's */
	char	by[128];	/* desk: who entered or signed it; "" the applicant */
	int64_t	arrived_at;	/* counts for the deadline; business clock */
	int64_t	uploaded_at, decided_at;
};
#define CONTRACT_COPIES 50

/* Those of a case, newest first.  *n: room, then filled. */
int	contract_copies(struct act *, const char *application, struct contract_copy *, size_t *n);

/* The file of one, appended; the read is audited. */
int	contract_copy_file(struct act *, const struct document_store *, const struct contract_copy *, struct buf *out);

/* Largest file that is taken, in bytes: policy contract.bytes. */
uint64_t contract_bytes_max(struct act *);

/* Why a contract may be sent back: the director's words, in bytes. */
#define CONTRACT_WORDS 1000

/*
 * contract_sent → contract_received: by the applicant, or by an operator of the province for what came by mail
 * at arrived_at (business clock; 0: now).  Nothing is read of the bytes yet.
 * ICERT_E_INVALID: the arrival lies ahead, or before the certificate was issued; ICERT_E_OWN_CASE.
 * After an error nothing is kept.
 */
int	contract_receive(struct act *, const struct document_store *, const char *application, const void *bytes, size_t len,
	    int64_t arrived_at);

#endif
