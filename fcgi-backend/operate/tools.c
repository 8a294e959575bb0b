#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "operate/tools.h"

/* One under somebody's home is of no use to the users of the programs. */
static int
tools_reachable(const char *path)
{
	char real[PATH_MAX];

	return access(path, X_OK) == 0 &&
	    (geteuid() != 0 || (realpath(path, real) != NULL && path_traversable(dirname(real))));
}

/* The first executable of that name in PATH, then where daemons live. */
int
tools_in_path(char out[FILES_PATH], const char *name)
{
	const char *path = getenv("PATH");
	char dirs[FILES_PATH];
	char *dir, *rest = dirs;

	if (path_join(dirs, "%s:/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin",
	    path == NULL ? "" : path) != 0)
		return -1;
	while ((dir = strsep(&rest, ":")) != NULL) {
		if (*dir != '/' || path_join(out, "%s/%s", dir, name) != 0)
			continue;
		if (tools_reachable(out))
			return 0;
	}
	return complain("%s is not installed; run ./configure --install-deps", name);
}

/* The last match in version order. */
static int
tools_newest(char out[FILES_PATH], const char *pattern, const char *what)
{
	glob_t found;
	size_t i, best = 0;
	int rc;

	if (glob(pattern, GLOB_BRACE, NULL, &found) != 0)
		return complain("%s is not installed; run ./configure --install-deps", what);
	for (i = 1; i < found.gl_pathc; i++)
		if (strverscmp(found.gl_pathv[i], found.gl_pathv[best]) > 0)
			best = i;
	rc = path_join(out, "%s", found.gl_pathv[best]);
	globfree(&found);
	return rc;
}

int
tools_find(struct tools *t)
{
	int rc = 0;

	rc |= tools_in_path(t->nginx, "nginx");
	rc |= tools_in_path(t->redis, "redis-server");
	rc |= tools_in_path(t->node, "node");
	rc |= tools_newest(t->postgres, "/usr/lib/postgresql/*/bin", "PostgreSQL");
	rc |= tools_newest(t->softhsm,
	    "{/usr/lib/softhsm,/usr/lib/*/softhsm}/libsofthsm2.so", "SoftHSM2");
	return rc;
}
