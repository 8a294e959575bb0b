#include <stdio.h>
#include <string.h>

#include "audit/browse.h"
#include "store/db.h"

static const struct db_stmt newest = { "audit_browse",
	"select l.action, l.outcome, l.reason, l.actor_kind, l.actor, s.name, l.subject_kind, l.subject, l.case_id, a.number,"
	" l.province, l.country, l.at_us, l.count, l.leaf"
	" from icert.audit l left join icert.staff s on l.actor_kind = 'staff' and s.id::text = l.actor"
	" left join icert.application a on a.id = l.case_id"
	" where ($1::bigint = 0 or l.at_us < $1) and ($2::uuid is null or l.case_id = $2)"
	" order by l.at_us desc, l.id limit 200" };

#define COPY(field, column) snprintf(line->field, sizeof line->field, "%s", db_text(r, row, column))

static void
fill(struct audit_line *line, const struct db_result *r, int row)
{
	memset(line, 0, sizeof *line);
	COPY(action, 0);
	COPY(outcome, 1);
	COPY(reason, 2);
	COPY(actor_kind, 3);
	COPY(actor, 4);
	COPY(actor_name, 5);
	COPY(subject_kind, 6);
	COPY(subject, 7);
	COPY(case_id, 8);
	COPY(case_number, 9);
	line->province = (int)db_int(r, row, 10);
	COPY(country, 11);
	line->at_us = db_int(r, row, 12);
	line->at = line->at_us / 1000000;
	line->count = db_int(r, row, 13);
	line->leaf = db_is_null(r, row, 14) ? -1 : db_int(r, row, 14);
}

int
audit_browse(struct db *db, int64_t before_us, const char *case_id, struct audit_line *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = DB_QUERY(db, &newest, &r, P_INT(before_us), P_TEXT(case_id))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}
