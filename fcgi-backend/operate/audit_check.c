#include "operate/audit_check.h"

#include "audit/verify.h"
#include "store/db.h"

int
audit_check(const struct instance *i, const char *heads, const char *key, FILE *out)
{
	struct verify_options options = {
		.heads = heads != NULL ? heads : config_get(&i->config, "paths", "audit_heads"),
		.key = key != NULL ? key : config_get(&i->config, "audit", "key_file"),
	};
	char conninfo[FILES_PATH];
	struct db *db;
	int status;

	if (options.heads == NULL || options.key == NULL) {
		complain("the configuration names no [audit] key_file or [paths] audit_heads");
		return 2;
	}
	if (config_conninfo(&i->config, "admin", conninfo, sizeof(conninfo)) != 0 || (db = db_open(conninfo)) == NULL)
		return 2;
	status = audit_verify(db, &options, out);
	db_close(db);
	return status;
}
