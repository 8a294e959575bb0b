#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "documents/store.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/contract/contract_copy.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/clock/deadline.h"
#include "procedure/application/document.h"
#include "procedure/policy.h"

#define CONTRACT_BYTES 2097152

static const struct db_stmt list_portal = { "contract_copies",
	"select k.id, k.document_id, k.source, k.state, k.fault, k.words, '', k.arrived_at, k.uploaded_at, coalesce(k.decided_at, 0)"
	" from icert.contract_copy k where k.application_id = $1 order by k.place desc limit $2" };
static const struct db_stmt list_desk = { "contract_copies_desk",
	"select k.id, k.document_id, k.source, k.state, k.fault, k.words, coalesce(s.name, ''), k.arrived_at, k.uploaded_at,"
	" coalesce(k.decided_at, 0) from icert.contract_copy k left join icert.staff s on s.id = k.staff_id"
	" where k.application_id = $1 order by k.place desc limit $2" };
static const struct db_stmt add = { "contract_copy_add",
	"insert into icert.contract_copy (id, contract_id, application_id, document_id, source, staff_id, certificate_id,"
	" arrived_at, uploaded_at, state, fault, decided_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)" };
static const struct db_stmt replace = { "contract_copy_replace",
	"update icert.document set replaced_by = $3 where application_id = $1 and kind = $2 and replaced_by is null" };
static const struct db_stmt add_document = { "contract_copy_document",
	"insert into icert.document (id, application_id, kind, file, key_id, type, size, sha256, original_sha256, by_staff,"
	" created_at) values ($1, $2, $3, $4, $5, 'application/pdf', $6, $7, $7, $8, $9)" };

static int
open_words(const struct case_file *c, struct contract_copy *k, struct db_result *r, int row)
{
	struct buf plain = BUF_INIT;
	const uint8_t *sealed;
	char place[80];
	size_t n;
	int error;

	sealed = db_bytes(r, row, 5, &n);
	if (n == 0)
		return 0;
	snprintf(place, sizeof place, "contract_copy|words|%s", k->id);
	if ((error = open_field(c->key, place, sealed, n, &plain)) == 0)
		snprintf(k->words, sizeof k->words, "%s", buf_str(&plain));
	buf_free(&plain);
	return error;
}

static int
fill(const struct case_file *c, struct contract_copy *k, struct db_result *r, int row)
{
	memset(k, 0, sizeof *k);
	snprintf(k->id, sizeof k->id, "%s", db_text(r, row, 0));
	snprintf(k->document, sizeof k->document, "%s", db_text(r, row, 1));
	snprintf(k->source, sizeof k->source, "%s", db_text(r, row, 2));
	snprintf(k->state, sizeof k->state, "%s", db_text(r, row, 3));
	snprintf(k->fault, sizeof k->fault, "%s", db_text(r, row, 4));
	snprintf(k->by, sizeof k->by, "%s", db_text(r, row, 6));
	k->arrived_at = db_int(r, row, 7);
	k->uploaded_at = db_int(r, row, 8);
	k->decided_at = db_int(r, row, 9);
	return open_words(c, k, r, row);
}

int
contract_copies(struct act *act, const char *application, struct contract_copy *rows, size_t *n)
{
	size_t room = *n;
	struct case_file c;
	struct db_result *r = NULL;
	int error;

	*n = 0;
	if ((error = case_open(act, application, -1, &c)) == 0 &&
	    (error = DB_QUERY_COMMIT(act->db, act->roles & BY_STAFF ? &list_desk : &list_portal, &r, P_TEXT(application),
	    P_INT((int64_t)room))) == 0)
		for (int i = 0; i < db_rows(r) && error == 0; i++)
			error = fill(&c, &rows[(*n)++], r, i);
	db_result_free(r);
	bytes_wipe(&c, sizeof c);
	if (error != 0)
		db_rollback(act->db);
	return error;
}

int
contract_copy_file(struct act *act, const struct document_store *store, const struct contract_copy *k, struct buf *out)
{
	struct document d;
	int error;

	if ((error = document_get(act, k->document, &d)) != 0)
		return error;
	return document_bytes(act, store, &d, out);
}

uint64_t
contract_bytes_max(struct act *act)
{
	return (uint64_t)policy_int(act, "contract.bytes", CONTRACT_BYTES);
}

int
contract_copy_keep(struct act *act, const struct document_store *store, const struct case_file *c,
    const struct contract_kept *k, char file[ID_TEXT])
{
	const char *kind = k->certificate != NULL ? DOCUMENT_COUNTERSIGNED : DOCUMENT_SIGNED;
	const char *staff = act->roles & BY_STAFF ? act->id : NULL;
	int64_t now = clock_business();
	uint8_t sha256[32];
	char document[ID_TEXT], id[ID_TEXT];
	int error;

	crypto_hash_sha256(sha256, k->bytes, k->len);
	if ((error = id_new(id)) != 0 || (error = id_new(document)) != 0 ||
	    (error = document_put(store, c->key, k->bytes, k->len, file)) != 0)
		return error;
	if ((error = DB_QUERY(act->db, &replace, NULL, P_TEXT(c->a.id), P_TEXT(kind), P_TEXT(document))) == 0 &&
	    (error = DB_QUERY(act->db, &add_document, NULL, P_TEXT(document), P_TEXT(c->a.id), P_TEXT(kind), P_TEXT(file),
	    P_TEXT(c->a.key), P_INT((int64_t)k->len), P_BYTES(sha256, 32), P_TEXT(staff), P_INT(now))) == 0)
		error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(k->contract), P_TEXT(c->a.id), P_TEXT(document),
		    P_TEXT(k->certificate != NULL ? "director" : staff != NULL ? "mail" : "page"), P_TEXT(staff),
		    P_TEXT(k->certificate), P_INT(k->arrived_at != 0 ? k->arrived_at : now), P_INT(now),
		    P_TEXT(k->fault != NULL ? "refused" : k->certificate != NULL ? "valid" : "waiting"),
		    P_TEXT(k->fault != NULL ? k->fault : ""), k->fault != NULL ? P_INT(now) : P_NULL);
	return error;
}

/* A file whose row was refused is dropped; where no answer came, the sweep looks. */
int
contract_copy_close(struct act *act, const struct document_store *store, enum application_action action,
    struct case_file *c, const char *file, int error)
{
	error = case_done(act, action, c, error);
	if (error != 0 && file[0] != '\0' && error != ICERT_E_UNAVAILABLE && error != ICERT_E_TIMEOUT)
		document_drop(store, file);
	return error;
}

int
contract_clerk_wake(struct act *act)
{
	int error;

	if ((error = db_notify(act->db, "icert_contract", "")) != 0)
		return error;
	return db_recv(act->db, NULL);
}

/* Deadlines before the case: the clerk locks them in that order too. */
static int
receive(struct act *act, const struct document_store *store, struct case_file *c, const struct contract_proof *p,
    struct contract_kept *k, char file[ID_TEXT])
{
	char detail[160], hex[65];
	uint8_t sha256[32];
	int error;

	crypto_hash_sha256(sha256, k->bytes, k->len);
	bytes_to_hex(hex, sha256, sizeof sha256);
	snprintf(detail, sizeof detail, "{\"contract\":\"%s\",\"arrived_at\":%" PRId64 ",\"sha256\":\"%s\"}", p->number,
	    k->arrived_at, hex);
	if ((error = deadline_clock_stop_at(act, c->a.id, k->arrived_at, "contract_received", NULL)) != 0 ||
	    (error = contract_copy_keep(act, store, c, k, file)) != 0 ||
	    (error = case_move(act, c, ACTION_RECEIVE_CONTRACT, act->roles & BY_STAFF ? "by_mail" : "by_page", detail)) != 0)
		return error;
	return contract_clerk_wake(act);
}

int
contract_receive(struct act *act, const struct document_store *store, const char *application, const void *bytes,
    size_t len, int64_t arrived_at)
{
	struct contract_kept k = { .bytes = bytes, .len = len, .arrived_at = arrived_at };
	struct contract_proof p = { .len = 0 };
	char file[ID_TEXT] = "";
	int64_t now = clock_business();
	struct case_file c;
	int error;

	if (k.arrived_at == 0)
		k.arrived_at = now;
	if ((error = case_open(act, application, -1, &c)) == 0 &&
	    transition_find(ACTION_RECEIVE_CONTRACT, c.a.state, act->roles, &error) != NULL)
		error = act->roles & BY_STAFF && c.own ? ICERT_E_OWN_CASE : contract_proof_read(act, c.a.id, c.key, &p);
	if (error == 0 && (k.arrived_at > now || k.arrived_at < p.issued_at))
		error = ICERT_E_INVALID;
	k.contract = p.contract;
	if (error == 0)
		error = receive(act, store, &c, &p, &k, file);
	contract_proof_free(&p);
	return contract_copy_close(act, store, ACTION_RECEIVE_CONTRACT, &c, file, error);
}
