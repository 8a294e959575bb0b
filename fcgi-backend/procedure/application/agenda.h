#ifndef ICERT_PROCEDURE_AGENDA_H
#define ICERT_PROCEDURE_AGENDA_H
/*
 * The hours that stand in the caller's provinces, for the desk's list: no key
 * is opened for it.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"

struct agenda_row {
	char	application[ID_TEXT];
	int	confirmed;		/* otherwise proposed */
	int64_t	starts_at;		/* UTC seconds, business clock */
};

/* Soonest first.  *n: room (at most 500 are read), then rows filled. */
int	agenda_list(struct act *, struct agenda_row *rows, size_t *n);

#endif
