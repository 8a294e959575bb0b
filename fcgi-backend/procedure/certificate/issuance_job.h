#ifndef ICERT_PROCEDURE_ISSUANCE_JOB_H
#define ICERT_PROCEDURE_ISSUANCE_JOB_H
/*
 * One certificate on its way: what issuance.c (the row, its beginning and its
 * end) and issuance_steps.c (key, signature, delivery) share.
 */
#include "libicert/approval.h"
#include "procedure/datakey.h"
#include "procedure/certificate/issuance.h"
#include "store/db.h"

/* What the row said, then what was made. */
struct job {
	struct issuance *i;
	struct act *act;
	const char *id;
	char application[ID_TEXT], contact[ID_TEXT], purchase[ID_TEXT], key_id[ID_TEXT];
	char number[40], purchase_state[16];
	int version, province, packed, in_token;
	uint8_t serial[16], fields_hash[32], key[DATAKEY_BYTES];
	int64_t not_before;
	struct buf sealed_fields, sealed_der, store;	/* store: what fields points into */
	struct cert_fields fields;
	struct buf spki, der, sealed_private;
	struct buf request;			/* of a key that was made in a token */
	struct statement word;
	const char *refusal;			/* stable code once it is to be sent back */
	char detail[256];
};

/* Exactly one row was changed, else ICERT_E_CONFLICT: somebody else at the same row means to begin again. */
int	job_change(struct act *, const struct db_stmt *, const struct db_param *params, size_t n);
/* Commits after 0, else rolls back; the error. */
int	job_end(struct act *, int error);

/* The money as it is now, not as it was when the job began: a key takes its time, and so do tries after an outage.  In a transaction it
 * stays so until the end of that.  ICERT_E_STATE, with the refusal set, when it is in dispute or on its way back. */
int	job_paid(struct job *);

/*
 * The steps in their order, each of which does nothing when it was done before.
 * An error with refusal set is for good: the case goes back to its operator.
 */
int	job_key(struct job *);		/* made by the keymaker, or brought from a token */
int	job_sign(struct job *);
int	job_pack(struct job *);		/* PKCS#12 and envelope; for a token the envelope alone */

#endif
