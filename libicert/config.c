#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <ini.h>

#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/log.h"

#define CONFIG_ENTRIES_MAX 512

static int
config_add(void *arg, const char *section, const char *key, const char *value)
{
	struct config *c = arg;
	struct config_entry *e, *grown;

	if (c->n == CONFIG_ENTRIES_MAX)
		return 0;
	grown = realloc(c->entries, (c->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return 0;
	c->entries = grown;
	e = &c->entries[c->n];
	e->section = strdup(section);
	e->key = strdup(key);
	e->value = strdup(value == NULL ? "" : value);
	/* Counted even when half made, so that config_free() reaches it. */
	c->n++;
	return e->section != NULL && e->key != NULL && e->value != NULL;
}

int
config_load(struct config *c, const char *path)
{
	int rc;

	memset(c, 0, sizeof(*c));
	if ((c->path = strdup(path)) == NULL)
		return -1;
	rc = ini_parse(path, config_add, c);
	if (rc == 0)
		return 0;
	if (rc < 0)
		log_error("config_unreadable", "%s: %s", path, strerror(errno));
	else
		log_error("config_syntax", "%s: line %d", path, rc);
	config_free(c);
	return -1;
}

void
config_free(struct config *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->entries[i].section);
		free(c->entries[i].key);
		free(c->entries[i].value);
	}
	free(c->entries);
	free(c->path);
	memset(c, 0, sizeof(*c));
}

const char *
config_get(const struct config *c, const char *section, const char *key)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->entries[i].section, section) == 0 &&
		    strcmp(c->entries[i].key, key) == 0)
			return c->entries[i].value;
	return NULL;
}

const char *
config_require(const struct config *c, const char *section, const char *key)
{
	const char *value = config_get(c, section, key);

	if (value == NULL || *value == '\0') {
		log_error("config_missing", "%s: [%s] %s", c->path, section, key);
		exit(EX_CONFIG);
	}
	return value;
}

long
config_int(const struct config *c, const char *section, const char *key,
    long fallback, long min, long max)
{
	const char *value = config_get(c, section, key);
	char *end;
	long n;

	if (value == NULL || *value == '\0')
		return fallback;
	errno = 0;
	n = strtol(value, &end, 10);
	if (errno != 0 || *end != '\0' || n < min || n > max) {
		log_error("config_number", "%s: [%s] %s = %s: not a number from %ld to %ld",
		    c->path, section, key, value, min, max);
		exit(EX_CONFIG);
	}
	return n;
}

int
config_conninfo(const struct config *c, const char *program, char *out, size_t size)
{
	const char *base = config_get(c, "database", "conninfo");
	const char *role = config_get(c, "database", program);
	int n;

	if (base == NULL || role == NULL)
		return -1;
	n = snprintf(out, size, "%s user=%s application_name=icert-%s", base, role, program);
	return n < 0 || (size_t)n >= size ? -1 : 0;
}

void
config_start(struct config *c, const char *program, int argc, char *argv[])
{
	log_open(program);
	if (argc != 3 || strcmp(argv[1], "--config") != 0) {
		fprintf(stderr, "usage: %s --config FILE\n", argv[0]);
		exit(EX_USAGE);
	}
	if (config_load(c, argv[2]) != 0)
		exit(EX_CONFIG);
	if (clock_open(config_get(c, "clock", "file")) != 0)
		exit(EX_CONFIG);
}
