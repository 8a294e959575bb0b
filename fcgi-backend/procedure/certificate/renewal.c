/* Renewals as applicant and operator see them; renewal_make.c is the clerk's. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "documents/store.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/application/document.h"
#include "procedure/certificate/renewal.h"

static const struct db_stmt of_case = { "renewal_of",
	"select state, coalesce(document_id::text, ''), fault, made_at, coalesce(received_at, 0), coalesce(signed_at, 0),"
	" coalesce(identified_at, 0) from icert.renewal where application_id = $1" };
static const struct db_stmt step_aside = { "renewal_replace",
	"update icert.document set replaced_by = $2 where application_id = $1 and kind = 'renewal_signed' and replaced_by is null" };
static const struct db_stmt add_document = { "renewal_document",
	"insert into icert.document (id, application_id, kind, file, key_id, type, size, sha256, original_sha256, created_at)"
	" values ($1, $2, 'renewal_signed', $3, $4, 'application/pdf', $5, $6, $6, $7)" };
static const struct db_stmt receive = { "renewal_receive",
	"update icert.renewal set state = 'received', signed_document_id = $2, received_at = $3, fault = ''"
	" where application_id = $1 and state = 'made'" };
static const struct db_stmt holds = { "renewal_holds",
	"select icert.renewal_holds($1), exists (select from icert.renewal r join icert.observation o"
	" on o.application_id = r.application_id where r.application_id = $1 and coalesce(o.mended_at, o.at) > r.made_at)" };
static const struct db_stmt identified = { "renewal_identified",
	"update icert.renewal set identified_at = $2, identified_by = $3 where application_id = $1 and state = 'signed'" };
static const struct db_stmt stands = { "renewal_stands",
	"select icert.renewal_holds($1) from icert.renewal where application_id = $1 and identified_at is not null" };

int
renewal_of(struct act *act, const char *application, struct renewal *out)
{
	struct db_result *r;
	int error;

	memset(out, 0, sizeof *out);
	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &of_case, &r, P_TEXT(application))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		snprintf(out->state, sizeof out->state, "%s", db_text(r, 0, 0));
		snprintf(out->document, sizeof out->document, "%s", db_text(r, 0, 1));
		snprintf(out->fault, sizeof out->fault, "%s", db_text(r, 0, 2));
		out->made_at = db_int(r, 0, 3);
		out->received_at = db_int(r, 0, 4);
		out->signed_at = db_int(r, 0, 5);
		out->identified_at = db_int(r, 0, 6);
	}
	db_result_free(r);
	return error;
}

int
renewal_file(struct act *act, const struct document_store *store, const struct renewal *w, struct buf *out)
{
	struct document d;
	int error;

	if ((error = document_get(act, w->document, &d)) != 0)
		return error;
	return document_bytes(act, store, &d, out);
}

/* The file first: what fails after it is found by the sweep. */
static int
keep(struct act *act, const struct document_store *store, const struct case_file *c, const void *bytes, size_t len)
{
	char id[ID_TEXT], file[ID_TEXT];
	int64_t now = clock_business();
	struct db_result *r;
	uint8_t sha256[32];
	int error;

	crypto_hash_sha256(sha256, bytes, len);
	if ((error = id_new(id)) != 0 || (error = document_put(store, c->key, bytes, len, file)) != 0)
		return error;
	if ((error = DB_QUERY(act->db, &step_aside, NULL, P_TEXT(c->a.id), P_TEXT(id))) != 0 ||
	    (error = DB_QUERY(act->db, &add_document, NULL, P_TEXT(id), P_TEXT(c->a.id), P_TEXT(file), P_TEXT(c->a.key),
	    P_INT((int64_t)len), P_BYTES(sha256, sizeof sha256), P_INT(now))) != 0 ||
	    (error = DB_QUERY(act->db, &receive, &r, P_TEXT(c->a.id), P_TEXT(id), P_INT(now))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_STATE;
	db_result_free(r);
	return error;
}

int
renewal_receive(struct act *act, const struct document_store *store, const char *application, const void *bytes, size_t len)
{
	struct case_file c;
	int error;

	if ((error = case_open(act, application, -1, &c)) == 0)
		error = act->roles & BY_APPLICANT && c.a.state == APPLICATION_ACCEPTED ? 0 : ICERT_E_STATE;
	if (error == 0 && (error = keep(act, store, &c, bytes, len)) == 0 &&
	    (error = act_audit(act, "renewal.receive", "application", application, application, c.a.province, NULL, NULL)) == 0)
		error = contract_clerk_wake(act);
	bytes_wipe(c.key, sizeof c.key);
	if (error == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 :
	    act_refuse(act, "renewal.receive", "application", id_valid(application) ? application : NULL, 0, error);
}

static int
look(struct act *act, const char *application)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &holds, &r, P_TEXT(application))) != 0)
		return error;
	if (!db_bool(r, 0, 0))
		error = ICERT_E_MISSING;
	else if (db_bool(r, 0, 1))
		error = ICERT_E_STALE;
	db_result_free(r);
	return error;
}

int
renewal_identify(struct act *act, const char *application, int version)
{
	struct case_file c;
	int error;

	if ((error = case_open_staff(act, application, version, ACTION_IDENTIFY_SIGNED, &c)) == 0 &&
	    (error = look(act, application)) == 0 && (error = DB_QUERY(act->db, &identified, NULL, P_TEXT(application),
	    P_INT(clock_business()), P_TEXT(act->id))) == 0 && (error = case_drop_appointment(act, &c, "moved")) == 0 &&
	    (error = case_allot_envelope(act, &c)) == 0)
		error = case_move(act, &c, ACTION_IDENTIFY_SIGNED, "signature", NULL);
	return case_done(act, ACTION_IDENTIFY_SIGNED, &c, error);
}

int
renewal_stands(struct act *act, const struct application *a, int *yes)
{
	struct db_result *r;
	int error;

	*yes = 0;
	if (strcmp(a->kind, "renewal") != 0)
		return 0;
	if ((error = DB_QUERY(act->db, &stands, &r, P_TEXT(a->id))) != 0)
		return error;
	*yes = db_rows(r) == 1;
	error = *yes && !db_bool(r, 0, 0) ? ICERT_E_STATE : 0;
	db_result_free(r);
	return error;
}
