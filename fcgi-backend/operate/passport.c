#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "crypt/keeper.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "operate/passport.h"
#include "store/db.h"

static const struct db_stmt find_staff = { "passport_staff", "select id::text from icert.staff where login = $1" };
static const struct db_stmt note = { "passport_note", "update icert.staff set passport_hash = $2 where id = $1" };

static int
write_down(struct db *db, const char *login, const uint8_t hash[32], char id[ID_TEXT])
{
	struct audit_event event = { .action = "staff.passport", .actor_kind = "admin", .subject_kind = "staff", .subject = id };
	struct db_result *r;
	int error;

	if ((error = db_begin(db, NULL)) != 0 || (error = DB_QUERY(db, &find_staff, &r, P_TEXT(login))) != 0)
		return error;
	if (db_rows(r) == 1)
		snprintf(id, ID_TEXT, "%s", db_text(r, 0, 0));
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	if (error == 0)
		error = DB_QUERY(db, &note, NULL, P_TEXT(id), P_BYTES(hash, 32));
	return error != 0 ? error : audit_append(db, &event);
}

int
passport_note(const struct instance *i, const char *login, const char *number)
{
	struct keyclient keeper;
	char conninfo[FILES_PATH], id[ID_TEXT];
	uint8_t hash[32];
	struct db *db;
	int error;

	if (config_conninfo(&i->config, "admin", conninfo, sizeof(conninfo)) != 0 || (db = db_open(conninfo)) == NULL)
		return complain("no memory");
	keyclient_init(&keeper, config_require(&i->config, "sockets", "keeper-admin"));
	/* The keeper's word is what stops an approval: it comes before the row is kept. */
	if ((error = keeper_lookup(&keeper, "person", number, hash)) == 0 && (error = write_down(db, login, hash, id)) == 0 &&
	    (error = keeper_staff_passport(&keeper, id, number)) == 0)
		error = db_commit(db);
	if (error != 0 && db_in_tx(db))
		db_rollback(db);
	keyclient_close(&keeper);
	if (error != 0)
		complain("%s: %s %s", login, icert_err_code(error), db_detail(db));
	db_close(db);
	return error == 0 ? 0 : -1;
}
