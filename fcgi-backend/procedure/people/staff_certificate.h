#ifndef ICERT_PROCEDURE_STAFF_CERTIFICATE_H
#define ICERT_PROCEDURE_STAFF_CERTIFICATE_H
/*
 * The certificate with which a member of staff signs contracts: entered on their account by one administrator,
 * approved by another.  A contract carries its signature and no other of theirs.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"

struct staff_certificate {
	char	id[ID_TEXT], staff[ID_TEXT];
	char	name[128], login[48];	/* whose */
	char	state[12];		/* asked, registered, refused, ended */
	char	standing[12];		/* good; revoked, expired: it is one of ours that ended */
	char	subject[256];		/* "CN=…, …", as a person reads it */
	char	asked_name[128];	/* "" it came with the instance */
	int	other;			/* the caller may decide: another person than who asked and whose it is */
	int64_t	not_before, not_after;	/* real time */
	int64_t	asked_at;
	uint8_t	sha256[32];
	struct buf der;			/* staff_certificate_of() only */
};

/* The one registered on an account, with its bytes; staff_certificate_free().  ICERT_E_NOT_FOUND. */
int	staff_certificate_of(struct act *, const char *staff, struct staff_certificate *);
void	staff_certificate_free(struct staff_certificate *);

/* Those asked for and registered, for administrators and the auditor; without bytes.  *n: room, then filled. */
int	staff_certificates(struct act *, struct staff_certificate *rows, size_t *n);

#define STAFF_CERTIFICATE_MAX 16384	/* bytes of a file */

/*
 * An administrator enters the certificate of an account, DER or PEM; it counts once another one has approved.
 * ICERT_E_MALFORMED: not one certificate; ICERT_E_INVALID: for no such use (a CA's, without digitalSignature, RSA below
 * 2048 bits, ended); ICERT_E_EXISTS: another waits for approval; ICERT_E_NOT_FOUND: no such account; and those
 * of authority_check().
 */
int	staff_certificate_ask(struct act *, const char *login, const void *file, size_t len);

/* Another administrator decides; what was registered before ends.  ICERT_E_DENIED: by who asked, or whose it is. */
int	staff_certificate_decide(struct act *, const char *id, int approve);

/* What a certificate says, for a row of it; der in s->der.  Errors of staff_certificate_ask(). */
int	staff_certificate_read(const void *file, size_t len, struct staff_certificate *s, uint8_t spki_sha256[32]);

#endif
