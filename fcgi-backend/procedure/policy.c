#include <stdio.h>

#include "libicert/clock.h"
#include "procedure/policy.h"

static const struct db_stmt newest = { "policy_newest",
	"select number, text from icert.policy where key = $1 and valid_from <= $2 order by valid_from desc limit 1" };

int64_t
policy_int(const struct act *act, const char *key, int64_t fallback)
{
	struct db_result *r;
	int64_t value = fallback;

	if (DB_QUERY(act->db, &newest, &r, P_TEXT(key), P_INT(clock_business())) != 0)
		return fallback;
	if (!db_is_null(r, 0, 0))
		value = db_int(r, 0, 0);
	db_result_free(r);
	return value;
}

int
policy_text(const struct act *act, const char *key, char *out, size_t size)
{
	struct db_result *r;
	int error;

	out[0] = '\0';
	if ((error = DB_QUERY(act->db, &newest, &r, P_TEXT(key), P_INT(clock_business()))) != 0)
		return error;
	snprintf(out, size, "%s", db_text(r, 0, 1));
	db_result_free(r);
	return 0;
}
