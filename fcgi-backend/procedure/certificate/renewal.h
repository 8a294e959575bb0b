#ifndef ICERT_PROCEDURE_RENEWAL_H
#define ICERT_PROCEDURE_RENEWAL_H
/*
 * Renewal of a file certificate without another video conference.  icert-clerk makes
 * the request of an accepted renewal as a PDF, its holder signs it with the certificate that is
 * still valid, the clerk judges what came back, and the operator takes it for the identification.
 *
 * Where policy allows (renewal.signed), once after each video conference, within
 * renewal.signed_years of it, for the same person with the same names.  Everybody else is identified
 * as for a new certificate.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "procedure/application/application.h"

struct document_store;
struct keyclient;

struct renewal {
	char	state[12];		/* made, received, signed, unfit (no request: by video conference) */
	char	document[ID_TEXT];	/* "" none */
	char	fault[48];		/* of the last file; codes of contract_fault */
	int64_t	made_at, received_at, signed_at, identified_at;	/* business clock; 0 */
};

/* Of a case, for whoever may see it; ICERT_E_NOT_FOUND: it has none (yet). */
int	renewal_of(struct act *, const char *application, struct renewal *);

/* The request as it was made, appended. */
int	renewal_file(struct act *, const struct document_store *, const struct renewal *, struct buf *out);

/* The applicant hands the signed file in; the clerk judges it within a moment.  ICERT_E_STATE: nothing is asked. */
int	renewal_receive(struct act *, const struct document_store *, const char *application, const void *bytes, size_t len);

/*
 * accepted → identified by the operator whose case it is: the signed request is the identification.
 * ICERT_E_MISSING: not signed, or that certificate was revoked; ICERT_E_STALE: data were changed since it was made;
 * errors of case_open_staff().
 */
int	renewal_identify(struct act *, const char *application, int version);

/* Inside the open transaction, at the desk.  *yes: the case was identified by signature.  ICERT_E_STATE: and the
 * certificate that signed has been revoked since. */
int	renewal_stands(struct act *, const struct application *, int *yes);

/* The clerk: makes what is to be made and judges what came back, at most `most` of each. */
int	renewal_run(struct act *, const struct document_store *, struct keyclient *checker, size_t most);

#endif
