/* What belongs in a backup, where it lies, and what is left out of it on purpose. */
#include <string.h>

#include "operate/backup.h"

static int
is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Delivery keys are nowhere but here, so that unlinking one destroys what it opened; the list travels as a journal. */
static int
leave_keeper(const char *below)
{
	return is_below(below, "delivery") || is_below(below, "destroyed");
}

static int
leave_signer(const char *below)
{
	/* One a CA: "journal", "journal-2". */
	return is_below(below, "journal") || strncmp(below, "journal-", 8) == 0;
}

static int
leave_clerk(const char *below)
{
	return is_below(below, "sent");
}

/* Written anew at every start, or no secret and as large as a country. */
static int
leave_configuration(const char *below)
{
	size_t n = strlen(below);

	return strcmp(below, "icert.conf") == 0 || (n > 5 && strncmp(below, "nginx", 5) == 0) || is_below(below, "pages") ||
	    strcmp(below, "country.mmdb") == 0;
}

const struct backup_part backup_folders[] = {
	{ "documents", "paths", "documents", NULL, 0, NULL },
	{ "audit", "paths", "audit_heads", NULL, 0, NULL },
	{ "ca", "paths", "ca", NULL, 0, NULL },
	{ "pins", "paths", "pins", NULL, 0, NULL },
	{ "status/manifest", "paths", "status", "manifest", 0, NULL },
};

const struct backup_part backup_journals[] = {
	{ "journals/signer", "paths", "signer_dir", "journal", 0, NULL },
	{ "journals/signer-2", "paths", "signer_dir", "journal-2", 0, NULL },
	{ "journals/signer-3", "paths", "signer_dir", "journal-3", 0, NULL },
	{ "journals/signer-4", "paths", "signer_dir", "journal-4", 0, NULL },
	{ "journals/signer-5", "paths", "signer_dir", "journal-5", 0, NULL },
	{ "journals/signer-6", "paths", "signer_dir", "journal-6", 0, NULL },
	{ "journals/signer-7", "paths", "signer_dir", "journal-7", 0, NULL },
	{ "journals/signer-8", "paths", "signer_dir", "journal-8", 0, NULL },
	{ "journals/destroyed", "paths", "keeper_dir", "destroyed", 0, NULL },
	{ "journals/spent", "paths", "issuer_dir", "spent", 0, NULL },
	{ "journals/sent", "audit", "key_file", "sent", 1, NULL },
};

const struct backup_part backup_keys[] = {
	{ "keeper", "paths", "keeper_dir", NULL, 0, leave_keeper },
	{ "keymaker", "paths", "keymaker_dir", NULL, 0, NULL },
	{ "signer", "paths", "signer_dir", NULL, 0, leave_signer },
	{ "status-signer", "paths", "status_signer_dir", NULL, 0, NULL },
	{ "publisher", "paths", "publisher_dir", NULL, 0, NULL },
	{ "clerk", "audit", "key_file", NULL, 1, leave_clerk },
	{ "etc", "instance", "etc", NULL, 0, leave_configuration },
	{ "demo", "instance", "prefix", "demo", 0, NULL },
};

const size_t backup_folders_n = sizeof(backup_folders) / sizeof(backup_folders[0]);
const size_t backup_journals_n = sizeof(backup_journals) / sizeof(backup_journals[0]);
const size_t backup_keys_n = sizeof(backup_keys) / sizeof(backup_keys[0]);

int
backup_part_path(const struct instance *i, const struct backup_part *part, char out[FILES_PATH])
{
	const char *value = config_get(&i->config, part->section, part->key);
	char folder[FILES_PATH];
	char *slash;

	/* The configuration names no folder for itself: it lies there. */
	if (strcmp(part->key, "etc") == 0)
		value = i->config_path;
	if (value == NULL || path_join(folder, "%s", value) != 0)
		return complain("the configuration has no [%s] %s", part->section, part->key);
	if (part->parent || value == i->config_path) {
		if ((slash = strrchr(folder, '/')) == NULL || slash == folder)
			return complain("%s is not an absolute path", folder);
		*slash = '\0';
	}
	return part->below == NULL ? path_join(out, "%s", folder) : path_join(out, "%s/%s", folder, part->below);
}
