#ifndef ICERT_PROCEDURE_OVERVIEW_H
#define ICERT_PROCEDURE_OVERVIEW_H
/*
 * What the applicant's own page says of a case, asked in one round trip and
 * with nothing unsealed: the page that is looked at most shows no sealed text
 * in most states, so it needs no key either.
 */
#include "procedure/application/application.h"
#include "procedure/certificate/certificate.h"
#include "procedure/contract/contract.h"

#define OVERVIEW_MAILS 32

struct overview {
	/* Filled are id, number, state, version, province, container, reason and
	 * closes_at; application_get() has the rest. */
	struct application	a;
	/* The newest; state "" none.  Its ids and its reason as a number stay empty. */
	struct certificate	certificate;
	char			order[12];	/* the state of the order that pays for it */
	int			locked;		/* the envelope is, until a new code */
	int64_t			contract_by;	/* when the signed contract is due, business clock; 0 nothing is due */
	struct contract		contract;	/* number and made_at; number "" none */
	struct application_mail	mails[OVERVIEW_MAILS];	/* newest first; `at` stays 0 */
	size_t			n_mails;
};

/* A case of the session's own contact.  ICERT_E_NOT_FOUND, ICERT_E_SESSION, ICERT_E_UNAVAILABLE. */
int	overview_read(struct act *, const char *id, struct overview *);

#endif
