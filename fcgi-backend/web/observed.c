#include <string.h>

#include "libicert/error.h"
#include "web/observed.h"

int
observed_read(struct request *rq, struct act *act, const char *application, struct observed **out, size_t *n)
{
	struct observation *list = arena_array(&rq->arena, struct observation, OBSERVATIONS_MAX);
	struct observed *rows = arena_array(&rq->arena, struct observed, OBSERVATIONS_MAX);
	int rv;

	*n = OBSERVATIONS_MAX;
	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = application_observations(act, application, list, n)) != 0)
		return rv;
	for (size_t i = 0; i < *n; i++) {
		const char *dot;

		rows[i].o = list[i];
		dot = strchr(rows[i].o.target, '.');
		rows[i].kind = strncmp(list[i].target, "document.", 9) == 0 ? "document." : "label.";
		rows[i].label = dot != NULL ? dot + 1 : rows[i].o.target;
	}
	*out = rows;
	return 0;
}
