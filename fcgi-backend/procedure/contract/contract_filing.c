#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/contract/contract_judge.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/datakey.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/contract/evidence.h"
#include "procedure/trouble.h"

static const struct db_stmt waiting = { "filing_waiting",
	"select id::text from icert.application a where state = 'countersigned' and" TROUBLE_RESTS_NOT("filing", "a.id::text", "$2")
	" order by state_since limit $1" };
static const struct db_stmt over = { "filing_deadlines",
	"update icert.deadline set state = 'void', done_at = $2 where application_id = $1 and state = 'waiting'"
	" and kind in ('contract_due', 'contract_warn')" };

struct filing {
	struct act *act;
	const char *application;
	struct held held;
	uint8_t key[DATAKEY_BYTES];
	struct contract_proof proof;
	struct contract_side applicant, director;
};

static int
load(struct filing *f, const struct document_store *store)
{
	int error;

	if ((error = act_begin(f->act)) == 0 && (error = deadline_hold(f->act, f->application, &f->held)) == 0 &&
	    (error = f->held.state == APPLICATION_COUNTERSIGNED ? 0 : ICERT_E_STATE) == 0 &&
	    (error = datakey_open(f->act, f->held.key, f->key)) == 0 &&
	    (error = contract_proof_read(f->act, f->application, f->key, &f->proof)) == 0 &&
	    (error = contract_side_read(f->act, store, f->application, f->key, 0, &f->applicant)) == 0)
		error = contract_side_read(f->act, store, f->application, f->key, 1, &f->director);
	db_rollback(f->act->db);
	return error;
}

/* The copy for the applicant: a case's last mail. */
static int
mail_copy(struct filing *f)
{
	char filename[64], dedup[32 + ID_TEXT];
	const struct outbox_variable extra[] = { { "contract", f->proof.number } };
	struct outbox_document file = { .id = f->director.document, .sha256 = f->director.sha256, .filename = filename };
	const struct mailing m = {
		.application = f->application, .contact = f->held.contact, .number = f->held.number,
		.province = f->held.province, .key_id = f->held.key, .key = f->key, .documents = &file, .n_documents = 1,
	};

	snprintf(filename, sizeof filename, "contrato-%s-firmado.pdf", f->proof.number);
	snprintf(dedup, sizeof dedup, "contract_complete:%s", f->director.copy);
	return mailing_contact(f->act, &m, MAIL_CONTRACT_COMPLETE, extra, 1, dedup, NULL);
}

/* The one transaction in which a contract is filed: deadlines first, then the case and its evidence. */
static int
commit(struct filing *f, const struct evidence_case *c, struct evidence *e)
{
	char detail[160], hex[65];
	const struct transition_also also = { .detail = detail };
	int error;

	bytes_to_hex(hex, f->director.sha256, 32);
	snprintf(detail, sizeof detail, "{\"contract\":\"%s\",\"sha256\":\"%s\"}", f->proof.number, hex);
	if ((error = act_begin(f->act)) == 0 &&
	    (error = DB_QUERY(f->act->db, &over, NULL, P_TEXT(f->application), P_INT(clock_business()))) == 0 &&
	    (error = transition_apply(f->act, ACTION_FILE, f->application, f->held.state, f->held.version, f->held.province,
	    &also)) == 0 &&
	    (error = evidence_keep(f->act, c, e)) == 0 &&
	    (error = mail_copy(f)) == 0)
		error = db_commit(f->act->db);
	if (error != 0)
		db_rollback(f->act->db);
	return error;
}

static int
file(struct filing *f, const struct document_store *store)
{
	const struct evidence_case c = { .application = f->application, .number = f->held.number, .province = f->held.province,
		.key_id = f->held.key, .key = f->key, .contract = f->proof.number, .original_len = f->proof.len,
		.original_sha256 = f->proof.sha256, .contract_pdf = &f->director.bytes, .certificate = &f->proof.der,
		.director = &f->director.der };
	struct evidence e;
	int error;

	if ((error = evidence_make(f->act, store, &c, &e)) == 0 && (error = commit(f, &c, &e)) != 0)
		evidence_drop(store, &e);
	return error;
}

/* What the desk took and does not verify: somebody looks at it.  Once a file. */
static int
alarm_fault(struct filing *f, const char *fault)
{
	static char told[ID_TEXT];
	char dedup[32 + ID_TEXT];
	int error;

	if (strcmp(told, f->director.copy) == 0)
		return 0;
	log_error("contract_unfiled", "application %s: %s", f->application, fault);
	snprintf(dedup, sizeof dedup, "unfiled:%s", f->director.copy);
	if ((error = act_begin(f->act)) == 0 &&
	    (error = deadline_mail_staff(f->act, f->application, &f->held, "unfiled", dedup)) == 0)
		error = db_commit(f->act->db);
	if (error == 0)
		memcpy(told, f->director.copy, sizeof told);
	else
		db_rollback(f->act->db);
	return error;
}

struct filed {
	struct act *act;
	const struct document_store *store;
};

static int
one(void *ctx, const char *application)
{
	const struct document_store *store = ((struct filed *)ctx)->store;
	struct filing f = { .act = ((struct filed *)ctx)->act, .application = application };
	const char *fault = NULL;
	int error;

	if ((error = load(&f, store)) == 0 && (error = contract_verdict(&f.proof, &f.applicant, &f.director.der,
	    f.director.bytes.p, f.director.bytes.len, &fault)) == 0)
		error = fault != NULL ? alarm_fault(&f, fault) : file(&f, store);
	contract_side_free(&f.applicant);
	contract_side_free(&f.director);
	contract_proof_free(&f.proof);
	bytes_wipe(f.key, sizeof f.key);
	return error == ICERT_E_STATE || error == ICERT_E_CONFLICT ? 0 : error;
}

int
contract_filing_run(struct act *act, const struct document_store *store, size_t most, size_t *done)
{
	struct filed filed = { act, store };
	struct db_result *r;
	int error;

	*done = 0;
	if ((error = DB_QUERY(act->db, &waiting, &r, P_INT((int64_t)most), P_INT(clock_real()))) != 0)
		return error;
	return trouble_each(act, "filing", r, one, &filed, done);
}
