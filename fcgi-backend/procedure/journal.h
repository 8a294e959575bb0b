#ifndef ICERT_PROCEDURE_JOURNAL_H
#define ICERT_PROCEDURE_JOURNAL_H
/*
 * Reading the log of audit at the desk; every reading is a row of it too.
 */
#include "audit/browse.h"
#include "procedure/act.h"

/* As audit_browse(), under the act's identity.  Auditor and national office: every
 * row; ICERT_E_DENIED for others. */
int	journal_list(struct act *, int64_t before_us, struct audit_line *rows, size_t *n);

#endif
