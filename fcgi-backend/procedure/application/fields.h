#ifndef ICERT_PROCEDURE_FIELDS_H
#define ICERT_PROCEDURE_FIELDS_H
/*
 * The exact fields of the certificate (libicert/approval.h), as made from an
 * application: what the applicant accepts on their own page, what the operator
 * sees above the button, and what keeper and signer hash.
 */
#include <stdint.h>

#include "libicert/approval.h"
#include "procedure/application/application.h"

struct fields {
	struct cert_fields	 f;		/* points into text */
	uint8_t			 hash[32];
	char			 text[4096];
};

/* Of an application whose form is open; reads the product's policy OID and
 * container name.  ICERT_E_INVALID when the form has faults. */
int	fields_make(struct act *, const struct application *, struct fields *);

/* Whether all of them are known: those of a token name its key, which comes last. */
int	fields_complete(const struct application *);

/* Whether the applicant accepted the fields as they stand, at most 24 h ago;
 * inside the open transaction. */
int	fields_accepted(struct act *, const struct application *, int *yes);

/*
 * The applicant, in scheduled or identified: accepts the fields whose hash
 * (hex) their page showed.  ICERT_E_MISMATCH when the fields have changed
 * since the page was made, ICERT_E_MISSING while they are not complete.
 */
int	fields_accept(struct act *, const char *application, int version, const char *hash_hex);

/*
 * identified → issuing, with a TOTP of its own.  Needs the applicant's
 * acceptance of the same fields at most 24 h old (ICERT_E_MISSING,
 * ICERT_E_STALE), a paid order (ICERT_E_STATE), and an operator who is not the
 * holder (ICERT_E_OWN_CASE).  Codes: ICERT_E_CODE_WRONG, ICERT_E_CODE_REPLAYED.
 * The certificate's row with its serial, the sealed fields and both approvals
 * are committed; icert-issuer is woken.
 */
int	fields_issue(struct act *, const char *application, int version, const char *totp);

/* The envelope's opening code, shown to the operator who issued or who gave a new one
 * (ICERT_E_DENIED to others), once: again within a minute, ICERT_E_DESTROYED after.  "Not yet" is
 * ICERT_E_STATE, ICERT_E_CODE_SPENT: it is locked.  code: 9 bytes. */
int	fields_opening_code(struct act *, const char *application, char code[9]);

#endif
