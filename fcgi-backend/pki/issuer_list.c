#include "pki/issuer_list.h"

#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH 512

static const char *const states[] = { "issues", "answers", "ended" };
#define STATES (sizeof(states) / sizeof(states[0]))

static int
read_state(const char *text, enum issuer_state *state)
{
	size_t i;

	for (i = 0; i < STATES; i++) {
		if (strcmp(states[i], text) == 0) {
			*state = (enum issuer_state)i;
			return 0;
		}
	}
	return ICERT_E_MALFORMED;
}

static int
read_file(struct issuer_list *l, const struct config *file, const char *path)
{
	char section[16];
	const char *state;
	size_t issuing = 0;
	unsigned n;

	for (n = ISSUER_FIRST; n < ISSUER_FIRST + ISSUERS_MAX; n++) {
		snprintf(section, sizeof(section), "%u", n);
		if ((state = config_get(file, section, "state")) == NULL)
			continue;
		l->at[l->n].number = n;
		if (read_state(state, &l->at[l->n].state) != 0) {
			log_error("issuers_malformed", "%s: [%u] state = %s", path, n, state);
			return ICERT_E_MALFORMED;
		}
		issuing += l->at[l->n++].state == ISSUER_ISSUES;
	}
	if (l->n > 0 && issuing <= 1)
		return 0;
	log_error("issuers_malformed", "%s: %zu issuers, %zu of them issue", path, l->n, issuing);
	return ICERT_E_MALFORMED;
}

int
issuer_list_read(struct issuer_list *l, const struct config *config)
{
	struct config file;
	char path[PATH];
	int error;

	memset(l, 0, sizeof(*l));
	snprintf(path, sizeof(path), "%s/issuers.conf", config_require(config, "paths", "ca"));
	if (access(path, F_OK) != 0) {
		l->n = 1;
		l->at[0] = (struct issuer_entry){ ISSUER_FIRST, ISSUER_ISSUES };
		return 0;
	}
	if (config_load(&file, path) != 0)
		return ICERT_E_SYSTEM;
	error = read_file(l, &file, path);
	config_free(&file);
	return error;
}

void
issuer_list_text(const struct issuer_list *l, char *out, size_t size)
{
	size_t i, at;

	at = (size_t)snprintf(out, size, "; The issuing CAs; written by ceremonies.\n");
	for (i = 0; i < l->n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "[%u]\nstate = %s\n", l->at[i].number, states[l->at[i].state]);
}

const struct issuer_entry *
issuer_list_issues(const struct issuer_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->at[i].state == ISSUER_ISSUES)
			return &l->at[i];
	return NULL;
}

int
issuer_name(char *out, size_t size, const char *first, unsigned number, unsigned part)
{
	const char *slash = strrchr(first, '/'), *dot = strrchr(first, '.');
	char own[16] = "", of_part[16] = "";
	int n;

	if (dot == NULL || (slash != NULL && dot < slash))
		dot = first + strlen(first);
	if (number != ISSUER_FIRST)
		snprintf(own, sizeof(own), "-%u", number);
	if (part != 0)
		snprintf(of_part, sizeof(of_part), "-p%u", part);
	n = snprintf(out, size, "%.*s%s%s%s", (int)(dot - first), first, own, of_part, dot);
	return n >= 0 && (size_t)n < size ? 0 : ICERT_E_TOO_LARGE;
}

static void
section_of(char out[24], unsigned number)
{
	snprintf(out, 24, "issuer-%u", number);
}

const char *
issuer_policy(const struct config *config, unsigned number, const char *key)
{
	char section[24];
	const char *own;

	section_of(section, number);
	own = config_get(config, section, key);
	return own != NULL ? own : config_get(config, "status", key);
}

unsigned
issuer_partitions(const struct config *config, unsigned number)
{
	char section[24];

	section_of(section, number);
	return (unsigned)config_int(config, config_get(config, section, "crl_partitions") != NULL ? section : "status",
	    "crl_partitions", 0, 0, CRL_PARTITIONS_MAX);
}

unsigned
issuer_partition_of(const uint8_t serial[16], unsigned partitions)
{
	/* Serials are random: their last octets are even enough. */
	return partitions == 0 ? 0 : 1 + ((unsigned)serial[14] << 8 | serial[15]) % partitions;
}
