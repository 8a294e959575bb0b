#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/keyproto.h"
#include "libicert/sealed.h"
#include "procedure/case.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/envelope.h"
#include "procedure/certificate/token.h"
#include "procedure/clock/deadline.h"

#define JSON_MAX 1024

static const struct db_stmt sealed_envelope = { "envelope_sealed",
	"select d.sealed from icert.delivery d where d.certificate_id = $1 and d.label = 'envelope' and d.destroyed_at is null" };
static const struct db_stmt blank = { "envelope_blank",
	"update icert.delivery set sealed = null, destroyed_at = $2 where certificate_id = $1 and label = 'envelope'"
	" and destroyed_at is null" };

static const struct db_stmt hold = { "envelope_hold",
	"select locked_at from icert.envelope where application_id = $1 for update" };
static const struct db_stmt lock_now = { "envelope_lock",
	"update icert.envelope set locked_at = $2 where application_id = $1 and locked_at is null" };

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

/*
 * The keeper has locked it: noted once, with the clock and whoever has to know, in the transaction that is open.  A file's certificate
 * cannot sign without what is inside; a token's can.
 */
static int
note_locked(struct act *act, const struct case_file *c)
{
	int file = strcmp(c->a.container, CONTAINER_TOKEN) != 0, error;
	int turn = c->a.state == APPLICATION_ISSUED || c->a.state == APPLICATION_CONTRACT_SENT;
	char dedup[24 + MAILING_MOMENT], at[MAILING_MOMENT];

	mailing_moment(clock_business(), at);
	if ((error = DB_QUERY(act->db, &lock_now, NULL, P_TEXT(c->a.id), P_INT(clock_business()))) != 0 ||
	    (error = act_audit(act, "envelope.lock", "application", c->a.id, c->a.id, c->a.province, NULL, NULL)) != 0)
		return error;
	if (file && turn && (error = deadline_clock_stop(act, c->a.id, "envelope_locked", NULL)) != 0)
		return error;
	snprintf(dedup, sizeof dedup, "envelope_locked:%s", at);
	if ((error = case_mail_staff(act, c, "envelope", dedup)) != 0)
		return error;
	snprintf(dedup, sizeof dedup, "locked:%s", at);
	return case_mail(act, c, MAIL_ENVELOPE_CODE, (const struct outbox_variable[]){
	    { "event", "locked" }, { "stands", file && turn ? "1" : "" } }, 2, dedup);
}

/* Under the lock of its row, which a new code takes too: who comes second sees what the first has done. */
static int
open_it(struct act *act, const struct case_file *c, const struct certificate *certificate, const char *code,
    struct envelope *out, int *tries)
{
	struct db_result *r;
	uint8_t key[32];
	int error, known;

	if ((error = DB_QUERY(act->db, &hold, &r, P_TEXT(c->a.id))) != 0)
		return error;
	known = db_rows(r) == 1 && !db_is_null(r, 0, 0);
	db_result_free(r);
	error = keeper_envelope_open(act->keeper, c->a.id, act->identity.hash, code, key, tries);
	if (error == ICERT_E_CODE_SPENT && !known) {
		if ((error = note_locked(act, c)) == 0 && code != NULL)
			error = act_audit_refused(act, "envelope.open", "application", c->a.id, c->a.province, ICERT_E_CODE_SPENT);
		if (error == 0 && (error = db_commit(act->db)) == 0)
			error = ICERT_E_CODE_SPENT;
	}
	if (error == 0)
		error = open_sealed(act, certificate, key, out);
	bytes_wipe(key, sizeof key);
	return error;
}

int
envelope_open(struct act *act, const char *application, const char *code, struct envelope *out, int *tries_left)
{
	struct certificate certificate;
	struct case_file c;
	int error, tries = 0;

	memset(out, 0, sizeof *out);
	if ((error = case_open(act, application, -1, &c)) == 0 && (error = standing(act, application, &certificate)) == 0)
		error = open_it(act, &c, &certificate, code, out, &tries);
	bytes_wipe(c.key, sizeof c.key);
	if (tries_left != NULL)
		*tries_left = tries;
	if (error == 0 && (error = act_audit(act, code != NULL ? "envelope.open" : "envelope.again", "certificate",
	    certificate.id, application, 0, NULL, NULL)) == 0)
		error = db_commit(act->db);
	if (error == 0)
		return 0;
	bytes_wipe(out, sizeof *out);
	/* Looking whether it can be shown again is no attempt; a lock was noted with its refusal. */
	if (code == NULL || (error == ICERT_E_CODE_SPENT && !db_in_tx(act->db))) {
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
