#ifndef ICERT_PROCEDURE_POLICY_H
#define ICERT_PROCEDURE_POLICY_H
/*
 * Limits, clocks and texts that the administrator may change: rows of
 * icert.policy, each with its date of effect.  The newest in force counts.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"

/* A whole number; fallback when the table has none. */
int64_t	policy_int(const struct act *, const char *key, int64_t fallback);
int	policy_text(const struct act *, const char *key, char *out, size_t size);

#endif
