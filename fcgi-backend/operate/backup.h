#ifndef ICERT_OPERATE_BACKUP_H
#define ICERT_OPERATE_BACKUP_H
/*
 * Backup and restore: docs/backup.md says what belongs in one, what must never, and why.
 *
 * A backup is one sealed archive (operate/archive.h):
 *
 *	INSTANCE	what it is of, "name value" a line
 *	database/NNNNNN	pg_dump's custom format in parts: one snapshot
 *	documents/…	sealed files
 *	journals/…	lists that only grow, as long as they were after the snapshot
 *	audit/… ca/… pins/… status/manifest
 *	keys.age	an archive of its own, for whoever holds the keys' private key
 */
#include "operate/instance.h"

/* Where a part of it lies in the instance. */
struct backup_part {
	const char *name;	/* folder or file in the archive */
	const char *section, *key;	/* of the configuration: a folder */
	const char *below;	/* file or folder below it; NULL: itself */
	int parent;		/* what the configuration names is a file: the folder it lies in */
	int (*leave)(const char *below);	/* left out; NULL: nothing is */
};

extern const struct backup_part backup_folders[], backup_journals[], backup_keys[];
extern const size_t backup_folders_n, backup_journals_n, backup_keys_n;

/* The path of a part; -1 after telling that the configuration does not name it. */
int	backup_part_path(const struct instance *i, const struct backup_part *part, char out[FILES_PATH]);

/* Which authority this is: SHA-256 of its issuing certificate, hexadecimal. */
int	backup_issuer(const struct instance *i, char hex[65]);

#define BACKUP_INSTANCE "INSTANCE"
#define BACKUP_KEYS "keys.age"
#define BACKUP_DATABASE "database"
#define BACKUP_FORMAT 1

/*
 * Makes one while everything runs; prints its name, size and SHA-256.  recipients: file of public
 * keys, NULL: [backup] recipients.  An exit status.
 */
int	backup_run(const struct instance *i, const char *path, const char *recipients);

#endif
