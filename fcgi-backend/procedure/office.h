#ifndef ICERT_PROCEDURE_OFFICE_H
#define ICERT_PROCEDURE_OFFICE_H
/*
 * What two people of the national office decide together: one asks, another confirms with a
 * fresh code, anybody of the office takes it back.  Two accounts of one cedula are one person.
 * Shared by revocation_office, extension and outage; for this room alone.
 */
#include "procedure/case.h"

struct office_request {
	char	id[ID_TEXT];
	char	state[12];		/* open, confirmed, withdrawn; noticed: by icert-clerk itself */
	char	requested_by[ID_TEXT], requested_name[128], decided_name[128];	/* "" nobody */
	int64_t	requested_at, decided_at;	/* business clock; decided_at 0: not yet */
	int	other;			/* the caller is another person than who asked */
};

/* The first columns of a query over such a table, called q. */
#define OFFICE_COLUMNS \
	"q.id, q.state, coalesce(q.requested_by::text, ''), coalesce(s.name, ''), coalesce(d.name, ''), q.requested_at," \
	" coalesce(q.decided_at, 0), coalesce(icert.other_person(q.requested_by), false)"
#define OFFICE_JOINS \
	" left join icert.staff s on s.id = q.requested_by left join icert.staff d on d.id = q.decided_by"
#define OFFICE_N 8		/* columns of it: what follows begins here */

void	office_fill(struct office_request *, struct db_result *, int row);

/* "update … set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'open'":
 * ICERT_E_CONFLICT when somebody was faster. */
int	office_settle(struct act *, const struct db_stmt *, const struct office_request *, const char *state);

/* Begins with the case, for its acts by the national office: ICERT_E_DENIED for others, ICERT_E_OWN_CASE. */
int	office_case(struct act *, const char *application, struct case_file *);
/* Commits, or rolls back and writes the refusal of `action`; wipes the key. */
int	office_case_done(struct act *, struct case_file *, const char *action, int error);

#endif
