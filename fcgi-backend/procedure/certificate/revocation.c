/* The holder revokes: by session, or by the code of the envelope. */
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/revocation_row.h"

#define SERIAL_BYTES 16

const char *const certificate_holder_reasons[] = {
	"key_compromise", "lost_access", "data_changed", "not_needed", "unspecified", NULL
};
static const int16_t reason_codes[] = {
	REASON_KEY_COMPROMISE, REASON_UNSPECIFIED, REASON_AFFILIATION_CHANGED, REASON_CESSATION, REASON_UNSPECIFIED
};

static const struct db_stmt by_code = { "certificate_revoke_by_code",
	"select certificate, application, contact, serial, number, province, key_id, wrapped, again, closed"
	" from icert.revoke_by_code($1, $2::smallint, $3, $4, $5)" };

static void
serial_of(struct db_result *r, char out[33])
{
	const uint8_t *serial;
	size_t n;

	serial = db_bytes(r, 0, 3, &n);
	if (n == SERIAL_BYTES)
		bytes_to_hex(out, serial, n);
}

static int
reason_index(const char *reason)
{
	for (int i = 0; certificate_holder_reasons[i] != NULL; i++)
		if (strcmp(certificate_holder_reasons[i], reason) == 0)
			return i;
	return -1;
}

/* The certificate first, then its case: the order revoke_by_code() keeps too. */
static int
revoke_with_case(struct act *act, const struct certificate *c, int reason)
{
	const char *code = certificate_holder_reasons[reason];
	int64_t now = clock_real();
	struct case_file file;
	struct db_result *r;
	int error;

	memset(&file, 0, sizeof file);
	if ((error = revocation_write(act, c->id, "holder", code, reason_codes[reason], now)) != 0 ||
	    (error = DB_QUERY(act->db, &case_select_portal, &r, P_TEXT(c->application))) != 0)
		return error;
	error = db_rows(r) == 1 ? case_fill(act, r, &file.a, 1, &file.key) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	if (error == 0 && transition_find(ACTION_CLOSE_REVOKED, file.a.state, act->roles, NULL) != NULL)
		error = case_move(act, &file, ACTION_CLOSE_REVOKED, "revoked_by_holder", NULL);
	if (error == 0) {
		const struct mailing m = { .application = file.a.id, .contact = file.a.contact, .number = file.a.number,
			.province = file.a.province, .key_id = file.a.key, .key = file.key };

		if ((error = revocation_tell(act, &m, c->id, code, c->serial, now)) == 0)
			error = act_audit(act, "certificate.revoke", "certificate", c->id, c->application, file.a.province, code,
			    NULL);
	}
	bytes_wipe(&file, sizeof file);
	return error;
}

int
certificate_revoke(struct act *act, const char *id, const char *reason)
{
	struct certificate c;
	int error, index = reason_index(reason);

	if (index < 0)
		return ICERT_E_INVALID;
	if ((error = act_begin(act)) != 0)
		return error;
	if (!(act->roles & BY_APPLICANT))
		error = ICERT_E_DENIED;
	else if ((error = certificate_get(act, id, &c)) == 0) {
		if (strcmp(c.state, "revoked") == 0) {
			db_rollback(act->db);
			return 0;
		}
		error = strcmp(c.state, "good") == 0 ? revoke_with_case(act, &c, index) : ICERT_E_STATE;
	}
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "certificate.revoke", "certificate", id_valid(id) ? id : NULL, 0, error);
	return 0;
}

/* As the keymaker hashed it: characters alone, in upper case. */
static int
code_hash(const char *code, uint8_t hash[32])
{
	char one[64];
	size_t n = 0;

	for (; *code != '\0'; code++) {
		if (*code == '-' || isspace((unsigned char)*code))
			continue;
		if (!isalnum((unsigned char)*code) || n == sizeof one)
			return ICERT_E_CODE_WRONG;
		one[n++] = (char)toupper((unsigned char)*code);
	}
	if (n == 0)
		return ICERT_E_CODE_WRONG;
	crypto_hash_sha256(hash, (const unsigned char *)one, n);
	bytes_wipe(one, sizeof one);
	return 0;
}

/* What follows the database's own part: rows of audit, and the mail. */
static int
tell_by_code(struct act *act, struct db_result *r, const char *reason, const char *serial, int64_t now)
{
	const char *certificate = db_text(r, 0, 0), *application = db_text(r, 0, 1);
	int error, province = (int)db_int(r, 0, 5);
	uint8_t key[DATAKEY_BYTES];
	const struct mailing m = { .application = application, .contact = db_text(r, 0, 2), .number = db_text(r, 0, 4),
		.province = province, .key_id = db_text(r, 0, 6), .key = key };
	const uint8_t *wrapped;
	size_t n;

	if ((error = act_audit(act, "certificate.revoke", "certificate", certificate, application, province, reason,
	    "{\"by\":\"code\"}")) != 0)
		return error;
	if (db_bool(r, 0, 9) && (error = act_audit(act, "application.close_revoked", "application", application, application,
	    province, "revoked_by_holder", NULL)) != 0)
		return error;
	wrapped = db_bytes(r, 0, 7, &n);
	/* Revoking does not wait for the keeper: without it the mail has to. */
	if ((error = datakey_unwrap(act, wrapped, n, key)) != 0)
		return error == ICERT_E_UNAVAILABLE || error == ICERT_E_TIMEOUT || error == ICERT_E_DESTROYED ? 0 : error;
	error = revocation_tell(act, &m, certificate, reason, serial, now);
	bytes_wipe(key, sizeof key);
	return error;
}

int
certificate_revoke_by_code(struct act *act, const char *code, const char *reason, char serial[33])
{
	struct db_result *r = NULL;
	char text[33] = "";
	uint8_t hash[32];
	int64_t now = clock_real();
	int error, index = reason_index(reason);

	if (serial != NULL)
		serial[0] = '\0';
	if (index < 0)
		return ICERT_E_INVALID;
	if ((error = code_hash(code, hash)) != 0)
		return act_refuse(act, "certificate.revoke", "certificate", NULL, 0, error);
	if ((error = act_begin(act)) == 0 && (error = DB_QUERY(act->db, &by_code, &r, P_BYTES(hash, sizeof hash),
	    P_INT(reason_codes[index]), P_TEXT(reason), P_INT(now), P_INT(clock_business()))) == 0) {
		if (db_is_null(r, 0, 0))
			error = ICERT_E_CODE_WRONG;
		else {
			serial_of(r, text);
			error = db_bool(r, 0, 8) ? 0 : tell_by_code(act, r, reason, text, now);
		}
	}
	db_result_free(r);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "certificate.revoke", "certificate", NULL, 0, error);
	if (serial != NULL)
		memcpy(serial, text, sizeof text);
	return 0;
}
