#ifndef ICERT_PROCEDURE_IDENTIFICATION_H
#define ICERT_PROCEDURE_IDENTIFICATION_H
/*
 * The video conference: what the operator checks with the applicant.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"

/* In the order of the text; each ticked with who and when. */
#define CHECK_ITEMS 8
extern const char *const check_items[CHECK_ITEMS];	/* email names ruc cedula address telephone container face */

struct check_item {
	const char	*item;
	int		 ticked;
	int64_t		 at;
	char		 by_name[128];
};

struct identification {
	struct check_item	item[CHECK_ITEMS];
	int			ticked;			/* how many */
	int			has_second_cedula, has_face;
	char			envelope[24];		/* allotted number */
	int			envelope_confirmed;
	int			consent;		/* applicant agreed to session and photograph, on record */
};

int	identification_get(struct act *, const char *application, struct identification *);
/* Operator, in scheduled.  Ticks or unticks one item. */
int	identification_tick(struct act *, const char *application, const char *item, int ticked);
/* The operator types the number on the envelope; ICERT_E_MISMATCH when it is not the allotted one. */
int	identification_envelope(struct act *, const char *application, const char *number);
/* The applicant's agreement to the video session and the photograph (portal), or
 * its being heard in the call (desk). */
int	identification_consent(struct act *, const char *application);

/*
 * scheduled → identified: all items ticked, second cédula and photograph there,
 * envelope confirmed, consent recorded (ICERT_E_MISSING otherwise); not the
 * operator's own case (ICERT_E_OWN_CASE).
 */
int	identification_done(struct act *, const char *application, int version);

#endif
