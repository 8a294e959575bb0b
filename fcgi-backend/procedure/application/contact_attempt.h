#ifndef ICERT_PROCEDURE_CONTACT_ATTEMPT_H
#define ICERT_PROCEDURE_CONTACT_ATTEMPT_H
/*
 * "El operador de emisión se debe comunicar con el solicitante y acordar una
 * hora": what was tried, with what outcome.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"

extern const char *const contact_channels[];	/* "telephone", "email", "other"; NULL-terminated */
extern const char *const contact_outcomes[];	/* "reached", "no_answer", "wrong_number", "later" */

struct contact_attempt {
	char	id[ID_TEXT];
	char	channel[12], outcome[16];
	char	note[512];		/* the operator's words, may be "" */
	int64_t	at;			/* business clock */
	char	by_name[128];
};

/* Operator of the province.  ICERT_E_INVALID for an unknown channel or outcome. */
int	contact_attempt_add(struct act *, const char *application, const struct contact_attempt *);

/* Newest first.  *n: room, then filled. */
int	contact_attempt_list(struct act *, const char *application, struct contact_attempt *, size_t *n);

#endif
