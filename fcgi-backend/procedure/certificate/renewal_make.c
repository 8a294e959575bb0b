/*
 * The clerk's hand for renewals.  Who may sign instead of being seen is decided here, where
 * the earlier certificate's data can be read: the same person, the same names, seen by video not
 * too long ago and not by signature the last time.  The verdict on what came back is the contract's
 * (contract_proof.h), with the certificate that is renewed as the one that has to have signed.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/seal.h"
#include "documents/contract_pdf.h"
#include "documents/store.h"
#include "libicert/approval.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/application/document.h"
#include "procedure/policy.h"
#include "procedure/certificate/renewal.h"
#include "procedure/trouble.h"
#include "views/view.h"

#define BATCH		20
#define YEAR_S		(365 * 86400)
#define SIGNED_YEARS	3
#define TEXT_MAX	16384

static const struct db_stmt to_make = { "renewal_to_make",
	"select a.id::text, c.id::text, o.key_id::text, encode(c.serial, 'hex'), c.not_after, c.fields, a.form,"
	" c.issued_at > $1 and a.person_hash = o.person_hash and not exists (select from icert.renewal w"
	" where w.application_id = o.id and w.identified_at is not null)"
	" from icert.application a join icert.application o on o.id = a.origin_id join icert.certificate c on c.application_id = o.id"
	" where a.kind = 'renewal' and a.state = 'accepted' and a.container = 'file' and c.state = 'good'"
	" and not exists (select from icert.renewal r where r.application_id = a.id)"
	" and" TROUBLE_RESTS_NOT("renewal", "a.id::text", "$3") " limit $2" };
static const struct db_stmt add_document = { "renewal_request_document",
	"insert into icert.document (id, application_id, kind, file, key_id, type, size, sha256, original_sha256, created_at)"
	" values ($1, $2, 'renewal', $3, $4, 'application/pdf', $5, $6, $6, $7)" };
static const struct db_stmt add = { "renewal_add",
	"insert into icert.renewal (application_id, certificate_id, state, document_id, made_at) values ($1, $2, $3, $4, $5)"
	" on conflict (application_id) do nothing" };
static const struct db_stmt to_judge = { "renewal_to_judge",
	"select r.application_id::text, c.id::text, c.state, c.der, o.key_id::text, d.size, d.sha256, d.pages, s.file, s.size"
	" from icert.renewal r join icert.certificate c on c.id = r.certificate_id"
	" join icert.application o on o.id = c.application_id join icert.document d on d.id = r.document_id"
	" join icert.document s on s.id = r.signed_document_id where r.state = 'received'"
	" and" TROUBLE_RESTS_NOT("renewal", "r.application_id::text", "$2") " order by r.received_at limit $1" };
static const struct db_stmt judged = { "renewal_judged",
	"update icert.renewal set state = $2, fault = $3, signed_at = $4 where application_id = $1 and state = 'received'" };

/* Its number on the paper: the case's. */
#define VARIABLES 6

/* ---- making ---- */

static int
open_form(struct db_result *r, int i, const char *application, const uint8_t key[32], struct application_form *form)
{
	struct buf plain = BUF_INIT;
	const uint8_t *sealed;
	char place[80];
	size_t n;
	int error;

	sealed = db_bytes(r, i, 6, &n);
	snprintf(place, sizeof place, "application|form|%s", application);
	if ((error = open_field(key, place, sealed, n, &plain)) == 0)
		error = application_form_read(form, plain.p, plain.len);
	buf_free(&plain);
	return error;
}

/* Are the names those of the certificate that is renewed?  Another name is looked at by a person. */
static int
same_names(struct db_result *r, int i, const uint8_t key[32], const struct application_form *form, int *same)
{
	struct buf plain = BUF_INIT, store = BUF_INIT;
	struct cert_fields f;
	const uint8_t *sealed;
	char place[80];
	size_t n;
	int error;

	sealed = db_bytes(r, i, 5, &n);
	snprintf(place, sizeof place, "certificate|fields|%s", db_text(r, i, 1));
	if ((error = open_field(key, place, sealed, n, &plain)) == 0 &&
	    (error = cert_fields_decode(&f, plain.p, plain.len, &store)) == 0)
		*same = strcmp(f.identification, form->id_number) == 0 && strcmp(f.given_names, form->given_names) == 0 &&
		    strcmp(f.surname1, form->surname1) == 0 && strcmp(f.surname2, form->surname2) == 0;
	buf_free(&plain);
	buf_free(&store);
	return error;
}

static int
draw(struct act *act, const struct held *held, const struct application_form *form, struct db_result *r, int i,
    struct buf *pdf)
{
	const char *portal = config_get(act->config, "public", "portal_url");
	struct buf until = BUF_INIT;
	char text[TEXT_MAX], name[512], url[256];
	int line = 0, error;

	application_full_name(form, name, sizeof name);
	snprintf(url, sizeof url, "%s/mi-tramite", portal != NULL ? portal : "");
	view_put_date(&until, db_int(r, i, 4));
	if ((error = buf_error(&until)) == 0 && (error = policy_text(act, "renewal.text", text, sizeof text)) == 0) {
		const struct contract_variable variables[VARIABLES] = {
			{ "name", name }, { "identification", form->id_number }, { "serial", db_text(r, i, 3) },
			{ "valid_to", buf_str(&until) }, { "case", held->number }, { "address", form->address },
		};
		const struct contract_pdf in = { .template = text, .template_len = strlen(text), .variables = variables,
			.n = VARIABLES, .number = held->number, .at = clock_business(), .verify_url = url,
			.font = config_get(act->config, "contract", "font"), .words = "renewal" };

		error = text[0] == '\0' ? ICERT_E_MISSING : contract_pdf_make(&in, pdf, &line);
	}
	buf_free(&until);
	return error;
}

static int
add_row(struct act *act, const char *application, const char *certificate, const char *state, const char *document)
{
	int error;

	if ((error = DB_QUERY(act->db, &add, NULL, P_TEXT(application), P_TEXT(certificate), P_TEXT(state), P_TEXT(document),
	    P_INT(clock_business()))) != 0)
		return error;
	return act_audit(act, "renewal.make", "application", application, application, 0, state, NULL);
}

/* The request with its row and its mail, in the open transaction. */
static int
send_request(struct act *act, const struct document_store *store, const struct held *held, const uint8_t key[32],
    const struct buf *pdf, struct db_result *r, int i)
{
	char id[ID_TEXT], file[ID_TEXT], until[MAILING_MOMENT], filename[64];
	const char *application = db_text(r, i, 0);
	uint8_t sha256[32];
	int error;

	crypto_hash_sha256(sha256, pdf->p, pdf->len);
	snprintf(filename, sizeof filename, "renovacion-%s.pdf", held->number);
	if ((error = id_new(id)) != 0 || (error = document_put(store, key, pdf->p, pdf->len, file)) != 0 ||
	    (error = DB_QUERY(act->db, &add_document, NULL, P_TEXT(id), P_TEXT(application), P_TEXT(file), P_TEXT(held->key),
	    P_INT((int64_t)pdf->len), P_BYTES(sha256, sizeof sha256), P_INT(clock_business()))) != 0 ||
	    (error = add_row(act, application, db_text(r, i, 1), "made", id)) != 0)
		return error;
	const struct outbox_document document = { .id = id, .sha256 = sha256, .filename = filename };
	const struct mailing m = { .application = application, .contact = held->contact, .number = held->number,
		.province = held->province, .key_id = held->key, .key = key, .documents = &document, .n_documents = 1 };

	return mailing_contact(act, &m, MAIL_RENEWAL, (const struct outbox_variable[]){ { "serial", db_text(r, i, 3) },
	    { "until", mailing_moment(db_int(r, i, 4), until) } }, 2, "renewal", NULL);
}

static int
make_here(struct act *act, const struct document_store *store, struct db_result *r, int i)
{
	const char *application = db_text(r, i, 0);
	struct application_form form = { .kept = "" };
	uint8_t key[DATAKEY_BYTES], old[DATAKEY_BYTES];
	struct buf pdf = BUF_INIT;
	struct held held;
	int error, same = 0;

	if ((error = deadline_hold(act, application, &held)) != 0 || held.state != APPLICATION_ACCEPTED)
		return error;
	if (!db_bool(r, i, 7) || !policy_int(act, "renewal.signed", 1))
		return add_row(act, application, db_text(r, i, 1), "unfit", NULL);
	if ((error = datakey_open(act, held.key, key)) == 0 && (error = datakey_open(act, db_text(r, i, 2), old)) == 0 &&
	    (error = open_form(r, i, application, key, &form)) == 0 && (error = same_names(r, i, old, &form, &same)) == 0) {
		if (!same)
			error = add_row(act, application, db_text(r, i, 1), "unfit", NULL);
		else if ((error = draw(act, &held, &form, r, i, &pdf)) == 0)
			error = send_request(act, store, &held, key, &pdf, r, i);
	}
	buf_free(&pdf);
	bytes_wipe(key, sizeof key);
	bytes_wipe(old, sizeof old);
	bytes_wipe(&form, sizeof form);
	return error;
}

/* ---- judging ---- */

static int
open_proof(struct db_result *r, int i, const uint8_t key[32], struct contract_proof *p)
{
	const uint8_t *bytes;
	char place[80];
	size_t n;

	memset(p, 0, sizeof *p);
	p->len = (size_t)db_int(r, i, 5);
	bytes = db_bytes(r, i, 6, &n);
	memcpy(p->sha256, bytes, n == sizeof p->sha256 ? n : 0);
	p->pages = (int)db_int(r, i, 7);
	snprintf(place, sizeof place, "certificate|der|%s", db_text(r, i, 1));
	bytes = db_bytes(r, i, 3, &n);
	return open_field(key, place, bytes, n, &p->der);
}

static int
verdict(struct act *act, const struct document_store *store, struct keyclient *checker, const struct held *held,
    struct db_result *r, int i, const char **fault)
{
	uint8_t key[DATAKEY_BYTES], old[DATAKEY_BYTES];
	struct contract_proof p = { .len = 0 };
	struct buf bytes = BUF_INIT;
	const char *seen = NULL, *found = NULL;
	int error;

	if ((error = datakey_open(act, held->key, key)) == 0 && (error = datakey_open(act, db_text(r, i, 4), old)) == 0 &&
	    (error = open_proof(r, i, old, &p)) == 0 &&
	    (error = document_get_bytes(store, key, db_text(r, i, 8), (size_t)db_int(r, i, 9), &bytes)) == 0 &&
	    (error = contract_checked(checker, bytes.p, bytes.len, &p.pages, &seen)) == 0)
		error = contract_verdict(&p, NULL, NULL, bytes.p, bytes.len, &found);
	*fault = found != NULL ? found : seen;
	if (*fault == NULL && strcmp(db_text(r, i, 2), "good") != 0)
		*fault = "certificate-not-good";
	buf_free(&bytes);
	contract_proof_free(&p);
	bytes_wipe(key, sizeof key);
	bytes_wipe(old, sizeof old);
	return error;
}

static int
judge_here(struct act *act, const struct document_store *store, struct keyclient *checker, struct db_result *r, int i)
{
	const char *application = db_text(r, i, 0), *fault = NULL;
	char dedup[16 + ID_TEXT];
	struct held held;
	int error;

	if ((error = deadline_hold(act, application, &held)) != 0 ||
	    (error = verdict(act, store, checker, &held, r, i, &fault)) != 0 ||
	    (error = DB_QUERY(act->db, &judged, NULL, P_TEXT(application), P_TEXT(fault == NULL ? "signed" : "made"),
	    P_TEXT(fault == NULL ? "" : fault), fault == NULL ? P_INT(clock_business()) : P_NULL)) != 0 ||
	    (error = act_audit(act, fault == NULL ? "renewal.signed" : "renewal.refused", "application", application,
	    application, held.province, fault, NULL)) != 0 || fault != NULL)
		return error;
	snprintf(dedup, sizeof dedup, "renewal:%s", application);
	return deadline_mail_staff(act, application, &held, "renewal", dedup);
}

/* ---- the round ---- */

struct round {
	struct act *act;
	const struct document_store *store;
	struct keyclient *checker;
	struct db_result *r;
	int row, judging;
};

/* trouble_each() goes through the rows in their order. */
static int
one(void *ctx, const char *application)
{
	struct round *w = ctx;
	int error, row = w->row++;

	(void)application;
	if ((error = act_begin(w->act)) == 0 && (error = w->judging ? judge_here(w->act, w->store, w->checker, w->r, row) :
	    make_here(w->act, w->store, w->r, row)) == 0)
		error = db_commit(w->act->db);
	return error;
}

int
renewal_run(struct act *act, const struct document_store *store, struct keyclient *checker, size_t most)
{
	int64_t seen = clock_business() - policy_int(act, "renewal.signed_years", SIGNED_YEARS) * YEAR_S;
	int64_t n = most < BATCH ? (int64_t)most : BATCH;
	struct round judging = { .act = act, .store = store, .checker = checker, .judging = 1 }, making = judging;
	int error;

	making.judging = 0;
	if ((error = DB_QUERY(act->db, &to_judge, &judging.r, P_INT(n), P_INT(clock_real()))) != 0 ||
	    (error = trouble_each(act, "renewal", judging.r, one, &judging, NULL)) != 0 ||
	    (error = DB_QUERY(act->db, &to_make, &making.r, P_INT(seen), P_INT(n), P_INT(clock_real()))) != 0)
		return error;
	return trouble_each(act, "renewal", making.r, one, &making, NULL);
}
