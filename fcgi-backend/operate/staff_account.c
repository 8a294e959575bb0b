#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <liboath/oath.h>

#include "audit/audit.h"
#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "operate/staff_account.h"
#include "procedure/people/identifier.h"
#include "store/db.h"

#define ROLES_MAX 6

static const struct db_stmt add = { "staff_add",
	"insert into icert.staff (id, login, name, email, password, person_hash, created_at) values ($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt add_role = { "staff_add_role",
	"insert into icert.staff_role (staff_id, role, province, since) values ($1, $2, nullif($3, 0), $4)" };
static const struct db_stmt disable = { "staff_disable",
	"update icert.staff set enabled = false where login = $1 and enabled returning id::text" };

void
staff_password(char out[STAFF_PASSWORD])
{
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
	int k, at = 0;

	for (k = 0; k < 12; k++) {
		if (k > 0 && k % 4 == 0)
			out[at++] = '-';
		out[at++] = letters[randombytes_uniform(sizeof(letters) - 1)];
	}
	out[at] = '\0';
}

int
staff_enrol(struct keyclient *keeper, const char *id, const char *login, const char *cedula, const char *password,
    struct staff_account *out)
{
	uint8_t seed[TOTP_SEED];
	char *secret = NULL;
	int rc;

	if ((rc = keeper_lookup(keeper, "person", cedula, out->person)) != 0 ||
	    (rc = keeper_totp_enrol(keeper, id, cedula, seed)) != 0)
		return complain("the keeper did not enrol %s: %s", login, icert_err_code(rc));
	if (crypto_pwhash_str(out->hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
	    crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0 ||
	    oath_base32_encode((const char *)seed, sizeof(seed), &secret, NULL) != OATH_OK)
		return complain("no memory");
	sodium_memzero(seed, sizeof(seed));
	snprintf(out->secret, sizeof(out->secret), "%s", secret);
	free(secret);
	snprintf(out->otpauth, sizeof(out->otpauth), "otpauth://totp/icert:%s?secret=%s&issuer=icert&digits=6&period=30", login,
	    out->secret);
	return 0;
}

static int
told(struct db *db, const char *action, const char *id)
{
	struct audit_event event = { .action = action, .actor_kind = "admin", .subject_kind = "staff", .subject = id };

	return audit_append(db, &event);
}

/* "operator:17" */
static int
give_role(struct db *db, const char *id, const char *word)
{
	const char *colon = strchr(word, ':');
	char role[24];

	snprintf(role, sizeof(role), "%.*s", colon != NULL ? (int)(colon - word) : (int)strlen(word), word);
	return DB_QUERY(db, &add_role, NULL, P_TEXT(id), P_TEXT(role), P_INT(colon != NULL ? atoi(colon + 1) : 0),
	    P_INT(clock_real()));
}

static int
write_down(struct db *db, const char *id, const char *const *words, int n, const struct staff_account *a)
{
	int k, error;

	if ((error = DB_QUERY(db, &add, NULL, P_TEXT(id), P_TEXT(words[0]), P_TEXT(words[1]), P_TEXT(words[2]), P_TEXT(a->hash),
	    P_BYTES(a->person, sizeof(a->person)), P_INT(clock_real()))) != 0)
		return error;
	for (k = 4; k < n && error == 0; k++)
		error = give_role(db, id, words[k]);
	return error != 0 ? error : told(db, "staff.added", id);
}

int
staff_add(const struct instance *i, const char *const *words, int n)
{
	char conninfo[FILES_PATH], id[ID_TEXT], password[STAFF_PASSWORD];
	struct staff_account a;
	struct keyclient keeper;
	struct db *db;
	int error;

	if (n < 5 || n > 4 + ROLES_MAX)
		return complain("staff add LOGIN NAME EMAIL CEDULA ROLE[:PROVINCE]…");
	if (identifier_cedula(words[3]) != NULL || identifier_email(words[2]) != NULL)
		return complain("%s is no %s", identifier_cedula(words[3]) != NULL ? words[3] : words[2],
		    identifier_cedula(words[3]) != NULL ? "cedula" : "address of mail");
	if (sodium_init() < 0 || id_new(id) != 0 || config_conninfo(&i->config, "admin", conninfo, sizeof(conninfo)) != 0 ||
	    (db = db_open(conninfo)) == NULL)
		return complain("no memory");
	staff_password(password);
	keyclient_init(&keeper, config_require(&i->config, "sockets", "keeper-admin"));
	memset(&a, 0, sizeof(a));
	error = db_begin(db, NULL);
	if (error == 0 && staff_enrol(&keeper, id, words[0], words[3], password, &a) != 0)
		error = ICERT_E_UNAVAILABLE;
	if (error == 0 && (error = write_down(db, id, words, n, &a)) == 0)
		error = db_commit(db);
	if (error != 0 && db_in_tx(db))
		db_rollback(db);
	keyclient_close(&keeper);
	if (error == 0)
		printf("%s\n  password       %s\n  second factor  %s\nThis is shown once: hand it over in person.\n", words[0], password,
		    a.otpauth);
	else
		complain("%s: %s %s", words[0], icert_err_code(error), db_detail(db));
	sodium_memzero(&a, sizeof(a));
	sodium_memzero(password, sizeof(password));
	db_close(db);
	return error == 0 ? 0 : -1;
}

int
staff_disable(const struct instance *i, const char *login)
{
	char conninfo[FILES_PATH];
	struct db_result *r;
	struct db *db;
	int error;

	if (config_conninfo(&i->config, "admin", conninfo, sizeof(conninfo)) != 0 || (db = db_open(conninfo)) == NULL)
		return complain("no memory");
	if ((error = db_begin(db, NULL)) == 0 && (error = DB_QUERY(db, &disable, &r, P_TEXT(login))) == 0) {
		error = db_rows(r) == 1 ? told(db, "staff.disabled", db_text(r, 0, 0)) : ICERT_E_NOT_FOUND;
		db_result_free(r);
	}
	if (error == 0)
		error = db_commit(db);
	if (error != 0) {
		if (db_in_tx(db))
			db_rollback(db);
		complain("%s: %s %s", login, icert_err_code(error), db_detail(db));
	}
	db_close(db);
	return error == 0 ? 0 : -1;
}
