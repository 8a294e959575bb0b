#ifndef ICERT_PROCEDURE_TOKEN_H
#define ICERT_PROCEDURE_TOKEN_H
/*
 * The key of a certificate in a token: it is made in the token, in the
 * applicant's presence, after the identification; what comes here is the
 * certification request that its software wrote (PKCS#10).
 */
#include "procedure/act.h"

#define CONTAINER_TOKEN "token"

struct token_key {
	char	spki_sha256[65];	/* hex, lower case */
	int	bits;
	int64_t	at;
	char	by_name[128];		/* who brought the request */
};

/* The key that stands for a case, as the desk sees it; ICERT_E_NOT_FOUND. */
int	token_key_of(struct act *, const char *application, struct token_key *);

/*
 * The operator, in identified: takes the request in `file` (DER or PEM) as the
 * case's key, in place of one that was there.  What the applicant accepted before
 * named another key, so they accept again.
 *
 * ICERT_E_STATE (not in identified, not a token's case); of the request
 * ICERT_E_MALFORMED, ICERT_E_TOO_LARGE, ICERT_E_UNSUPPORTED, ICERT_E_INVALID (a
 * key that may not be certified: *why is "size", "exponent" or "weak"), ICERT_E_FORGED (not signed
 * with its own key), ICERT_E_EXISTS (the key has a certificate, or belongs to
 * another case).  A refusal is on record.
 */
int	token_request_add(struct act *, const char *application, int version, const void *file, size_t len,
	    const char **why);

#endif
