#ifndef ICERT_OPERATE_LOST_H
#define ICERT_OPERATE_LOST_H
/*
 * Certificates that only the signer's journal still knew when a backup was restored.  Their status is public as it
 * was; nobody's page shows them, so they are looked after from here.
 */
#include "operate/instance.h"

/* One a line: serial, status, end, case.  0, or -1 after telling why. */
int	lost_list(const struct instance *i);

/*
 * Revokes one for good (reason unspecified).  people: login and TOTP code of one member of the national office, then of
 * another, who must be another person.  Public within seconds.  0, or -1 after telling why.
 */
int	lost_revoke(const struct instance *i, const char *serial, const char *const people[4]);

#endif
