/*
 * What follows a log-in: who a session is, its end, links in mails, parked forms.
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/login.h"
#include "procedure/policy.h"
#include "store/cache.h"

#define CACHE_S		60
#define PARKED_MAX	65536
#define PARKED_S	86400
#define LINK_DAYS	90
#define DAY_S		86400

static const struct db_stmt touch = { "login_touch",
	"select state, kind, person, name, roles, fresh_until, idle_until from icert.session_touch()" };
static const struct db_stmt end = { "login_end", "select icert.session_end()" };
static const struct db_stmt link_add = { "login_link_add",
	"insert into icert.link (hash, contact_id, application_id, purchase_id, created_at, expires_at)"
	" values ($1, $2, $3, $4, $5, $6)" };
static const struct db_stmt link_get = { "login_link_get",
	"select contact, application, purchase, masked from icert.link_find($1)" };
static const struct db_stmt parking_key = { "login_parking_key",
	"select contact, wrapped from icert.parking_key()" };
static const struct db_stmt park = { "login_park",
	"insert into icert.parked_form (id, contact_id, path, body, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)" };
static const struct db_stmt parked = { "login_parked",
	"select p.id, p.path, p.body, k.wrapped from icert.parked_form p join icert.contact c on c.id = p.contact_id"
	" join icert.data_key k on k.id = c.key_id where p.expires_at > $1 order by p.created_at desc limit 1" };
static const struct db_stmt unpark = { "login_unpark", "delete from icert.parked_form where id = $1" };

static void
cache_key(const struct act *act, char out[72])
{
	uint8_t hash[32];
	char hex[65];

	crypto_hash_sha256(hash, act->identity.hash, sizeof act->identity.hash);
	bytes_to_hex(hex, hash, sizeof hash);
	snprintf(out, 72, "s:%s", hex);
}

/* "<id> <idle_until> <name>"; contacts alone. */
static int
cached(struct act *act, struct principal *p)
{
	char key[72], *value;
	size_t n;
	int good;

	if (act->cache == NULL)
		return 0;
	cache_key(act, key);
	if (!cache_get(act->cache, key, &value, &n))
		return 0;
	good = sscanf(value, "%36s %" SCNd64 " %127[^\n]", p->id, &p->idle_until, p->name) == 3 &&
	    p->idle_until > clock_real() && id_valid(p->id);
	free(value);
	if (good) {
		p->state = PRINCIPAL_LIVE;
		p->roles = BY_APPLICANT;
	} else
		memset(p, 0, sizeof *p);
	return good;
}

static void
remember(struct act *act, const struct principal *p)
{
	char key[72], value[256];
	int n;

	if (act->cache == NULL || p->roles != BY_APPLICANT || p->state != PRINCIPAL_LIVE)
		return;
	cache_key(act, key);
	n = snprintf(value, sizeof value, "%s %" PRId64 " %s", p->id, p->idle_until, p->name);
	cache_set(act->cache, key, value, (size_t)n, CACHE_S);
}

/* "{operator,national}" as PostgreSQL writes an array of plain words. */
static unsigned
roles_of(const char *array)
{
	static const struct { const char *name; unsigned bit; } roles[] = {
		{ "contact", BY_APPLICANT }, { "operator", BY_OPERATOR }, { "director", BY_DIRECTOR },
		{ "finance", BY_FINANCE }, { "national", BY_NATIONAL }, { "administrator", BY_ADMIN },
		{ "auditor", BY_AUDITOR },
	};
	unsigned found = 0;

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (strstr(array, roles[i].name) != NULL)
			found |= roles[i].bit;
	return found;
}

int
login_principal(struct act *act, struct principal *p)
{
	struct db_result *r;
	const char *state;
	int error;

	memset(p, 0, sizeof *p);
	if (!act->identified || cached(act, p))
		return 0;
	if ((error = act_begin(act)) != 0 || (error = db_query_commit(act->db, &touch, NULL, 0, &r)) != 0)
		return error == ICERT_E_TIMEOUT ? ICERT_E_UNAVAILABLE : error;
	state = db_text(r, 0, 0);
	if (strcmp(state, "none") != 0 && state[0] != '\0') {
		p->state = strcmp(state, "live") == 0 ? PRINCIPAL_LIVE : PRINCIPAL_LOCKED;
		snprintf(p->id, sizeof p->id, "%s", db_text(r, 0, 2));
		snprintf(p->name, sizeof p->name, "%s", db_text(r, 0, 3));
		p->roles = p->state == PRINCIPAL_LIVE ? roles_of(db_text(r, 0, 4)) : 0;
		p->fresh_until = db_int(r, 0, 5);
		p->idle_until = db_int(r, 0, 6);
	}
	db_result_free(r);
	remember(act, p);
	return 0;
}

int
login_logout(struct act *act)
{
	char key[72];
	int error;

	if (!act->identified)
		return 0;
	if (act->cache != NULL) {
		cache_key(act, key);
		(void)cache_del(act->cache, key);
	}
	if ((error = act_begin(act)) == 0 && (error = db_query(act->db, &end, NULL, 0, NULL)) == 0 &&
	    (error = act_audit(act, "login.logout", "session", NULL, NULL, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}

/* ------------------------------------------------------------------ links */

int
login_link_new(struct act *act, const char *contact, const char *application, const char *purchase,
    char token[LINK_TOKEN])
{
	uint8_t raw[16], hash[32];
	int64_t now = clock_real();
	int error;

	if ((error = bytes_random(raw, sizeof raw)) != 0)
		return error;
	bytes_to_hex(token, raw, sizeof raw);
	crypto_hash_sha256(hash, raw, sizeof raw);
	return DB_QUERY(act->db, &link_add, NULL, P_BYTES(hash, sizeof hash), P_TEXT(contact), P_TEXT(application),
	    P_TEXT(purchase), P_INT(now), P_INT(now + policy_int(act, "link.days", LINK_DAYS) * DAY_S));
}

int
login_link_find(struct act *act, const char *token, struct login_link *link)
{
	struct db_result *r;
	uint8_t raw[16], hash[32];
	int error;

	memset(link, 0, sizeof *link);
	if (strlen(token) != LINK_TOKEN - 1 || bytes_from_hex(raw, sizeof raw, token) != 0)
		return ICERT_E_NOT_FOUND;
	crypto_hash_sha256(hash, raw, sizeof raw);
	if ((error = DB_QUERY(act->db, &link_get, &r, P_BYTES(hash, sizeof hash))) != 0)
		return error;
	if (db_is_null(r, 0, 0))
		error = ICERT_E_NOT_FOUND;
	snprintf(link->contact, sizeof link->contact, "%s", db_text(r, 0, 0));
	snprintf(link->application, sizeof link->application, "%s", db_text(r, 0, 1));
	snprintf(link->purchase, sizeof link->purchase, "%s", db_text(r, 0, 2));
	snprintf(link->masked, sizeof link->masked, "%s", db_text(r, 0, 3));
	db_result_free(r);
	return error;
}

/* ------------------------------------------------------------------ parked forms */

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
	if (error == 0 && (error = DB_QUERY(act->db, &unpark, NULL, P_TEXT(db_text(r, 0, 0)))) == 0)
		error = db_commit(act->db);
out:
	if (error != 0)
		db_rollback(act->db);
	db_result_free(r);
	return error;
}
