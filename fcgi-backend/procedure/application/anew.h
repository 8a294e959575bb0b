#ifndef ICERT_PROCEDURE_ANEW_H
#define ICERT_PROCEDURE_ANEW_H
/*
 * Starting again with the data that are kept: after a case has ended (cancelled, rejected,
 * revoked) a new one, while its certificate is valid a renewal.  A new order always, a new
 * draft under a key of its own; each page and each document is confirmed by the person.
 */
#include <stdint.h>

#include "procedure/act.h"
#include "procedure/order/billing.h"
#include "procedure/application/form.h"

struct document;
struct document_store;

/* What may be begun with a case. */
struct anew {
	char	kind[16];	/* "new", "renewal"; "" nothing now */
	char	container[16];
	int	years;
	int64_t	not_after;	/* renewal: when the certificate ends, real time */
	int64_t	opens_at;	/* a renewal is possible from then on; 0: it never is, or it is not about one */
	char	open[ID_TEXT];	/* the renewal that is under way; "" none */
};

/* For the case's contact. ICERT_E_NOT_FOUND. */
int	anew_of(struct act *, const char *application, struct anew *);

/*
 * Inside the open transaction: may an order of this container and kind go on with `origin`
 * ("" none)?  ICERT_E_NOT_FOUND: not the caller's case; ICERT_E_STATE: not ended, not in the time of
 * renewal, or another container; ICERT_E_EXISTS: a renewal is under way; ICERT_E_MISSING: a renewal without a case.
 */
int	anew_may(struct act *, const char *origin, const char *container, const char *kind);

/* Inside the open transaction: the form of the earlier case, every page still to be confirmed,
 * the privacy notice to be read again.  Empty when its data were destroyed. */
int	anew_form(struct act *, const char *origin, struct application_form *);

/* Whom the earlier order's invoice was for. */
int	anew_billing(struct act *, const char *origin, struct billing *);

/*
 * The paper of this kind that the earlier case of a draft has and that policy
 * still takes (anew.<kind>_days since it was uploaded); ICERT_E_NOT_FOUND.
 */
int	anew_document(struct act *, const char *application, const char *kind, struct document *);

/* That paper becomes one of the draft, encrypted under its own key. */
int	anew_document_take(struct act *, const struct document_store *, const char *application, const char *kind);

#endif
