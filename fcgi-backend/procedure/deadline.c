#include "libicert/clock.h"
#include "procedure/deadline.h"

static const struct db_stmt add = { "deadline_add",
	"insert into icert.deadline (id, kind, subject_kind, subject, application_id, due_at, created_at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };

int
deadline_add(const struct act *act, const char *kind, const char *subject_kind, const char *subject,
    const char *application, int64_t due_at)
{
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) != 0)
		return error;
	return DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(kind), P_TEXT(subject_kind), P_TEXT(subject),
	    P_TEXT(application), P_INT(due_at), P_INT(clock_business()));
}
