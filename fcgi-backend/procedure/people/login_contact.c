/*
 * Proving a mailbox: one code a contact and browser, the same one re-sent while
 * it is valid.
 */
#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/normalise.h"
#include "mail/outbox.h"
#include "procedure/datakey.h"
#include "procedure/people/identifier.h"
#include "procedure/people/login.h"

#define CODE_DIGITS	6
#define CODE_SPAN	1000000u
#define RESEND_S	30	/* between two mails of one code */
#define CODES_HOUR	20	/* new codes a mailbox an hour, for strangers and for holders of a link each */

static const struct db_stmt find_contact = { "login_contact_find",
	"select contact, masked, key_id, wrapped from icert.login_contact_find($1)" };
static const struct db_stmt new_contact = { "login_contact_new",
	"select icert.login_contact_new($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt current_code = { "login_code_current",
	"select id, code, sent_at, expires_at from icert.login_code_current($1, $2)" };
static const struct db_stmt codes_hour = { "login_codes_hour", "select icert.login_codes_hour($1, $2)" };
static const struct db_stmt new_code = { "login_code_new", "select icert.login_code_new($1, $2, $3, $4, $5, $6)" };
static const struct db_stmt code_sent = { "login_code_sent", "select icert.login_code_sent($1)" };
static const struct db_stmt asked_code = { "login_code_asked", "select id, contact from icert.login_code_asked($1)" };
static const struct db_stmt open_session = { "login_code_open",
	"select verdict, contact, left_tries from icert.login_code_open($1, $2, $3, $4, $5, $6)" };

struct mailbox {
	char	id[ID_TEXT];
	char	key_id[ID_TEXT];
	uint8_t	key[DATAKEY_BYTES];
	int	vouched;
};

/* "m***@dominio.ec": enough for the owner to know it, not for others. */
static void
mask(const char *email, char *out, size_t size)
{
	const char *at = strchr(email, '@');

	snprintf(out, size, "%c***%s", email[0], at != NULL ? at : "");
}

static int
add_mailbox(struct act *act, const char *email, const uint8_t hash[32], struct mailbox *m, char *masked, size_t size)
{
	uint8_t wrapped[KEEPER_WRAPPED];
	struct buf sealed = BUF_INIT;
	char place[80];
	int error;

	if ((error = id_new(m->id)) != 0 ||
	    (error = keeper_datakey_new(act->keeper, DATAKEY_CONTACT, m->key_id, m->key, wrapped)) != 0)
		return error;
	mask(email, masked, size);
	snprintf(place, sizeof place, "contact|email|%s", m->id);
	if ((error = seal_field(m->key, place, email, strlen(email), &sealed)) == 0)
		error = DB_QUERY(act->db, &new_contact, NULL, P_TEXT(m->id), P_BYTES(hash, 32), P_BYTES(sealed.p, sealed.len),
		    P_TEXT(masked), P_TEXT(m->key_id), P_BYTES(wrapped, sizeof wrapped), P_INT(clock_business()));
	buf_free(&sealed);
	return error;
}

/* The contact of an address, made if it is new; inside the open transaction. */
static int
find_mailbox(struct act *act, const char *email, const uint8_t hash[32], struct mailbox *m, char *masked, size_t size)
{
	struct db_result *r;
	const uint8_t *wrapped;
	size_t n;
	int error;

	if ((error = DB_QUERY(act->db, &find_contact, &r, P_BYTES(hash, 32))) != 0)
		return error;
	if (db_is_null(r, 0, 0))
		error = add_mailbox(act, email, hash, m, masked, size);
	else {
		snprintf(m->id, sizeof m->id, "%s", db_text(r, 0, 0));
		snprintf(masked, size, "%s", db_text(r, 0, 1));
		snprintf(m->key_id, sizeof m->key_id, "%s", db_text(r, 0, 2));
		wrapped = db_bytes(r, 0, 3, &n);
		error = datakey_unwrap(act, wrapped, n, m->key);
	}
	db_result_free(r);
	return error;
}

static int
mail_code(struct act *act, const struct mailbox *m, const char *code, int64_t until)
{
	char moment[24];
	struct outbox_variable variables[] = { { "code", code }, { "until", moment } };
	struct outbox_mail mail = {
		.template = MAIL_CODE,
		.contact = m->id,
		.key_id = m->key_id,
		.key = m->key,
		.variables = variables,
		.n_variables = 2,
	};

	snprintf(moment, sizeof moment, "%" PRId64, until);
	return outbox_add(act->db, &mail, NULL);
}

/* What proves a code to the database: the keeper's hash of whose, which and the digits. */
static int
proof_of(struct act *act, const char *contact, const char *id, const char *digits, uint8_t proof[32])
{
	char text[2 * ID_TEXT + CODE_DIGITS + 1];
	int error;

	snprintf(text, sizeof text, "%s|%s|%s", contact, id, digits);
	error = keeper_lookup(act->keeper, "code", text, proof);
	bytes_wipe(text, sizeof text);
	return error;
}

static int
may_make(struct act *act, const struct mailbox *m)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &codes_hour, &r, P_TEXT(m->id), P_BOOL(m->vouched))) != 0)
		return error;
	error = db_int(r, 0, 0) >= CODES_HOUR ? ICERT_E_BUSY : 0;
	db_result_free(r);
	return error;
}

static int
make_code(struct act *act, const struct mailbox *m, const uint8_t browser[32], struct login_sent *sent)
{
	struct buf sealed = BUF_INIT;
	struct db_result *r = NULL;
	char id[ID_TEXT], code[CODE_DIGITS + 1], place[80];
	uint8_t proof[32];
	int error;

	if ((error = may_make(act, m)) != 0 || (error = id_new(id)) != 0)
		return error;
	snprintf(code, sizeof code, "%06u", randombytes_uniform(CODE_SPAN));
	snprintf(place, sizeof place, "code|code|%s", id);
	if ((error = seal_field(m->key, place, code, CODE_DIGITS, &sealed)) == 0 &&
	    (error = proof_of(act, m->id, id, code, proof)) == 0 &&
	    (error = DB_QUERY(act->db, &new_code, &r, P_TEXT(id), P_TEXT(m->id), P_BYTES(browser, 32),
	    P_BYTES(sealed.p, sealed.len), P_BYTES(proof, sizeof proof), P_BOOL(m->vouched))) == 0) {
		sent->valid_until = db_int(r, 0, 0);
		error = mail_code(act, m, code, sent->valid_until);
	}
	db_result_free(r);
	buf_free(&sealed);
	bytes_wipe(code, sizeof code);
	return error;
}

/* The same code again; ICERT_E_BUSY when it has just been sent. */
static int
resend_code(struct act *act, const struct mailbox *m, struct db_result *r, struct login_sent *sent)
{
	struct buf plain = BUF_INIT;
	char place[80];
	const uint8_t *sealed;
	size_t n;
	int error;

	sent->resent = 1;
	sent->valid_until = db_int(r, 0, 3);
	if (clock_real() - db_int(r, 0, 2) < RESEND_S)
		return ICERT_E_BUSY;
	snprintf(place, sizeof place, "code|code|%s", db_text(r, 0, 0));
	sealed = db_bytes(r, 0, 1, &n);
	if ((error = open_field(m->key, place, sealed, n, &plain)) == 0 &&
	    (error = mail_code(act, m, buf_str(&plain), sent->valid_until)) == 0)
		error = DB_QUERY(act->db, &code_sent, NULL, P_TEXT(db_text(r, 0, 0)));
	buf_free(&plain);
	return error;
}

static int
send_code(struct act *act, const struct mailbox *m, const uint8_t browser[32], struct login_sent *sent)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &current_code, &r, P_TEXT(m->id), P_BYTES(browser, 32))) != 0)
		return error;
	error = db_is_null(r, 0, 0) ? make_code(act, m, browser, sent) : resend_code(act, m, r, sent);
	db_result_free(r);
	if (error == 0)
		error = act_audit(act, "login.code_sent", "contact", m->id, NULL, 0, sent->resent ? "again" : NULL, NULL);
	return error == 0 ? db_commit(act->db) : error;
}

int
login_code_send(struct act *act, const char *email, const uint8_t browser[32], struct login_sent *sent)
{
	struct mailbox m = { .vouched = 0 };
	char one[NORMALISED_MAX];
	uint8_t hash[32];
	int error;

	memset(sent, 0, sizeof *sent);
	if (normalise_email(email, one, sizeof one) != 0 || identifier_email(one) != NULL)
		return ICERT_E_INVALID;
	if (act->keeper == NULL || sodium_init() < 0)
		return ICERT_E_UNAVAILABLE;
	if ((error = keeper_lookup(act->keeper, "email", one, hash)) != 0)
		return error;
	for (int again = 0; again < 2; again++) {
		if ((error = db_begin(act->db, NULL)) == 0 &&
		    (error = find_mailbox(act, one, hash, &m, sent->masked, sizeof sent->masked)) == 0)
			error = send_code(act, &m, browser, sent);
		if (error != 0)
			db_rollback(act->db);
		/* Two browsers may meet a new address at the same moment. */
		if (error != ICERT_E_EXISTS)
			break;
	}
	bytes_wipe(m.key, sizeof m.key);
	return error;
}

int
login_code_send_link(struct act *act, const char *token, const uint8_t browser[32], struct login_sent *sent)
{
	static const struct db_stmt find = { "login_link_contact",
		"select contact, masked, key_id, wrapped from icert.link_find($1)" };
	struct mailbox m = { .vouched = 1 };
	struct db_result *r = NULL;
	uint8_t raw[16], hash[32];
	const uint8_t *wrapped;
	size_t n;
	int error;

	memset(sent, 0, sizeof *sent);
	if (strlen(token) != LINK_TOKEN - 1 || bytes_from_hex(raw, sizeof raw, token) != 0)
		return ICERT_E_NOT_FOUND;
	crypto_hash_sha256(hash, raw, sizeof raw);
	if ((error = db_begin(act->db, NULL)) == 0 && (error = DB_QUERY(act->db, &find, &r, P_BYTES(hash, 32))) == 0) {
		if (db_is_null(r, 0, 0))
			error = ICERT_E_NOT_FOUND;
		else {
			snprintf(m.id, sizeof m.id, "%s", db_text(r, 0, 0));
			snprintf(sent->masked, sizeof sent->masked, "%s", db_text(r, 0, 1));
			snprintf(m.key_id, sizeof m.key_id, "%s", db_text(r, 0, 2));
			wrapped = db_bytes(r, 0, 3, &n);
			if ((error = datakey_unwrap(act, wrapped, n, m.key)) == 0)
				error = send_code(act, &m, browser, sent);
		}
	}
	db_result_free(r);
	if (error != 0)
		db_rollback(act->db);
	bytes_wipe(m.key, sizeof m.key);
	return error;
}

/* The six digits, whatever was typed between them. */
static int
digits_of(const char *text, char out[CODE_DIGITS + 1])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ' || *text == '-')
			continue;
		if (!isdigit((unsigned char)*text) || n == CODE_DIGITS)
			return 0;
		out[n++] = *text;
	}
	out[n] = '\0';
	return n == CODE_DIGITS;
}

static int
verdict_of(const char *verdict)
{
	static const struct { const char *verdict; int error; } all[] = {
		{ "ok", 0 }, { "expired", ICERT_E_EXPIRED }, { "spent", ICERT_E_CODE_SPENT }, { "wrong", ICERT_E_CODE_WRONG },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(verdict, all[i].verdict) == 0)
			return all[i].error;
	return ICERT_E_NOT_FOUND;
}

/* The proof of what was typed, for the code asked for in this browser. */
static int
typed_proof(struct act *act, const uint8_t browser[32], const char *typed, char id[ID_TEXT], uint8_t proof[32])
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &asked_code, &r, P_BYTES(browser, 32))) != 0)
		return error;
	if (db_is_null(r, 0, 0))
		error = ICERT_E_NOT_FOUND;
	else {
		snprintf(id, ID_TEXT, "%s", db_text(r, 0, 0));
		error = proof_of(act, db_text(r, 0, 1), id, typed, proof);
	}
	db_result_free(r);
	return error;
}

static void
become(struct act *act, const char *contact, const uint8_t identity[32])
{
	memcpy(act->identity.hash, identity, 32);
	act->identity.generation = 0;
	act->identified = 1;
	act->roles = BY_APPLICANT;
	snprintf(act->id, sizeof act->id, "%s", contact);
}

int
login_code_check(struct act *act, const uint8_t browser[32], const char *code, const uint8_t identity[32], int *left)
{
	struct db_result *r = NULL;
	char typed[CODE_DIGITS + 1], id[ID_TEXT], contact[ID_TEXT];
	uint8_t proof[32], hash[32];
	int error, verdict;

	*left = 0;
	if (!digits_of(code, typed)) {
		/* What cannot be a code costs no try. */
		*left = -1;
		return ICERT_E_INVALID;
	}
	if (act->keeper == NULL || sodium_init() < 0)
		return ICERT_E_UNAVAILABLE;
	if ((error = typed_proof(act, browser, typed, id, proof)) != 0)
		return error;
	crypto_hash_sha256(hash, identity, 32);
	/* The try and its row of the log, or neither and no verdict. */
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &open_session, &r, P_BYTES(browser, 32), P_TEXT(id),
	    P_BYTES(proof, sizeof proof), P_BYTES(hash, sizeof hash), P_TEXT(act->country), P_TEXT(act->network))) != 0) {
		db_rollback(act->db);
		return error;
	}
	verdict = verdict_of(db_text(r, 0, 0));
	snprintf(contact, sizeof contact, "%s", db_text(r, 0, 1));
	*left = (int)db_int(r, 0, 2);
	db_result_free(r);
	if (verdict == 0)
		become(act, contact, identity);
	if (contact[0] != '\0')
		error = verdict == 0 ? act_audit(act, "login.contact", "contact", contact, NULL, 0, NULL, NULL) :
		    act_audit_refused(act, "login.contact", "contact", contact, 0, verdict);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error != 0 ? error : verdict;
}
