#ifndef ICERT_AUDIT_ROWS_H
#define ICERT_AUDIT_ROWS_H

#include "audit/audit.h"

struct db_result;

/* The columns of a row in the order audit_row_read() takes them, as text so
 * that writer and verifier hash the same bytes.  Only for audit/. */
#define AUDIT_ROW_COLUMNS \
	"id::text, at_us::text, action, outcome, reason, actor_kind, actor, subject_kind, subject, case_id::text," \
	" province::text, country, network, detail, count::text"

/* Borrows from the result. */
void	audit_row_read(const struct db_result *r, int row, struct audit_row *out);

#endif
