/*
 * The steps of issuing that need a key program: the key, the certificate, what
 * is delivered.  Each is stored before the next begins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "crypt/keeper.h"
#include "crypt/keymaker.h"
#include "crypt/seal.h"
#include "crypt/signer.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "pki/crl.h"
#include "pki/profile.h"
#include "procedure/certificate/issuance_job.h"

static const struct db_stmt sql_approval = {
	"issuance_approval",
	"select statement from icert.approval where application_id = $1 and kind = $2 and fields_hash = $3"
	" order by at desc limit 1"
};

static const struct db_stmt sql_paid = {
	"issuance_paid",
	"select state in ('paid', 'used') from icert.purchase where id = $1 for share"
};

static const struct db_stmt sql_key = {
	"issuance_key",
	"update icert.certificate set spki = $2, spki_sha256 = $3, key_word = $4, not_before = $5"
	" where id = $1 and spki is null and state = 'issuing'"
};

static const struct db_stmt sql_delivery = {
	"issuance_delivery",
	"insert into icert.delivery (certificate_id, label, sealed, profile, created_at) values ($1, $2, $3, $4, $5)"
};

static const struct db_stmt sql_der = {
	"issuance_der",
	"update icert.certificate set der = $2, not_after = $3, issuer = $4, crl_partition = $5"
	" where id = $1 and der is null and state = 'issuing'"
};

static const struct db_stmt sql_code = {
	"issuance_code",
	"update icert.certificate set revocation_code_sha256 = $2 where id = $1 and state = 'issuing'"
};

static const struct db_stmt sql_token = {
	"issuance_token",
	"select spki, request from icert.token_request where spki_sha256 = $1 and application_id = $2 and replaced_at is null"
};

int
job_change(struct act *act, const struct db_stmt *sql, const struct db_param *params, size_t n)
{
	struct db_result *result;
	int error = db_query(act->db, sql, params, n, &result);

	if (error != 0)
		return error;
	error = db_affected(result) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(result);
	return error;
}

static int
put_delivery(struct job *j, const char *label, const char *profile, const struct buf *sealed)
{
	return DB_QUERY(j->act->db, &sql_delivery, NULL, P_TEXT(j->id), P_TEXT(label), P_BYTES(sealed->p, sealed->len),
	    P_TEXT(profile), P_INT(clock_real()));
}

int
job_end(struct act *act, int error)
{
	if (error == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

static int
store_key(struct job *j)
{
	struct buf word = BUF_INIT;
	uint8_t hash[32];
	int error = ICERT_E_CRYPTO;

	if (!j->in_token)
		statement_encode(&j->word, &word);
	if (EVP_Digest(j->spki.p, j->spki.len, hash, NULL, EVP_sha256(), NULL) == 1 && (error = buf_error(&word)) == 0 &&
	    (error = act_begin(j->act)) == 0) {
		error = job_change(j->act, &sql_key, DB_PARAMS(P_TEXT(j->id), P_BYTES(j->spki.p, j->spki.len),
		    P_BYTES(hash, sizeof(hash)), j->in_token ? P_NULL : P_BYTES(word.p, word.len), P_INT(j->not_before)));
		if (error == 0 && !j->in_token)
			error = put_delivery(j, DELIVERY_PRIVATE, "", &j->sealed_private);
		error = job_end(j->act, error);
	}
	buf_free(&word);
	return error;
}

/* The key that the approved fields name, with the request that proves it. */
static int
read_token(struct job *j, const uint8_t hash[32])
{
	struct db_result *rows;
	const uint8_t *p;
	char place[120];
	size_t n;
	int error;

	error = DB_QUERY(j->act->db, &sql_token, &rows, P_BYTES(hash, 32), P_TEXT(j->application));
	if (error != 0)
		return error;
	if (db_rows(rows) != 1) {
		j->refusal = icert_err_code(ICERT_E_MISMATCH);
		error = ICERT_E_MISMATCH;
	} else {
		if (j->spki.len == 0) {
			p = db_bytes(rows, 0, 0, &n);
			buf_put(&j->spki, p, n);
			j->not_before = 0;
		}
		snprintf(place, sizeof(place), "token_request|request|%s", j->fields.spki_sha256_hex);
		p = db_bytes(rows, 0, 1, &n);
		error = open_field(j->key, place, p, n, &j->request);
	}
	db_result_free(rows);
	return error;
}

static int
token_key(struct job *j)
{
	uint8_t hash[32];
	int error;

	if (strlen(j->fields.spki_sha256_hex) != 64 || bytes_from_hex(hash, sizeof(hash), j->fields.spki_sha256_hex) != 0) {
		j->refusal = icert_err_code(ICERT_E_MISSING);
		return ICERT_E_MISSING;
	}
	if ((error = read_token(j, hash)) != 0 || j->not_before != 0)
		return error;
	j->not_before = clock_real();
	/* Somebody else's certificate has it: no other try changes that. */
	if ((error = store_key(j)) == ICERT_E_EXISTS)
		j->refusal = icert_err_code(error);
	return error;
}

/* The applicant's key pair, made once. */
static int
make_key(struct job *j)
{
	uint8_t key[32];
	int error;

	if (j->spki.len > 0)
		return 0;
	if ((error = keeper_delivery_new(j->act->keeper, j->application, DELIVERY_PRIVATE, key)) == 0)
		error = keymaker_make(j->i->keymaker, j->application, key, &j->sealed_private, &j->spki, &j->word);
	bytes_wipe(key, sizeof(key));
	if (error != 0)
		return error;
	j->not_before = clock_real();
	return store_key(j);
}

int
job_key(struct job *j)
{
	return j->in_token ? token_key(j) : make_key(j);
}

static int
read_approval(struct job *j, const char *kind, struct statement *out)
{
	struct db_result *rows;
	const uint8_t *p;
	size_t n;
	int error;

	error = DB_QUERY(j->act->db, &sql_approval, &rows, P_TEXT(j->application), P_TEXT(kind),
	    P_BYTES(j->fields_hash, sizeof(j->fields_hash)));
	if (error != 0)
		return error;
	if (db_rows(rows) == 0) {
		error = ICERT_E_NOT_FOUND;
	} else {
		p = db_bytes(rows, 0, 0, &n);
		error = statement_decode(out, p, n);
	}
	db_result_free(rows);
	return error;
}

/* Approvals that are there; which must be is the signer's judgement. */
static int
read_approvals(struct job *j, struct signer_order *order)
{
	static const char *const kinds[] = { "accept", "issue", "second" };
	size_t k;
	int error;

	for (k = 0; k < 3; k++) {
		error = read_approval(j, kinds[k], &order->statements[order->statements_n]);
		if (error == 0)
			order->statements_n++;
		else if (error != ICERT_E_NOT_FOUND)
			return error;
	}
	return 0;
}

/* Refusals of the signer that another try cannot change. */
static int
is_final(int error)
{
	switch (error) {
	case ICERT_E_MISSING:
	case ICERT_E_STALE:
	case ICERT_E_FORGED:
	case ICERT_E_MISMATCH:
	case ICERT_E_OWN_CASE:
	case ICERT_E_EXISTS:
	case ICERT_E_LINT:
	case ICERT_E_INVALID:
	case ICERT_E_MALFORMED:
		return 1;
	}
	return 0;
}

/* Which CA made it, and where its revocation will be read, as it says itself. */
static int
points_of(const struct job *j, unsigned *issuer, unsigned *partition)
{
	return crl_point_find(j->der.p, j->der.len, config_require(j->act->config, "public", "crl_url"), issuer, partition);
}

/* It holds an address and a telephone: sealed like the form they come from. */
static int
store_der(struct job *j, int64_t not_after)
{
	struct buf sealed = BUF_INIT;
	unsigned issuer, partition;
	char place[80];
	int error;

	snprintf(place, sizeof(place), "certificate|der|%s", j->id);
	if ((error = points_of(j, &issuer, &partition)) == 0 &&
	    (error = seal_field(j->key, place, j->der.p, j->der.len, &sealed)) == 0)
		error = job_change(j->act, &sql_der, DB_PARAMS(P_TEXT(j->id), P_BYTES(sealed.p, sealed.len), P_INT(not_after),
		    P_INT(issuer), P_INT(partition)));
	buf_free(&sealed);
	return error;
}

int
job_paid(struct job *j)
{
	struct db_result *r;
	int error, paid;

	if ((error = DB_QUERY(j->act->db, &sql_paid, &r, P_TEXT(j->purchase))) != 0)
		return error;
	paid = db_rows(r) == 1 && db_bool(r, 0, 0);
	db_result_free(r);
	if (paid)
		return 0;
	j->refusal = "unpaid";
	return ICERT_E_STATE;
}

int
job_sign(struct job *j)
{
	struct signer_order order = { .case_id = j->application, .not_before = j->not_before, .fields = &j->fields,
	    .spki = j->spki.p, .spki_len = j->spki.len, .word = j->word };
	int64_t not_after = profile_years(j->not_before, atoi(j->fields.years));
	int error;

	if (j->der.len > 0)
		return 0;
	if (j->in_token) {
		order.request = j->request.p;
		order.request_len = j->request.len;
	}
	memcpy(order.serial, j->serial, sizeof(order.serial));
	if ((error = read_approvals(j, &order)) != 0 || (error = job_paid(j)) != 0)
		return error;
	if ((error = signer_certificate(j->i->signer, &order, &j->der)) != 0) {
		if (is_final(error)) {
			j->refusal = icert_err_code(error);
			snprintf(j->detail, sizeof(j->detail), "%s", j->i->signer->detail);
		}
		return error;
	}
	return store_der(j, not_after);
}

static int
store_packed(struct job *j, const struct buf *pkcs12, const struct buf *envelope, const uint8_t code[32])
{
	int error;

	if ((error = act_begin(j->act)) != 0)
		return error;
	if ((error = pkcs12 != NULL ? put_delivery(j, DELIVERY_PKCS12, "modern", pkcs12) : 0) == 0 &&
	    (error = put_delivery(j, DELIVERY_ENVELOPE, "", envelope)) == 0)
		error = job_change(j->act, &sql_code, DB_PARAMS(P_TEXT(j->id), P_BYTES(code, 32)));
	return job_end(j->act, error);
}

/* The revocation code alone: the key is in the token, and its PIN with the holder. */
static int
pack_envelope(struct job *j)
{
	struct buf envelope = BUF_INIT;
	uint8_t key[32], code[32];
	int error;

	if ((error = keeper_envelope_new(j->act->keeper, j->application, key)) == 0 &&
	    (error = keymaker_envelope(j->i->keymaker, j->application, key, &envelope, code)) == 0)
		error = store_packed(j, NULL, &envelope, code);
	bytes_wipe(key, sizeof(key));
	buf_free(&envelope);
	return error;
}

/* PKCS#12 and envelope, each under its delivery key. */
static int
pack_file(struct job *j)
{
	struct keymaker_pack request = { .sealed_private = j->sealed_private.p, .sealed_private_len = j->sealed_private.len,
	    .chain_n = 3, .friendly_name = j->fields.common_name, .profile = PKCS12_MODERN };
	struct buf pkcs12 = BUF_INIT, envelope = BUF_INIT;
	unsigned issuer, partition;
	uint8_t code[32];
	int error;

	if ((error = points_of(j, &issuer, &partition)) != 0)
		return error;
	request.chain[0].der = j->der.p;
	request.chain[0].len = j->der.len;
	request.chain[1].der = j->i->issuer[issuer - ISSUER_FIRST].p;
	request.chain[1].len = j->i->issuer[issuer - ISSUER_FIRST].len;
	request.chain[2].der = j->i->root.p;
	request.chain[2].len = j->i->root.len;
	if ((error = keeper_delivery_get(j->act->keeper, j->application, DELIVERY_PRIVATE, request.key_private)) == 0 &&
	    (error = keeper_delivery_new(j->act->keeper, j->application, DELIVERY_PKCS12, request.key_pkcs12)) == 0 &&
	    (error = keeper_envelope_new(j->act->keeper, j->application, request.key_envelope)) == 0 &&
	    (error = keymaker_pack(j->i->keymaker, j->application, &request, &pkcs12, &envelope, code)) == 0)
		error = store_packed(j, &pkcs12, &envelope, code);
	bytes_wipe(&request, sizeof(request));
	buf_free(&pkcs12);
	buf_free(&envelope);
	return error;
}


int
job_pack(struct job *j)
{
	int error;

	/* Not before the money was looked at once more: what was packed cannot be packed anew. */
	if (!j->packed && ((error = job_paid(j)) != 0 || (error = j->in_token ? pack_envelope(j) : pack_file(j)) != 0))
		return error;
	/* From here on the private key lies in the PKCS#12 alone, behind its password: nobody can take it out for the holder. */
	return j->in_token ? 0 : keeper_delivery_destroy(j->act->keeper, j->application, DELIVERY_PRIVATE);
}
