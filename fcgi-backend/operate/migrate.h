#ifndef ICERT_OPERATE_MIGRATE_H
#define ICERT_OPERATE_MIGRATE_H
#include "operate/instance.h"

/*
 * Migrations: migrations/NNNN-name/forward.sql, applied in order of their
 * numbers, each in one transaction together with its row in icert.migration,
 * which keeps the SHA-256 of what was applied.  A migration that was changed
 * after it was applied is refused.  *applied gets how many were new.  0 or -1.
 */
int	migrate_run(const struct instance *i, int *applied);

#endif
