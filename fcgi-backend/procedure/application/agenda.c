#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/agenda.h"

static const struct db_stmt list = { "agenda_list",
	"select application_id, state = 'confirmed', starts_at from icert.appointment"
	" where state in ('proposed', 'confirmed') order by starts_at limit 500" };

int
agenda_list(struct act *act, struct agenda_row *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = act_begin(act)) != 0 || (error = db_query_commit(act->db, &list, NULL, 0, &r)) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct agenda_row *row = &rows[(*n)++];

		snprintf(row->application, sizeof row->application, "%s", db_text(r, i, 0));
		row->confirmed = db_bool(r, i, 1);
		row->starts_at = db_int(r, i, 2);
	}
	db_result_free(r);
	return 0;
}
