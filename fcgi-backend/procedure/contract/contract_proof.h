#ifndef ICERT_PROCEDURE_CONTRACT_PROOF_H
#define ICERT_PROCEDURE_CONTRACT_PROOF_H
/*
 * What a returned contract is held against: the file as it was sent, the certificate of the case, the
 * files that were found valid.  For this room alone.
 */
#include "crypt/checker.h"
#include "libicert/buf.h"
#include "procedure/case.h"
#include "procedure/contract/contract_signature.h"

struct document_store;

struct contract_proof {
	char contract[ID_TEXT], number[NUMBER_TEXT];
	char certificate[ID_TEXT];	/* of the case */
	char state[12];			/* of the certificate: good, revoked, expired */
	int64_t issued_at;		/* business clock */
	size_t len;			/* of the file as it was sent, and … */
	uint8_t sha256[32];		/* … its hash */
	int pages;			/* 0: not known */
	struct buf der;			/* the certificate */
};

/* By application, inside the open transaction or outside; freed also after an error.  ICERT_E_NOT_FOUND. */
int	contract_proof_read(struct act *, const char *application, const uint8_t key[32], struct contract_proof *);
void	contract_proof_free(struct contract_proof *);

/* The valid file of one side, with its bytes. */
struct contract_side {
	char copy[ID_TEXT], document[ID_TEXT];
	char staff_certificate[ID_TEXT];	/* director */
	struct buf der;				/* director: the certificate on their account */
	uint8_t sha256[32];
	struct buf bytes;
};
/* ICERT_E_NOT_FOUND when that side has signed nothing that stands. */
int	contract_side_read(struct act *, const struct document_store *, const char *application, const uint8_t key[32],
	    int director, struct contract_side *);
void	contract_side_free(struct contract_side *);

/*
 * What the checker's child sees in the file; *fault: a code of contract_fault, NULL nothing.  *pages: how many it must have,
 * 0 any, and then filled.  An error when the checker cannot be asked.
 */
int	contract_checked(struct keyclient *checker, const void *bytes, size_t len, int *pages, const char **fault);

/*
 * The verdict on a file of the applicant (director NULL) or of both.  *fault as above: "memory" is an
 * error and not a fault (ICERT_E_MEMORY).
 */
int	contract_verdict(const struct contract_proof *, const struct contract_side *applicant, const struct buf *director,
	    const void *bytes, size_t len, const char **fault);

/* A file that is kept with its row; certificate: of the director, NULL the applicant's. */
struct contract_kept {
	const void *bytes;
	size_t len;
	const char *contract, *certificate;
	const char *fault;		/* NULL: not refused */
	int64_t arrived_at;		/* 0: now */
};
/* Inside the open transaction.  file: name of the stored bytes, "" while there are none. */
int	contract_copy_keep(struct act *, const struct document_store *, const struct case_file *, const struct contract_kept *,
	    char file[ID_TEXT]);
/* case_done(); the stored bytes go when the row was refused. */
int	contract_copy_close(struct act *, const struct document_store *, enum application_action, struct case_file *,
	    const char *file, int error);

/* The clerk looks at once. */
int	contract_clerk_wake(struct act *);

#endif
