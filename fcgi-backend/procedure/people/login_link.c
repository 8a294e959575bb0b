/* Links in mails: they name a case, and prove nothing. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/people/login.h"
#include "procedure/policy.h"

#define LINK_DAYS	90
#define DAY_S		86400

static const struct db_stmt link_add = { "login_link_add",
	"insert into icert.link (hash, contact_id, application_id, purchase_id, created_at, expires_at)"
	" values ($1, $2, $3, $4, $5, $6)" };
static const struct db_stmt link_get = { "login_link_get",
	"select contact, application, purchase, masked from icert.link_find($1)" };

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
