#include "audit/rows.h"

#include "store/db.h"

static const char *
column(const struct db_result *r, int row, int col)
{
	return db_is_null(r, row, col) ? NULL : db_text(r, row, col);
}

void
audit_row_read(const struct db_result *r, int row, struct audit_row *out)
{
	*out = (struct audit_row){
		.id = column(r, row, 0), .at_us = column(r, row, 1), .action = column(r, row, 2),
		.outcome = column(r, row, 3), .reason = column(r, row, 4), .actor_kind = column(r, row, 5),
		.actor = column(r, row, 6), .subject_kind = column(r, row, 7), .subject = column(r, row, 8),
		.case_id = column(r, row, 9), .province = column(r, row, 10), .country = column(r, row, 11),
		.network = column(r, row, 12), .detail = column(r, row, 13), .count = column(r, row, 14),
	};
}
