#ifndef ICERT_PROCEDURE_APPOINTMENT_H
#define ICERT_PROCEDURE_APPOINTMENT_H
/*
 * The hour agreed for the video conference.  One appointment of a case stands
 * at a time.
 */
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"

struct appointment {
	char	id[ID_TEXT];
	char	application[ID_TEXT];
	char	state[12];		/* proposed, confirmed, held, moved, missed */
	int64_t	starts_at, ends_at;	/* UTC seconds */
	char	mode[12];		/* video, in_person, remote */
	char	meeting[512];		/* link typed by the operator; https only; "" for in person */
	int	sequence;		/* of the .ics: grows with every change */
	char	agreed_by[12];		/* page, telephone; "" while proposed */
};

/* Longest time ahead, shortest notice and length are policy rows. */

/* Operator, accepted: one hour is proposed (a later one replaces it); mailed. */
int	appointment_propose(struct act *, const char *application, int version, const struct appointment *);
/* accepted → scheduled by the applicant, by a button on their page.
 * ICERT_E_EXPIRED when the hour has passed. */
int	appointment_confirm(struct act *, const char *application, int version, const char *appointment);
/* accepted → scheduled by the operator: the hour was agreed by telephone. */
int	appointment_agreed(struct act *, const char *application, int version, const struct appointment *);
/* scheduled → accepted: reason "no_show", "moved", "operator_late". */
int	appointment_release(struct act *, const char *application, int version, const char *reason);
/* The one that stands; ICERT_E_NOT_FOUND when there is none. */
int	appointment_current(struct act *, const char *application, struct appointment *);

#endif
