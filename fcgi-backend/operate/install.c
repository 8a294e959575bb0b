/*
 * The copy of the build that an instance runs from when the users of its
 * programs cannot reach the build itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "operate/instance.h"

#define INSTALL_DEPTH 8

static json_t *
install_manifest(const char *folder)
{
	char path[FILES_PATH];

	if (path_join(path, "%s/package.json", folder) != 0)
		return NULL;
	return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

/* One npm package and what it depends on, from the flat node_modules. */
static int
install_package(const struct instance *i, const char *to, const char *name, int depth)
{
	char from[FILES_PATH], copy[FILES_PATH], scope[FILES_PATH];
	const char *dependency;
	json_t *manifest, *version;
	int rc = 0;

	if (depth > INSTALL_DEPTH || strstr(name, "..") != NULL)
		return complain("npm package %s: too deep", name);
	if (path_join(from, "%s/node_modules/%s", i->share, name) != 0 ||
	    path_join(copy, "%s/node_modules/%s", to, name) != 0 ||
	    path_join(scope, "%s/node_modules", to) != 0 || folder_make(scope) != 0)
		return -1;
	if (file_exists(copy))
		return 0;
	if ((manifest = install_manifest(from)) == NULL)
		return complain("npm package %s is not installed; run ./configure --install-deps", name);
	rc = tree_copy(from, copy);
	json_object_foreach(json_object_get(manifest, "dependencies"), dependency, version) {
		(void)version;
		if (rc == 0)
			rc = install_package(i, to, dependency, depth + 1);
	}
	json_decref(manifest);
	return rc;
}

static int
install_simulators(const struct instance *i, const char *to)
{
	char from[FILES_PATH];
	json_t *manifest, *name;
	size_t n;
	int rc = 0;

	if (path_join(from, "%s/tests/simulators", i->share) != 0)
		return -1;
	if (!file_exists(from))
		return 0;
	if (tree_copy(from, i->simulators) != 0)
		return -1;
	if ((manifest = install_manifest(from)) == NULL)
		return complain("%s/package.json cannot be read", from);
	json_array_foreach(json_object_get(manifest, "runs"), n, name)
		if (rc == 0)
			rc = install_package(i, to, json_string_value(name), 0);
	json_decref(manifest);
	return rc;
}

int
instance_install(struct instance *i)
{
	char path[FILES_PATH], from[FILES_PATH], to[FILES_PATH];

	if (!i->hidden_build)
		return 0;
	if (path_join(to, "%s/lib", i->data) != 0 || tree_remove(to) != 0 || folder_make(to) != 0)
		return -1;
	if (path_join(from, "%s/bin", i->build) != 0 || tree_copy(from, i->bin) != 0)
		return -1;
	instance_built(i, "static", path);
	if (file_exists(path) && tree_copy(path, i->web) != 0)
		return -1;
	instance_built(i, "modules/ngx_icert_module.so", path);
	if (file_exists(path) && tree_copy(path, i->module) != 0)
		return -1;
	if (path_join(from, "%s/%s", i->share, INSTANCE_GEO) != 0 ||
	    path_join(path, "%s/country.mmdb", to) != 0 || (file_exists(from) && tree_copy(from, path) != 0))
		return -1;
	return install_simulators(i, to);
}
