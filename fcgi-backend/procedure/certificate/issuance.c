#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/id_list.h"
#include "libicert/log.h"
#include "pki/profile.h"
#include "procedure/clock/deadline.h"
#include "procedure/certificate/issuance_job.h"
#include "procedure/mailing.h"
#include "procedure/policy.h"
#include "procedure/certificate/token.h"
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
	" exists (select from icert.delivery d where d.certificate_id = c.id and d.label = 'envelope'), c.container"
	" from icert.certificate c join icert.application a on a.id = c.application_id"
	" join icert.purchase p on p.id = a.purchase_id"
	" where c.id = $1 and c.state = 'issuing' and a.state = 'issuing'"
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
	j->in_token = strcmp(db_text(rows, 0, 17), CONTAINER_TOKEN) == 0;
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

/* Both held until the edge was seen to say good: the file, or the certificate for the token, and the envelope. */
static int
put_mails(struct job *j, int64_t delivery_until)
{
	struct mailing m = mailing_of(j);
	char until[MAILING_MOMENT], dedup[80];
	struct outbox_variable extra[] = { { "until", mailing_moment(delivery_until, until) },
		{ "container", j->in_token ? CONTAINER_TOKEN : "" } };
	int error;

	snprintf(dedup, sizeof(dedup), "%s:%s", j->in_token ? "certificate" : "pkcs12", j->id);
	if ((error = mailing_contact(j->act, &m, j->in_token ? MAIL_TOKEN_CERTIFICATE : MAIL_PKCS12, extra, j->in_token ? 0 : 1, dedup, j->id)) != 0)
		return error;
	snprintf(dedup, sizeof(dedup), "envelope:%s", j->id);
	return mailing_contact(j->act, &m, MAIL_ENVELOPE, extra, 2, dedup, j->id);
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
	/* Whoever confirms a refund now waits until this is done, or was before it. */
	if ((error = job_paid(j)) == 0)
		error = transition_apply(act, ACTION_ISSUED, j->application, APPLICATION_ISSUING, j->version, j->province, NULL);
	if (error == 0)
		error = job_change(act, &sql_good, DB_PARAMS(P_TEXT(j->id), P_INT(now), P_INT(until)));
	if (error == 0)
		error = act_audit(act, "certificate.issued", "certificate", j->id, j->application, j->province, NULL, NULL);
	if (error == 0 && (error = put_deadlines(j, now, until)) == 0 && (error = put_mails(j, until)) == 0)
		error = put_status(j);
	error = job_end(act, error);
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
		error = job_change(act, &sql_refused, DB_PARAMS(P_TEXT(j->id), P_TEXT(j->refusal), P_TEXT(j->detail)));
	if (error == 0)
		error = act_audit(act, "certificate.refused", "certificate", j->id, j->application, j->province, j->refusal, NULL);
	if (error == 0)
		error = mailing_staff(act, &m, "issue", NULL);
	error = job_end(act, error);
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
	pthread_mutex_lock(j->i->spent_lock);
	if (id_list_has(j->i->spent, SPENT_ORDER, order) && !id_list_has(j->i->spent, SPENT_FOR, hash)) {
		j->refusal = "spent";
		error = ICERT_E_STATE;
	} else if ((error = id_list_add(j->i->spent, SPENT_FOR, hash)) == 0)
		error = id_list_add(j->i->spent, SPENT_ORDER, order);
	pthread_mutex_unlock(j->i->spent_lock);
	return error;
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
	if ((error = job_key(j)) != 0 || (error = spend(j)) != 0 || (error = job_sign(j)) != 0 || (error = job_pack(j)) != 0)
		return error;
	return finish(j);
}

int
issuance_run(struct issuance *i, const char *certificate)
{
	struct job j = { .i = i, .act = i->act, .id = certificate, .sealed_fields = BUF_INIT, .sealed_der = BUF_INIT, .store = BUF_INIT,
	    .spki = BUF_INIT, .der = BUF_INIT, .sealed_private = BUF_INIT,
	    .request = BUF_INIT };
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
	buf_free(&j.request);
	return error;
}
