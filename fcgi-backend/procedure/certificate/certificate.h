#ifndef ICERT_PROCEDURE_CERTIFICATE_H
#define ICERT_PROCEDURE_CERTIFICATE_H
/*
 * The second machine: issuing → good → revoked | expired; refused when signer
 * or lint refuse.  issuance.h finishes what this room's fields_issue() began.
 */
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"

struct certificate {
	char	id[ID_TEXT];
	char	application[ID_TEXT];
	char	serial[33];		/* lower-case hex, 16 bytes */
	char	state[12];		/* issuing, refused, good, revoked, expired */
	char	container[16];
	int64_t	not_before, not_after;
	int64_t	issued_at, revoked_at;	/* business clock; 0 */
	int64_t	delivery_until;		/* until when PKCS#12 and envelope live */
	int	reason;			/* CRLReason; -1 */
	char	reason_code[32];	/* "holder", "key_compromise", … */
	int	published;		/* its newest status is seen at the edge */
	int	has_pkcs12, has_envelope;	/* not destroyed */
};

/* The newest of a case; ICERT_E_NOT_FOUND. */
int	certificate_of(struct act *, const char *application, struct certificate *);
int	certificate_get(struct act *, const char *id, struct certificate *);
/* The certificate's DER, appended. */
int	certificate_der(struct act *, const char *id, struct buf *out);
/*
 * What goes into a token beside the key: the certificate (DER), and as PEM the
 * same with the authority's chain, from [paths] ca.  Both appended.  Only once
 * published: ICERT_E_STATE before.
 */
int	certificate_files(struct act *, const char *id, struct buf *cer, struct buf *chain);
/* The PKCS#12, opened with its delivery key, appended; only once published.
 * ICERT_E_STATE before, ICERT_E_DESTROYED after. */
int	certificate_pkcs12(struct act *, const char *id, struct buf *out);

/* Reasons a holder may give: "key_compromise", "lost_access", "data_changed",
 * "not_needed", "unspecified". */
extern const char *const certificate_holder_reasons[];	/* NULL-terminated */

/*
 * good → revoked by the holder's session; for good.  The case closes, status
 * is published within seconds, the holder is mailed.  A repeat is 0.
 */
int	certificate_revoke(struct act *, const char *id, const char *reason);

/*
 * The same by whoever knows the revocation code; act needs no identity.  serial
 * (33 bytes, may be NULL) tells which was revoked.  ICERT_E_CODE_WRONG.
 */
int	certificate_revoke_by_code(struct act *, const char *code, const char *reason, char serial[33]);

#endif
