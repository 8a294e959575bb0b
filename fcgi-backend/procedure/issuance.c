#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "crypt/keeper.h"
#include "crypt/keymaker.h"
#include "crypt/seal.h"
#include "crypt/signer.h"
#include "libicert/approval.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/id_list.h"
#include "libicert/log.h"
#include "pki/profile.h"
#include "procedure/datakey.h"
#include "procedure/deadline.h"
#include "procedure/issuance.h"
#include "procedure/mailing.h"
#include "procedure/policy.h"
#include "procedure/transition.h"

#define HOUR 3600
#define DAY 86400
#define DELIVERY_DAYS 15	/* where the policy table says nothing */
#define CONTRACT_HOURS 120

static const struct db_stmt sql_waiting = {
	"issuance_waiting",
	"select c.id::text from icert.certificate c join icert.application a on a.id = c.application_id"
	" where c.state = 'issuing' and a.state = 'issuing' order by c.created_at limit 100"
};

static const struct db_stmt sql_job = {
	"issuance_job",
	"select c.application_id::text, c.serial, c.fields, c.fields_hash, c.spki, c.key_word, c.der, c.not_before,"
	" a.version, coalesce(a.province, 0), a.number, a.contact_id::text, a.purchase_id::text, a.key_id::text, p.state,"
	" (select d.sealed from icert.delivery d where d.certificate_id = c.id and d.label = 'private'),"
	" exists (select from icert.delivery d where d.certificate_id = c.id and d.label = 'pkcs12')"
	" from icert.certificate c join icert.application a on a.id = c.application_id"
	" join icert.purchase p on p.id = a.purchase_id"
	" where c.id = $1 and c.state = 'issuing' and a.state = 'issuing'"
};

static const struct db_stmt sql_approval = {
	"issuance_approval",
	"select statement from icert.approval where application_id = $1 and kind = $2 and fields_hash = $3"
	" order by at desc limit 1"
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
	"update icert.certificate set der = $2, not_after = $3 where id = $1 and der is null and state = 'issuing'"
};

static const struct db_stmt sql_code = {
	"issuance_code",
	"update icert.certificate set revocation_code_sha256 = $2 where id = $1 and state = 'issuing'"
};

static const struct db_stmt sql_good = {
	"issuance_good",
	"update icert.certificate set state = 'good', issued_at = $2, delivery_until = $3"
	" where id = $1 and state = 'issuing'"
};

static const struct db_stmt sql_refused = {
	"issuance_refused",
	"update icert.certificate set state = 'refused', refusal = $2, refusal_detail = $3"
	" where id = $1 and state = 'issuing'"
};

static const struct db_stmt sql_status = {
	"issuance_status",
	"insert into icert.status_change (certificate_id, state, at) values ($1, 'good', $2)"
};

static const struct db_stmt sql_envelope = {
	"issuance_envelope",
	"update icert.envelope set used_at = $2 where application_id = $1 and used_at is null"
};

/* One certificate on its way; what the row said, then what was made. */
struct job {
	struct issuance *i;
	struct act *act;
	const char *id;
	char application[ID_TEXT], contact[ID_TEXT], purchase[ID_TEXT], key_id[ID_TEXT];
	char number[40], purchase_state[16];
	int version, province, packed;
	uint8_t serial[16], fields_hash[32], key[DATAKEY_BYTES];
	int64_t not_before;
	struct buf sealed_fields, sealed_der, store;	/* store: what fields points into */
	struct cert_fields fields;
	struct buf spki, der, sealed_private;
	struct statement word;
	const char *refusal;			/* stable code once it is to be sent back */
	char detail[256];
};

int
issuance_waiting(struct act *act, char ids[][ID_TEXT], size_t *n)
{
	struct db_result *rows;
	size_t room = *n;
	int i, error;

	*n = 0;
	if ((error = db_query(act->db, &sql_waiting, NULL, 0, &rows)) != 0)
		return error;
	for (i = 0; i < db_rows(rows) && *n < room; i++)
		snprintf(ids[(*n)++], ID_TEXT, "%s", db_text(rows, i, 0));
	db_result_free(rows);
	return 0;
}

static void
take(struct buf *out, struct db_result *rows, int col)
{
	size_t n;
	const uint8_t *p = db_bytes(rows, 0, col, &n);

	buf_put(out, p, n);
}

static int
take_exact(uint8_t *out, size_t size, struct db_result *rows, int col)
{
	size_t n;
	const uint8_t *p = db_bytes(rows, 0, col, &n);

	if (n != size)
		return ICERT_E_MALFORMED;
	memcpy(out, p, n);
	return 0;
}

static int
read_row(struct job *j, struct db_result *rows)
{
	const uint8_t *word;
	size_t n;
	int error;

	snprintf(j->application, ID_TEXT, "%s", db_text(rows, 0, 0));
	snprintf(j->number, sizeof(j->number), "%s", db_text(rows, 0, 10));
	snprintf(j->contact, ID_TEXT, "%s", db_text(rows, 0, 11));
	snprintf(j->purchase, ID_TEXT, "%s", db_text(rows, 0, 12));
	snprintf(j->key_id, ID_TEXT, "%s", db_text(rows, 0, 13));
	snprintf(j->purchase_state, sizeof(j->purchase_state), "%s", db_text(rows, 0, 14));
	j->not_before = db_int(rows, 0, 7);
	j->version = (int)db_int(rows, 0, 8);
	j->province = (int)db_int(rows, 0, 9);
	j->packed = db_bool(rows, 0, 16);
	if ((error = take_exact(j->serial, 16, rows, 1)) != 0 || (error = take_exact(j->fields_hash, 32, rows, 3)) != 0)
		return error;
	take(&j->sealed_fields, rows, 2);
	take(&j->spki, rows, 4);
	take(&j->sealed_der, rows, 6);
	take(&j->sealed_private, rows, 15);
	word = db_bytes(rows, 0, 5, &n);
	if (n > 0 && (error = statement_decode(&j->word, word, n)) != 0)
		return error;
	return buf_error(&j->sealed_private);
}

static int
open_fields(struct job *j)
{
	struct buf plain = BUF_INIT;
	uint8_t hash[32];
	char place[80];
	int error;

	snprintf(place, sizeof(place), "certificate|fields|%s", j->id);
	if ((error = datakey_open(j->act, j->key_id, j->key)) == 0 &&
	    (error = open_field(j->key, place, j->sealed_fields.p, j->sealed_fields.len, &plain)) == 0 &&
	    (error = cert_fields_decode(&j->fields, plain.p, plain.len, &j->store)) == 0 &&
	    (error = cert_fields_hash(&j->fields, hash)) == 0 && memcmp(hash, j->fields_hash, sizeof(hash)) != 0)
		error = ICERT_E_MISMATCH;
	snprintf(place, sizeof(place), "certificate|der|%s", j->id);
	if (error == 0 && j->sealed_der.len > 0)
		error = open_field(j->key, place, j->sealed_der.p, j->sealed_der.len, &j->der);
	buf_free(&plain);
	return error;
}

static int
load(struct job *j)
{
	struct db_result *rows;
	int error;

	if ((error = DB_QUERY(j->act->db, &sql_job, &rows, P_TEXT(j->id))) != 0)
		return error;
	error = db_rows(rows) == 1 ? read_row(j, rows) : ICERT_E_NOT_FOUND;
	db_result_free(rows);
	return error != 0 ? error : open_fields(j);
}

/* Exactly one row was changed: somebody else at the same row means to begin again. */
static int
change_one(struct act *act, const struct db_stmt *sql, const struct db_param *params, size_t n)
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

static int
end_tx(struct act *act, int error)
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

	statement_encode(&j->word, &word);
	if (EVP_Digest(j->spki.p, j->spki.len, hash, NULL, EVP_sha256(), NULL) == 1 && (error = buf_error(&word)) == 0 &&
	    (error = act_begin(j->act)) == 0) {
		error = change_one(j->act, &sql_key, DB_PARAMS(P_TEXT(j->id), P_BYTES(j->spki.p, j->spki.len),
		    P_BYTES(hash, sizeof(hash)), P_BYTES(word.p, word.len), P_INT(j->not_before)));
		if (error == 0)
			error = put_delivery(j, DELIVERY_PRIVATE, "", &j->sealed_private);
		error = end_tx(j->act, error);
	}
	buf_free(&word);
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

/* It holds an address and a telephone: sealed like the form they come from. */
static int
store_der(struct job *j, int64_t not_after)
{
	struct buf sealed = BUF_INIT;
	char place[80];
	int error;

	snprintf(place, sizeof(place), "certificate|der|%s", j->id);
	if ((error = seal_field(j->key, place, j->der.p, j->der.len, &sealed)) == 0)
		error = change_one(j->act, &sql_der, DB_PARAMS(P_TEXT(j->id), P_BYTES(sealed.p, sealed.len), P_INT(not_after)));
	buf_free(&sealed);
	return error;
}

static int
sign(struct job *j)
{
	struct signer_order order = { .case_id = j->application, .not_before = j->not_before, .fields = &j->fields,
	    .spki = j->spki.p, .spki_len = j->spki.len, .word = j->word };
	int64_t not_after = profile_years(j->not_before, atoi(j->fields.years));
	int error;

	if (j->der.len > 0)
		return 0;
	memcpy(order.serial, j->serial, sizeof(order.serial));
	if ((error = read_approvals(j, &order)) != 0)
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
	if ((error = put_delivery(j, DELIVERY_PKCS12, "modern", pkcs12)) == 0 &&
	    (error = put_delivery(j, DELIVERY_ENVELOPE, "", envelope)) == 0)
		error = change_one(j->act, &sql_code, DB_PARAMS(P_TEXT(j->id), P_BYTES(code, 32)));
	return end_tx(j->act, error);
}

/* PKCS#12 and envelope, each under its delivery key. */
static int
pack(struct job *j)
{
	struct keymaker_pack request = { .sealed_private = j->sealed_private.p, .sealed_private_len = j->sealed_private.len,
	    .chain_n = 3, .friendly_name = j->fields.common_name, .profile = PKCS12_MODERN };
	struct buf pkcs12 = BUF_INIT, envelope = BUF_INIT;
	uint8_t code[32];
	int error;

	if (j->packed)
		return 0;
	request.chain[0].der = j->der.p;
	request.chain[0].len = j->der.len;
	request.chain[1].der = j->i->issuer.p;
	request.chain[1].len = j->i->issuer.len;
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

static int
put_deadlines(struct job *j, int64_t now, int64_t delivery_until)
{
	static const int64_t warnings[] = { 24, 72, 108 };
	static const int64_t notices[] = { 60, 30, 15, 7, 1 };	/* days before its end */
	int64_t not_after = profile_years(j->not_before, atoi(j->fields.years));
	int64_t hours = policy_int(j->act, "contract.hours", CONTRACT_HOURS);
	size_t w;
	int error;

	error = deadline_add(j->act, DEADLINE_CONTRACT_DUE, "certificate", j->id, j->application, now + hours * HOUR);
	for (w = 0; w < sizeof(warnings) / sizeof(warnings[0]) && error == 0; w++)
		error = deadline_add(j->act, DEADLINE_CONTRACT_WARN, "certificate", j->id, j->application,
		    now + warnings[w] * HOUR);
	if (error == 0)
		error = deadline_add(j->act, DEADLINE_DELIVERY_DESTROY, "certificate", j->id, j->application, delivery_until);
	for (w = 0; w < sizeof(notices) / sizeof(notices[0]) && error == 0; w++)
		error = deadline_add(j->act, DEADLINE_CERTIFICATE_WARN, "certificate", j->id, j->application,
		    not_after - notices[w] * DAY);
	if (error == 0)
		error = deadline_add(j->act, DEADLINE_CERTIFICATE_EXPIRE, "certificate", j->id, j->application, not_after);
	return error;
}

static struct mailing
mailing_of(const struct job *j)
{
	return (struct mailing){ .application = j->application, .contact = j->contact, .number = j->number,
	    .province = j->province, .key_id = j->key_id, .key = j->key };
}

/* Both held until the edge was seen to say good. */
static int
put_mails(struct job *j, int64_t delivery_until)
{
	struct mailing m = mailing_of(j);
	char until[MAILING_MOMENT], dedup[80];
	struct outbox_variable extra = { "until", mailing_moment(delivery_until, until) };
	int error;

	snprintf(dedup, sizeof(dedup), "pkcs12:%s", j->id);
	if ((error = mailing_contact(j->act, &m, MAIL_PKCS12, &extra, 1, dedup, j->id)) != 0)
		return error;
	snprintf(dedup, sizeof(dedup), "envelope:%s", j->id);
	return mailing_contact(j->act, &m, MAIL_ENVELOPE, &extra, 1, dedup, j->id);
}

static int
put_status(struct job *j)
{
	struct act *act = j->act;
	int error = DB_QUERY(act->db, &sql_status, NULL, P_TEXT(j->id), P_INT(clock_real()));

	if (error == 0)
		error = DB_QUERY(act->db, &sql_envelope, NULL, P_TEXT(j->application), P_INT(clock_real()));
	if (error == 0 && (error = db_notify(act->db, "icert_status", "")) == 0)
		error = db_recv(act->db, NULL);
	return error;
}

/* The one transaction in which the case becomes issued. */
static int
finish(struct job *j)
{
	struct act *act = j->act;
	int64_t now = clock_business(), until = now + policy_int(act, "delivery.days", DELIVERY_DAYS) * DAY;
	int error;

	if ((error = act_begin(act)) != 0)
		return error;
	error = transition_apply(act, ACTION_ISSUED, j->application, APPLICATION_ISSUING, j->version, j->province, NULL);
	if (error == 0)
		error = change_one(act, &sql_good, DB_PARAMS(P_TEXT(j->id), P_INT(now), P_INT(until)));
	if (error == 0)
		error = act_audit(act, "certificate.issued", "certificate", j->id, j->application, j->province, NULL, NULL);
	if (error == 0 && (error = put_deadlines(j, now, until)) == 0 && (error = put_mails(j, until)) == 0)
		error = put_status(j);
	error = end_tx(act, error);
	if (error == 0)
		log_info("issued", "certificate %s", j->id);
	return error;
}

/* Back to identified, with the reason, for the operator to see. */
static int
send_back(struct job *j)
{
	struct transition_also also = { .reason = j->refusal };
	struct mailing m = mailing_of(j);
	struct act *act = j->act;
	int error;

	if ((error = act_begin(act)) != 0)
		return error;
	error = transition_apply(act, ACTION_REFUSED, j->application, APPLICATION_ISSUING, j->version, j->province, &also);
	if (error == 0)
		error = change_one(act, &sql_refused, DB_PARAMS(P_TEXT(j->id), P_TEXT(j->refusal), P_TEXT(j->detail)));
	if (error == 0)
		error = act_audit(act, "certificate.refused", "certificate", j->id, j->application, j->province, j->refusal, NULL);
	if (error == 0)
		error = mailing_staff(act, &m, "issue", NULL);
	error = end_tx(act, error);
	log_warn("issue_refused", "certificate %s: %s: %s", j->id, j->refusal, j->detail);
	return error;
}

/* The order is spent on this case before the signer is asked; on another case it buys nothing any more. */
static int
spend(struct job *j)
{
	uint8_t order[16], pair[32], hash[EVP_MAX_MD_SIZE];
	int error;

	if ((error = id_raw(j->purchase, order)) != 0 || (error = id_raw(j->application, pair + 16)) != 0)
		return error;
	memcpy(pair, order, 16);
	if (EVP_Digest(pair, sizeof(pair), hash, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	if (id_list_has(j->i->spent, SPENT_ORDER, order) && !id_list_has(j->i->spent, SPENT_FOR, hash)) {
		j->refusal = "spent";
		return ICERT_E_STATE;
	}
	if ((error = id_list_add(j->i->spent, SPENT_FOR, hash)) != 0)
		return error;
	return id_list_add(j->i->spent, SPENT_ORDER, order);
}

static int
steps(struct job *j)
{
	int error;

	if ((error = load(j)) != 0)
		return error;
	/* Nothing is issued on money that went back meanwhile. */
	if (strcmp(j->purchase_state, "paid") != 0 && strcmp(j->purchase_state, "used") != 0) {
		j->refusal = "unpaid";
		return ICERT_E_STATE;
	}
	if ((error = make_key(j)) != 0 || (error = spend(j)) != 0 || (error = sign(j)) != 0 || (error = pack(j)) != 0)
		return error;
	/* From here on the private key lies in the PKCS#12 alone, behind its password: nobody can take it out for the holder. */
	if ((error = keeper_delivery_destroy(j->act->keeper, j->application, DELIVERY_PRIVATE)) != 0)
		return error;
	return finish(j);
}

int
issuance_run(struct issuance *i, const char *certificate)
{
	struct job j = { .i = i, .act = i->act, .id = certificate, .sealed_fields = BUF_INIT, .sealed_der = BUF_INIT, .store = BUF_INIT,
	    .spki = BUF_INIT, .der = BUF_INIT, .sealed_private = BUF_INIT };
	int error = steps(&j);

	if (error != 0 && j.refusal != NULL)
		error = send_back(&j);
	if (error == ICERT_E_NOT_FOUND)
		error = 0;	/* somebody else has finished it */
	bytes_wipe(j.key, sizeof(j.key));
	buf_free(&j.sealed_fields);
	buf_free(&j.sealed_der);
	buf_free(&j.store);
	buf_free(&j.spki);
	buf_free(&j.der);
	buf_free(&j.sealed_private);
	return error;
}
