/*
 * What follows a log-in: who a session is, and its end.
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/people/login.h"
#include "store/cache.h"

#define CACHE_S		60

static const struct db_stmt touch = { "login_touch",
	"select state, person, name, roles, fresh_until, idle_until, generation from icert.session_touch($1)" };
static const struct db_stmt end = { "login_end", "select icert.session_end()" };

static void
cache_key(const struct act *act, char out[72])
{
	uint8_t hash[32];
	char hex[65];

	crypto_hash_sha256(hash, act->identity.hash, sizeof act->identity.hash);
	bytes_to_hex(hex, hash, sizeof hash);
	snprintf(out, 72, "s:%s", hex);
}

/*
 * What this worker has just learnt, before Redis is asked: the same value, for no longer, and compared with the database like
 * Redis's.  One place a hash; a later session takes that of an earlier one.
 */
#define NEAR 64
static struct near {
	uint8_t hash[32];
	int64_t kept;		/* 0: empty */
	struct principal p;
} near[NEAR];

static struct near *
near_place(const struct act *act)
{
	return &near[act->identity.hash[0] % NEAR];
}

static void
near_keep(const struct act *act, const struct principal *p, int64_t kept)
{
	struct near *at = near_place(act);

	memcpy(at->hash, act->identity.hash, sizeof at->hash);
	at->kept = kept;
	at->p = *p;
}

static int
near_get(const struct act *act, struct principal *p)
{
	const struct near *at = near_place(act);
	int64_t now = clock_real();

	if (at->kept == 0 || at->kept > now || now - at->kept > CACHE_S || at->p.idle_until <= now ||
	    memcmp(at->hash, act->identity.hash, sizeof at->hash) != 0)
		return 0;
	*p = at->p;
	return 1;
}

/*
 * "<id> <generation> <idle_until> <kept_at> <name>"; contacts alone.  Redis may
 * have stood still with it, or got it late: the time of keeping is in it, and the
 * database compares the generation before it shows anything.
 */
static int
cached(struct act *act, struct principal *p)
{
	int64_t kept, now = clock_real();
	char key[72], *value;
	size_t n;
	int good;

	if (act->cache == NULL)
		return 0;
	if (near_get(act, p))
		return 1;
	cache_key(act, key);
	if (!cache_get(act->cache, key, &value, &n))
		return 0;
	good = sscanf(value, "%36s %" SCNd64 " %" SCNd64 " %" SCNd64 " %127[^\n]", p->id, &p->generation, &p->idle_until,
	    &kept, p->name) == 5 && p->idle_until > now && kept <= now && now - kept <= CACHE_S && p->generation > 0 &&
	    id_valid(p->id);
	free(value);
	if (good) {
		p->state = PRINCIPAL_LIVE;
		p->roles = BY_APPLICANT;
		near_keep(act, p, kept);
	} else
		memset(p, 0, sizeof *p);
	return good;
}

static void
remember(struct act *act, const struct principal *p, int64_t generation)
{
	char key[72], value[256];
	int n;

	if (act->cache == NULL || p->roles != BY_APPLICANT || p->state != PRINCIPAL_LIVE)
		return;
	cache_key(act, key);
	n = snprintf(value, sizeof value, "%s %" PRId64 " %" PRId64 " %" PRId64 " %s", p->id, generation, p->idle_until,
	    clock_real(), p->name);
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
login_principal(struct act *act, int by_itself, struct principal *p)
{
	struct db_result *r;
	const char *state;
	int64_t generation;
	int error;

	memset(p, 0, sizeof *p);
	if (!act->identified || cached(act, p))
		return 0;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &touch, &r, P_BOOL(!by_itself))) != 0)
		return error == ICERT_E_TIMEOUT ? ICERT_E_UNAVAILABLE : error;
	state = db_text(r, 0, 0);
	if (strcmp(state, "none") != 0 && state[0] != '\0') {
		p->state = strcmp(state, "live") == 0 ? PRINCIPAL_LIVE : PRINCIPAL_LOCKED;
		snprintf(p->id, sizeof p->id, "%s", db_text(r, 0, 1));
		snprintf(p->name, sizeof p->name, "%s", db_text(r, 0, 2));
		p->roles = p->state == PRINCIPAL_LIVE ? roles_of(db_text(r, 0, 3)) : 0;
		p->fresh_until = db_int(r, 0, 4);
		p->idle_until = db_int(r, 0, 5);
	}
	generation = db_int(r, 0, 6);
	db_result_free(r);
	remember(act, p, generation);
	return 0;
}

void
login_forget(struct act *act)
{
	char key[72];

	bytes_wipe(near_place(act), sizeof *near);
	if (act->cache == NULL)
		return;
	cache_key(act, key);
	(void)cache_del(act->cache, key);
}

/* Redis may not hear of it: the row is gone, and with it its generation. */
int
login_logout(struct act *act)
{
	int error;

	if (!act->identified)
		return 0;
	login_forget(act);
	if ((error = act_begin(act)) == 0 && (error = db_query(act->db, &end, NULL, 0, NULL)) == 0 &&
	    (error = act_audit(act, "login.logout", "session", NULL, NULL, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}
