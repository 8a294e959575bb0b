/* Forms sent after their session had locked. */
#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/people/login.h"

#define PARKED_MAX	65536
#define PARKED_S	86400

static const struct db_stmt parking_key = { "login_parking_key",
	"select contact, wrapped from icert.parking_key()" };
static const struct db_stmt park = { "login_park",
	"insert into icert.parked_form (id, contact_id, path, body, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)" };
static const struct db_stmt parked = { "login_parked",
	"select p.id, p.path, p.body, k.wrapped, p.created_at from icert.parked_form p join icert.contact c on c.id = p.contact_id"
	" join icert.data_key k on k.id = c.key_id where p.expires_at > $1 order by p.created_at desc limit 1" };
static const struct db_stmt unpark = { "login_unpark", "delete from icert.parked_form where created_at <= $1" };

int
parked_add(struct act *act, const char *path, const void *body, size_t n)
{
	struct buf sealed = BUF_INIT;
	struct db_result *r = NULL;
	uint8_t key[DATAKEY_BYTES];
	char id[ID_TEXT], place[80];
	const uint8_t *wrapped;
	int64_t now = clock_real();
	size_t length;
	int error;

	if (n > PARKED_MAX || strlen(path) > 255)
		return ICERT_E_TOO_LARGE;
	if ((error = id_new(id)) != 0 || (error = act_begin(act)) != 0 ||
	    (error = db_query(act->db, &parking_key, NULL, 0, &r)) != 0)
		goto out;
	if (db_is_null(r, 0, 0)) {
		error = ICERT_E_DENIED;
		goto out;
	}
	wrapped = db_bytes(r, 0, 1, &length);
	if ((error = datakey_unwrap(act, wrapped, length, key)) != 0)
		goto out;
	snprintf(place, sizeof place, "parked_form|body|%s", id);
	error = seal_field(key, place, body, n, &sealed);
	bytes_wipe(key, sizeof key);
	if (error == 0 && (error = DB_QUERY(act->db, &park, NULL, P_TEXT(id), P_TEXT(db_text(r, 0, 0)), P_TEXT(path),
	    P_BYTES(sealed.p, sealed.len), P_INT(now), P_INT(now + PARKED_S))) == 0)
		error = db_commit(act->db);
out:
	if (error != 0)
		db_rollback(act->db);
	db_result_free(r);
	buf_free(&sealed);
	return error;
}

int
parked_take(struct act *act, char path[256], struct buf *body)
{
	struct db_result *r = NULL;
	uint8_t key[DATAKEY_BYTES];
	char place[80];
	const uint8_t *p;
	size_t n;
	int error;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &parked, &r, P_INT(clock_real()))) != 0)
		goto out;
	if (db_rows(r) == 0) {
		error = ICERT_E_NOT_FOUND;
		goto out;
	}
	snprintf(path, 256, "%s", db_text(r, 0, 1));
	snprintf(place, sizeof place, "parked_form|body|%s", db_text(r, 0, 0));
	p = db_bytes(r, 0, 3, &n);
	if ((error = datakey_unwrap(act, p, n, key)) != 0)
		goto out;
	p = db_bytes(r, 0, 2, &n);
	error = open_field(key, place, p, n, body);
	bytes_wipe(key, sizeof key);
	/* The contact's older ones go too: sent again later, they would undo what was done since. */
	if (error == 0 && (error = DB_QUERY(act->db, &unpark, NULL, P_INT(db_int(r, 0, 4)))) == 0)
		error = db_commit(act->db);
out:
	if (error != 0)
		db_rollback(act->db);
	db_result_free(r);
	return error;
}
