#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "operate/instance.h"

#define INSTANCE_VAR "/var/lib/icert"

int
instance_find_build(struct instance *i)
{
	char exe[PATH_MAX], path[FILES_PATH];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *dir;

	if (n < 0)
		return complain("/proc/self/exe: %s", strerror(errno));
	exe[n] = '\0';
	dir = dirname(dirname(exe));
	if (path_join(i->build, "%s", dir) != 0)
		return -1;
	while (strcmp(dir, "/") != 0) {
		if (path_join(path, "%s/conf/icert.conf.in", dir) != 0)
			return -1;
		if (file_exists(path))
			return path_join(i->share, "%s", dir);
		dir = dirname(dir);
	}
	return complain("conf/icert.conf.in is nowhere above %s", i->build);
}

/* The parent must exist: its real path and the last name are the identity. */
static int
instance_find_prefix(struct instance *i, const char *prefix)
{
	char given[FILES_PATH], parent[PATH_MAX], copy[FILES_PATH];
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t len, at;
	char *name;

	if (path_join(given, "%s", prefix) != 0)
		return -1;
	len = strlen(given);
	while (len > 1 && given[len - 1] == '/')
		given[--len] = '\0';
	memcpy(copy, given, len + 1);
	name = strrchr(copy, '/');
	name = name == NULL ? copy : name + 1;
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return complain("%s: not a prefix of an instance", prefix);
	if (realpath(dirname(given), parent) == NULL)
		return complain("%s: the folder above the prefix is not there", prefix);
	if (path_join(i->prefix, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) != 0)
		return -1;
	for (at = 0; i->prefix[at] != '\0'; at++)
		if (isspace((unsigned char)i->prefix[at]) || strchr("\"'\\;@$", i->prefix[at]) != NULL)
			return complain("%s: a prefix may not hold spaces or quotes", i->prefix);
	if (EVP_Digest(i->prefix, strlen(i->prefix), digest, NULL, EVP_sha256(), NULL) != 1)
		return complain("SHA-256 failed");
	for (at = 0; at < 6; at++)
		snprintf(i->hash + 2 * at, 3, "%02x", digest[at]);
	/* Only what lies above matters: the prefix itself is ours to open. */
	i->hidden = geteuid() == 0 && !path_traversable(parent);
	return i->hidden ? path_join(i->data, INSTANCE_VAR "/%s", i->hash) :
	    path_join(i->data, "%s", i->prefix);
}

static int
instance_find_run(struct instance *i)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int rc;

	if (geteuid() == 0)
		rc = path_join(i->run, "/run/icert-%s", i->hash);
	else if (xdg != NULL && *xdg == '/')
		rc = path_join(i->run, "%s/icert-%s", xdg, i->hash);
	else
		rc = path_join(i->run, "/tmp/icert-%ld-%s", (long)getuid(), i->hash);
	/* sun_path holds 108 bytes, and the longest name of ours is 40. */
	if (rc == 0 && strlen(i->run) > 66)
		return complain("%s is too long for sockets; set XDG_RUNTIME_DIR", i->run);
	return rc;
}

static int
instance_read_port(struct instance *i)
{
	char path[FILES_PATH];
	char *text;

	if (path_join(path, "%s/etc/port-base", i->data) != 0)
		return -1;
	if (!file_exists(path))
		return 0;
	if ((text = file_read(path, NULL)) == NULL)
		return -1;
	i->port = atoi(text);
	free(text);
	return 0;
}

/* A build under sanitizers has programs only; the rest is the plain build's. */
const char *
instance_built(const struct instance *i, const char *what, char out[FILES_PATH])
{
	if (path_join(out, "%s/%s", i->build, what) == 0 && !file_exists(out))
		path_join(out, "%s/build/%s", i->share, what);
	return out;
}

/* An administrator's own country database replaces the one installed with the
 * packages: they want a fresher one than a release brings. */
static int
instance_find_geo(struct instance *i)
{
	if (path_join(i->geo, "%s/etc/country.mmdb", i->data) != 0)
		return -1;
	if (file_exists(i->geo))
		return 0;
	return i->hidden_build ? path_join(i->geo, "%s/lib/country.mmdb", i->data) :
	    path_join(i->geo, "%s/" INSTANCE_GEO, i->share);
}

static int
instance_find_lib(struct instance *i)
{
	char path[FILES_PATH];

	if (i->hidden_build)
		return path_join(i->bin, "%s/lib/bin", i->data) |
		    path_join(i->web, "%s/lib/static", i->data) |
		    path_join(i->module, "%s/lib/ngx_icert_module.so", i->data) |
		    path_join(i->simulators, "%s/lib/simulators", i->data);
	return path_join(i->bin, "%s/bin", i->build) |
	    path_join(i->web, "%s", instance_built(i, "static", path)) |
	    path_join(i->module, "%s", instance_built(i, "modules/ngx_icert_module.so", path)) |
	    path_join(i->simulators, "%s/tests/simulators", i->share);
}

int
instance_find(struct instance *i, const char *prefix)
{
	memset(i, 0, sizeof(*i));
	if (instance_find_build(i) != 0 || instance_find_prefix(i, prefix) != 0 ||
	    instance_find_run(i) != 0 ||
	    path_join(i->shm, "/dev/shm/icert-%s", i->hash) != 0 ||
	    path_join(i->spool, "%s/spool", i->shm) != 0 ||
	    path_join(i->config_path, "%s/etc/icert.conf", i->data) != 0)
		return -1;
	i->hidden_build = geteuid() == 0 &&
	    (!path_traversable(i->build) || !path_traversable(i->share));
	if (instance_find_lib(i) != 0 || instance_find_geo(i) != 0)
		return -1;
	return instance_read_port(i);
}

int
instance_exists(const struct instance *i)
{
	return i->port != 0;
}

/* A prefix that was removed by hand leaves its data behind; a new one must not
 * find it, and nobody said that it may be destroyed. */
static int
instance_hide(struct instance *i)
{
	char aside[FILES_PATH];
	struct stat st;

	if (lstat(i->prefix, &st) == 0 && !S_ISLNK(st.st_mode) && rmdir(i->prefix) != 0)
		return complain("%s is no instance of icert and not empty", i->prefix);
	if (folder_make(INSTANCE_VAR) != 0)
		return -1;
	if (lstat(i->prefix, &st) != 0) {
		if (file_exists(i->data)) {
			if (path_join(aside, "%s.orphan-%ld", i->data, (long)time(NULL)) != 0 ||
			    rename(i->data, aside) != 0)
				return complain("%s: %s", i->data, strerror(errno));
			printf("  the data of an earlier instance of this prefix is kept as %s\n", aside);
		}
		if (symlink(i->data, i->prefix) != 0)
			return complain("%s: %s", i->prefix, strerror(errno));
		i->port = 0;
	}
	return 0;
}

int
instance_make(struct instance *i, int port_base)
{
	char path[FILES_PATH], text[16];

	if (i->hidden && instance_hide(i) != 0)
		return -1;
	if (i->port != 0 && i->port != port_base)
		return complain("%s was made with --port-base %d, which stands in its certificates; "
		    "it cannot become %d", i->prefix, i->port, port_base);
	if (folder_make(i->data) != 0 || folder_own(i->data, 0, 0, 0755) != 0 ||
	    path_join(path, "%s/etc", i->data) != 0 || folder_own(path, 0, 0, 0755) != 0)
		return -1;
	if (i->port == port_base)
		return 0;
	i->port = port_base;
	snprintf(text, sizeof(text), "%d\n", port_base);
	return path_join(path, "%s/etc/port-base", i->data) != 0 ? -1 :
	    file_write(path, text, strlen(text), 0, 0, 0644);
}

/* A name like localhost may lead to ::1 first; a machine may not have it. */
static int
instance_has_ipv6(void)
{
	struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), ok;

	if (fd < 0)
		return 0;
	ok = bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;
	close(fd);
	return ok;
}

/* The value of @NAME@; 0 when there is none of that name. */
static int
instance_value(const struct instance *i, const char *name, char out[FILES_PATH])
{
	const struct { const char *name, *value; } texts[] = {
		{ "PREFIX", i->prefix }, { "DATA", i->data }, { "RUN", i->run },
		{ "SHM", i->shm }, { "SPOOL", i->spool },
		{ "SPOOL_ON_DISK", strncmp(i->shm, i->data, strlen(i->data)) == 0 ? "on" : "off" },
		{ "IPV6", instance_has_ipv6() ? "" : "#" }, { "BUILD", i->build }, { "SHARE", i->share },
		{ "BIN", i->bin }, { "STATIC", i->web }, { "MODULE", i->module }, { "GEO", i->geo },
		{ "SOFTHSM_MODULE", i->tools.softhsm },
	};
	size_t n;

	for (n = 0; n < sizeof(texts) / sizeof(texts[0]); n++)
		if (strcmp(name, texts[n].name) == 0)
			return path_join(out, "%s", texts[n].value) == 0;
	if (strncmp(name, "PORT", 4) == 0 && (name[4] == '\0' ||
	    (isdigit((unsigned char)name[4]) && name[5] == '\0')))
		return path_join(out, "%d", i->port + (name[4] == '\0' ? 0 : name[4] - '0')) == 0;
	if (strcmp(name, "CLOCK") == 0)
#ifdef ICERT_PRODUCTION
		return path_join(out, "%s", "") == 0;
#else
		return path_join(out, "%s/clock", i->data) == 0;
#endif
	/* nginx started by root needs to be told whom its workers run as. */
	if (strcmp(name, "USER") == 0)
		return path_join(out, "%s", geteuid() == 0 ? "user icert-edge icert-edge;" : "") == 0;
	return 0;
}

int
instance_template(const struct instance *i, const char *template, const char *out, mode_t mode)
{
	char path[FILES_PATH], name[32], value[FILES_PATH];
	char *text, *made = NULL, *p, *end;
	size_t size;
	FILE *to;
	int rc = 0;

	if (path_join(path, "%s/conf/%s", i->share, template) != 0 ||
	    (text = file_read(path, NULL)) == NULL)
		return -1;
	if ((to = open_memstream(&made, &size)) == NULL) {
		free(text);
		return complain("no memory");
	}
	for (p = text; *p != '\0' && rc == 0; p++) {
		end = *p == '@' && isupper((unsigned char)p[1]) ? strchr(p + 1, '@') : NULL;
		if (end == NULL || (size_t)(end - p) > sizeof(name)) {
			fputc(*p, to);
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(end - p - 1), p + 1);
		if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != strlen(name)) {
			fputc(*p, to);
			continue;
		}
		if (!instance_value(i, name, value))
			rc = complain("%s: @%s@ is unknown", path, name);
		fputs(value, to);
		p = end;
	}
	fclose(to);
	if (rc == 0)
		rc = file_write(out, made, size, 0, 0, mode);
	free(made);
	free(text);
	return rc;
}

int
instance_load(struct instance *i)
{
	config_free(&i->config);
	return config_load(&i->config, i->config_path) == 0 ? 0 :
	    complain("%s cannot be read", i->config_path);
}

int
instance_configure(struct instance *i)
{
	if (instance_template(i, "icert.conf.in", i->config_path, 0644) != 0)
		return -1;
	return instance_load(i);
}

void
instance_free(struct instance *i)
{
	config_free(&i->config);
}
