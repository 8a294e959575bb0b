#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "libicert/error.h"
#include "operate/troubles.h"
#include "procedure/trouble.h"
#include "store/db.h"

#define TROUBLES 1000

static void
print_moment(int64_t at)
{
	time_t t = (time_t)at;
	char text[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("  %s", text);
}

int
troubles_print(const struct instance *i)
{
	static struct trouble rows[TROUBLES];
	char conninfo[FILES_PATH];
	struct act act = { .roles = BY_ADMIN };
	size_t n = TROUBLES;
	int error;

	if (config_conninfo(&i->config, "admin", conninfo, sizeof(conninfo)) != 0 || (act.db = db_open(conninfo)) == NULL)
		{
		complain("no memory");
		return 2;
	}
	if ((error = trouble_list(&act, rows, &n)) != 0)
		complain("%s %s", icert_err_code(error), db_detail(act.db));
	for (size_t k = 0; error == 0 && k < n; k++) {
		printf("%-10s %-20s %-36s %-16s %4d", rows[k].part, rows[k].detail, rows[k].subject, rows[k].code, rows[k].tries);
		print_moment(rows[k].since);
		print_moment(rows[k].next_at);
		putchar('\n');
	}
	db_close(act.db);
	return error != 0 ? 2 : n > 0;
}
