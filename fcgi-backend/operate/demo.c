#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "operate/demo.h"
#include "operate/postgres.h"

#define DEMO_ROLE "icert_admin"

static int
demo_is_sql(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return isdigit((unsigned char)entry->d_name[0]) && dot != NULL && strcmp(dot, ".sql") == 0;
}

/* A mark beside the configuration tells that a file was run. */
static int
demo_sql(const struct instance *i, const char *name)
{
	char path[FILES_PATH], mark[FILES_PATH];

	if (path_join(path, "%s/conf/demo/%s", i->share, name) != 0 ||
	    path_join(mark, "%s/demo/%s.done", i->data, name) != 0)
		return -1;
	if (file_exists(mark))
		return 0;
	if (postgres_psql(i, DEMO_ROLE, "icert", (const char *[]){ "-1", "-f", path, NULL }, NULL) != 0)
		return complain("%s was not entered", name);
	return file_write(mark, "", 0, geteuid(), getegid(), 0644);
}

int
demo_seed(const struct instance *i)
{
	char path[FILES_PATH];
	struct dirent **list;
	int n, k, rc = 0;

	if (path_join(path, "%s/conf/demo", i->share) != 0)
		return -1;
	if ((n = scandir(path, &list, demo_is_sql, alphasort)) < 0)
		return errno == ENOENT ? 0 : complain("%s: %s", path, strerror(errno));
	for (k = 0; k < n; k++) {
		if (rc == 0)
			rc = demo_sql(i, list[k]->d_name);
		free(list[k]);
	}
	free(list);
	return rc;
}

void
demo_print(const struct instance *i)
{
	(void)i;
}
