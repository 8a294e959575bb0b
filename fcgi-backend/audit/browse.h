#ifndef ICERT_AUDIT_BROWSE_H
#define ICERT_AUDIT_BROWSE_H

#include <stddef.h>
#include <stdint.h>

struct db;

/* One row of the log as a person reads it; people stay references. */
struct audit_line {
	char	action[48], outcome[12], reason[64];
	char	actor_kind[12], actor[40], actor_name[128];	/* name: staff only */
	char	subject_kind[24], subject[40];
	char	case_id[40], case_number[24];			/* "" none */
	int	province;
	char	country[4];
	int64_t	at;		/* UTC seconds */
	int64_t	at_us;		/* the same in microseconds: the cursor of the next page */
	int64_t	count;
	int64_t	leaf;		/* place in the tree; -1 not placed yet */
};

/*
 * The newest rows before a moment (microseconds; 0: now), newest first, in the
 * caller's open transaction: row-level security decides which.  case_id may be
 * NULL.  *n: room (at most 200 are read), then rows filled.  0 or a negative
 * error of the store.
 */
int	audit_browse(struct db *db, int64_t before_us, const char *case_id, struct audit_line *rows, size_t *n);

#endif
