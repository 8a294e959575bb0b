/*
 * Staff: a password (Argon2id) and a TOTP code.  Which part was wrong is never told.
 */
#include <sodium.h>
#include <string.h>

#include "crypt/keeper.h"
#include "libicert/error.h"
#include "procedure/people/login.h"

static const struct db_stmt find = { "login_staff_find",
	"select staff, password, spent from icert.login_staff_find($1, $2)" };
static const struct db_stmt wrong_try = { "login_staff_try", "select icert.login_staff_try($1, $2)" };
static const struct db_stmt open_session = { "login_staff_open", "select icert.login_staff_open($1, $2, $3, $4)" };
static const struct db_stmt fresh = { "login_session_fresh", "select icert.session_fresh()" };

int
login_password_hash(const char *password, char out[128])
{
	if (sodium_init() < 0 || crypto_pwhash_str(out, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
	    crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return ICERT_E_MEMORY;
	return 0;
}

/* An unknown name takes as long as a known one. */
static int
password_right(const char *stored, const char *password)
{
	static char nobody[crypto_pwhash_STRBYTES];

	int known = stored[0] != '\0';

	if (!known && nobody[0] == '\0' && login_password_hash("nobody", nobody) != 0)
		return 0;
	return crypto_pwhash_str_verify(known ? stored : nobody, password, strlen(password)) == 0 && known;
}

static int
begin_session(struct act *act, const char *staff, const uint8_t identity[32])
{
	struct principal principal;
	uint8_t hash[32];
	int error;

	crypto_hash_sha256(hash, identity, 32);
	memcpy(act->identity.hash, identity, 32);
	act->identified = 1;
	act->roles = BY_STAFF;
	memcpy(act->id, staff, ID_TEXT);
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY(act->db, &open_session, NULL, P_TEXT(staff), P_BYTES(hash, 32), P_TEXT(act->country),
	    P_TEXT(act->network))) != 0 ||
	    (error = act_audit(act, "login.staff", "staff", staff, NULL, 0, NULL, NULL)) != 0 ||
	    (error = db_commit(act->db)) != 0) {
		db_rollback(act->db);
		return error;
	}
	if ((error = login_principal(act, 0, &principal)) != 0)
		return error;
	act->roles = principal.roles;
	return 0;
}

int
login_staff(struct act *act, const char *user, const char *password, const char *totp, const uint8_t identity[32])
{
	const char *network = act->network != NULL ? act->network : "-";
	struct db_result *r;
	char staff[ID_TEXT];
	int error = 0, right;

	if (act->keeper == NULL || sodium_init() < 0)
		return ICERT_E_UNAVAILABLE;
	if ((error = DB_QUERY(act->db, &find, &r, P_TEXT(user), P_TEXT(network))) != 0)
		return error;
	memcpy(staff, db_text(r, 0, 0), db_is_null(r, 0, 0) ? 1 : ID_TEXT);
	if (db_bool(r, 0, 2))
		error = ICERT_E_CODE_SPENT;
	right = password_right(db_text(r, 0, 1), password);
	db_result_free(r);
	/* The code is used up only behind the right password. */
	if (error == 0 && right) {
		error = keeper_totp_verify(act->keeper, staff, totp);
		if (error == ICERT_E_UNAVAILABLE || error == ICERT_E_TIMEOUT)
			return error;
		if (error != 0)
			error = ICERT_E_DENIED;
	} else if (error == 0)
		error = ICERT_E_DENIED;
	if (error == 0)
		return begin_session(act, staff, identity);
	if (staff[0] != '\0' && error == ICERT_E_DENIED)
		(void)DB_QUERY(act->db, &wrong_try, NULL, P_TEXT(staff), P_TEXT(network));
	return act_refuse(act, "login.staff", "staff", staff[0] != '\0' ? staff : NULL, 0, error);
}

int
login_refresh(struct act *act, const char *totp)
{
	struct db_result *r = NULL;
	int error;

	if (act->keeper == NULL)
		return ICERT_E_UNAVAILABLE;
	if ((error = keeper_totp_verify(act->keeper, act->id, totp)) != 0)
		return act_refuse(act, "login.refresh", "staff", act->id, 0, error);
	if ((error = act_begin(act)) == 0 && (error = db_query(act->db, &fresh, NULL, 0, &r)) == 0)
		error = db_is_null(r, 0, 0) ? ICERT_E_DENIED : 0;
	db_result_free(r);
	if (error == 0 && (error = act_audit(act, "login.refresh", "staff", act->id, NULL, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}
