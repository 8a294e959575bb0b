#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/keyproto.h"
#include "libicert/sealed.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/envelope.h"

#define JSON_MAX 1024

static const struct db_stmt sealed_envelope = { "envelope_sealed",
	"select d.sealed from icert.delivery d where d.certificate_id = $1 and d.label = 'envelope' and d.destroyed_at is null" };
static const struct db_stmt blank = { "envelope_blank",
	"update icert.delivery set sealed = null, destroyed_at = $2 where certificate_id = $1 and label = 'envelope'"
	" and destroyed_at is null" };

/* Inside the open transaction: the certificate whose envelope may be opened. */
static int
standing(struct act *act, const char *application, struct certificate *c)
{
	int error;

	if (!(act->roles & BY_APPLICANT) || !act->identified)
		return ICERT_E_DENIED;
	if ((error = certificate_of(act, application, c)) != 0)
		return error;
	return c->published && strcmp(c->state, "good") == 0 ? 0 : ICERT_E_STATE;
}

static int
read_content(const struct buf *json, struct envelope *out)
{
	json_t *root;
	const char *password, *code;
	int error = ICERT_E_MALFORMED;

	if (json->len > JSON_MAX || (root = json_loadb((const char *)json->p, json->len, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		return error;
	password = json_string_value(json_object_get(root, "password"));
	code = json_string_value(json_object_get(root, "revocation_code"));
	/* A token's has no password: its PIN is the holder's own. */
	if (password == NULL)
		password = "";
	if (code != NULL && strlen(password) < sizeof out->password &&
	    strlen(code) < sizeof out->revocation_code) {
		strcpy(out->password, password);
		strcpy(out->revocation_code, code);
		error = 0;
	}
	json_decref(root);
	return error;
}

static int
open_sealed(struct act *act, const struct certificate *c, const uint8_t key[32], struct envelope *out)
{
	struct buf plain = BUF_INIT;
	struct db_result *r;
	char context[DELIVERY_CONTEXT];
	uint8_t case_id[ID_RAW];
	const uint8_t *sealed;
	size_t n;
	int error;

	if ((error = id_raw(c->application, case_id)) != 0 ||
	    (error = DB_QUERY(act->db, &sealed_envelope, &r, P_TEXT(c->id))) != 0)
		return error;
	sealed = db_bytes(r, 0, 0, &n);
	delivery_context(context, case_id, DELIVERY_ENVELOPE);
	error = n == 0 ? ICERT_E_DESTROYED : sealed_open(key, context, sealed, n, &plain);
	if (error == 0)
		error = read_content(&plain, out);
	db_result_free(r);
	buf_free(&plain);
	return error;
}

int
envelope_open(struct act *act, const char *application, const char *code, struct envelope *out, int *tries_left)
{
	struct certificate c;
	uint8_t key[32];
	int error, tries = 0;

	memset(out, 0, sizeof *out);
	if ((error = act_begin(act)) == 0 && (error = standing(act, application, &c)) == 0) {
		error = keeper_envelope_open(act->keeper, application, act->identity.hash, code, key, &tries);
		if (error == 0)
			error = open_sealed(act, &c, key, out);
		bytes_wipe(key, sizeof key);
	}
	if (tries_left != NULL)
		*tries_left = tries;
	if (error == 0 && (error = act_audit(act, code != NULL ? "envelope.open" : "envelope.again", "certificate", c.id,
	    application, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	if (error == 0)
		return 0;
	bytes_wipe(out, sizeof *out);
	/* Looking whether it can be shown again is no attempt. */
	if (code == NULL) {
		db_rollback(act->db);
		return error;
	}
	return act_refuse(act, "envelope.open", "application", id_valid(application) ? application : NULL, 0, error);
}

int
envelope_done(struct act *act, const char *application)
{
	struct certificate c;
	int error;

	if ((error = act_begin(act)) == 0 && (error = standing(act, application, &c)) == 0 &&
	    (error = keeper_envelope_done(act->keeper, application, act->identity.hash)) == 0 &&
	    (error = DB_QUERY(act->db, &blank, NULL, P_TEXT(c.id), P_INT(clock_business()))) == 0 &&
	    (error = act_audit(act, "envelope.done", "certificate", c.id, application, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "envelope.done", "application", id_valid(application) ? application : NULL, 0, error);
	return 0;
}
