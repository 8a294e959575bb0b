#ifndef ICERT_PROCEDURE_ACT_H
#define ICERT_PROCEDURE_ACT_H
/*
 * Who does something, and with what.  A program fills one struct act a request
 * (or a round of its loop) and hands it to every call of this room; the room
 * keeps nothing between calls.
 */
#include <stdint.h>

#include "libicert/id.h"
#include "store/db.h"

struct cache;
struct config;
struct keyclient;

/*
 * By whom an act may be done; a bit each, so that a member of staff may hold
 * several.  The bits up to BY_AUDITOR are those of web/route.h.
 */
#define BY_APPLICANT	0x0002u	/* the contact whose case it is */
#define BY_OPERATOR	0x0010u
#define BY_DIRECTOR	0x0020u
#define BY_FINANCE	0x0040u
#define BY_NATIONAL	0x0080u
#define BY_ADMIN	0x0100u
#define BY_AUDITOR	0x0200u
#define BY_STAFF	0x03f0u
#define BY_CLERK	0x1000u	/* icert-clerk: deadlines and payment events */
#define BY_ISSUER	0x2000u	/* icert-issuer */
#define BY_CODE		0x4000u	/* whoever knows the revocation code */

struct act {
	struct db		*db;
	struct keyclient	*keeper;	/* NULL where nothing sealed is touched */
	struct cache		*cache;		/* portal only; may be NULL */
	const struct config	*config;

	unsigned		 roles;		/* BY_…; 0: nobody known */
	char			 id[ID_TEXT];	/* contact's or staff member's, "" for others */
	const char		*program;	/* "icert-clerk": when it acts by itself; NULL when somebody asks it to */
	struct db_identity	 identity;
	int			 identified;	/* identity is set */

	/* Of the caller, for audit rows; NULL when unknown. */
	const char		*country;	/* ISO 3166 alpha-2, from the edge */
	const char		*network;	/* address cut to /24 or /48 */
};

/* db_begin() under the act's identity. */
int	act_begin(const struct act *act);

/* One audit row by this actor inside the open transaction.  detail is a JSON
 * object or NULL; reason a code or NULL. */
int	act_audit(const struct act *act, const char *action, const char *subject_kind,
	    const char *subject, const char *case_id, int province, const char *reason,
	    const char *detail);

/* The row of a refusal inside the open transaction, which keeps something else too. */
int	act_audit_refused(const struct act *act, const char *action, const char *subject_kind,
	    const char *subject, int province, int error);

/*
 * Rolls back what is open and writes the refusal in a transaction of its own.
 * Returns `error`, so that a caller can end with "return act_refuse(…)".
 */
int	act_refuse(const struct act *act, const char *action, const char *subject_kind,
	    const char *subject, int province, int error);

/* The same with a reason of its own, a code that "desk.refusal." of the catalogue has words for. */
int	act_refuse_for(const struct act *act, const char *action, const char *subject_kind,
	    const char *subject, int error, const char *reason);

#endif
