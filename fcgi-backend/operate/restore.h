#ifndef ICERT_OPERATE_RESTORE_H
#define ICERT_OPERATE_RESTORE_H
#include "operate/instance.h"

struct restore_options {
	const char *file;	/* a backup */
	const char *identity;	/* private key of age(1) that opens it */
	const char *keys_identity;	/* the one that opens the keys in it; NULL: the same */
	int check;		/* open it and compare it with its manifest, change nothing */
	int spool_on_disk;	/* as for up */
	int installed;		/* an installation: PostgreSQL runs, and its database icert was renamed */
};

/*
 * Brings database and documents back; keys, journals, public status and signed heads that are there stay as
 * they are, for they may not go back in time.  What the database then lacks is taken from them
 * (procedure/clock/restoration.h).  The instance must be down, and stays down.  An exit status.
 */
int	restore_run(struct instance *i, const struct restore_options *options);

#endif
