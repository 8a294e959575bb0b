#include <stdio.h>
#include <string.h>

#include "documents/store.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/certificate/certificate.h"
#include "procedure/contract/contract_judge.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/datakey.h"
#include "procedure/clock/deadline.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/certificate/delivery.h"
#include "procedure/certificate/token.h"
#include "procedure/trouble.h"

static const struct db_stmt waiting = { "judge_waiting",
	"select id::text from icert.contract_copy c where state = 'waiting' and" TROUBLE_RESTS_NOT("judge", "c.id::text", "$2")
	" order by uploaded_at limit $1" };
static const struct db_stmt read_copy = { "judge_copy",
	"select k.application_id::text, a.state, d.file, d.size from icert.contract_copy k"
	" join icert.application a on a.id = k.application_id join icert.document d on d.id = k.document_id"
	" where k.id = $1 and k.state = 'waiting'" };
static const struct db_stmt decide = { "judge_decide",
	"update icert.contract_copy set state = $2, fault = $3, decided_at = $4 where id = $1 and state = 'waiting'" };
static const struct db_stmt delivered = { "judge_delivered",
	"select distinct c.id::text from icert.delivery d join icert.certificate c on c.id = d.certificate_id"
	" join icert.application a on a.id = c.application_id where d.destroyed_at is null"
	/* Signing with a token does not show that its envelope, which holds the revocation code alone, was opened. */
	" and c.container <> 'token' and a.state in ('contract_signed', 'countersigned', 'active') and" TROUBLE_RESTS_NOT("delivered", "c.id::text", "$2") " limit $1" };

struct judged {
	struct act *act;
	const char *copy;
	char application[ID_TEXT];
	struct held held;
	uint8_t key[DATAKEY_BYTES];
	struct contract_proof proof;
	struct buf bytes;
	const char *fault;
	int valid;			/* and committed as such */
};

static int
look(struct judged *j, struct keyclient *checker)
{
	const char *seen = NULL, *found = NULL;
	int error;

	if ((error = contract_checked(checker, j->bytes.p, j->bytes.len, &j->proof.pages, &seen)) != 0 ||
	    (error = contract_verdict(&j->proof, NULL, NULL, j->bytes.p, j->bytes.len, &found)) != 0)
		return error;
	/* Ours names more exactly what is wrong. */
	j->fault = found != NULL ? found : seen;
	if (j->fault == NULL && strcmp(j->proof.state, "good") != 0)
		j->fault = "certificate-not-good";
	return 0;
}

static int
settle(struct judged *j, const char *state)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(j->act->db, &decide, &r, P_TEXT(j->copy), P_TEXT(state),
	    P_TEXT(j->fault != NULL ? j->fault : ""), P_INT(clock_business()))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	return error;
}

/*
 * The clock runs on with what was left when the file arrived, unless it stands for another reason (a mail that came back, a locked
 * envelope); the reason is mailed.
 */
static int
refuse(struct judged *j)
{
	const struct transition_also also = { .reason = j->fault };
	char until[MAILING_MOMENT], dedup[24 + ID_TEXT];
	int error;

	snprintf(dedup, sizeof dedup, "contract_invalid:%s", j->copy);
	if ((error = deadline_clock_run(j->act, j->application, "contract_refused", 0, NULL)) != 0 ||
	    (error = deadline_clock_end(j->act, j->application, until)) != 0 ||
	    (error = settle(j, "refused")) != 0 ||
	    (error = transition_apply(j->act, ACTION_REFUSE_CONTRACT, j->application, j->held.state, j->held.version,
	    j->held.province, &also)) != 0)
		return error;
	return deadline_mail(j->act, j->application, &j->held, MAIL_CONTRACT_INVALID, (const struct outbox_variable[]){
	    { "contract", j->proof.number }, { "fault", j->fault }, { "until", until } }, 3, dedup);
}

static int
take(struct judged *j)
{
	char dedup[24 + ID_TEXT];
	int error;

	snprintf(dedup, sizeof dedup, "countersign:%s", j->copy);
	if ((error = settle(j, "valid")) != 0 ||
	    (error = transition_apply(j->act, ACTION_SIGN_CONTRACT, j->application, j->held.state, j->held.version,
	    j->held.province, NULL)) != 0)
		return error;
	return deadline_mail_staff(j->act, j->application, &j->held, "countersign", dedup);
}

/* The verdict's transaction.  The case was read before the file was looked at: who came between has won. */
static int
conclude(struct judged *j)
{
	int error;

	if ((error = act_begin(j->act)) != 0)
		return error;
	if (j->held.state != APPLICATION_CONTRACT_RECEIVED)
		error = settle(j, "void");
	else
		error = j->fault != NULL ? refuse(j) : take(j);
	if (error == 0 && (error = db_commit(j->act->db)) == 0)
		j->valid = j->held.state == APPLICATION_CONTRACT_RECEIVED && j->fault == NULL;
	if (error != 0)
		db_rollback(j->act->db);
	return error;
}

static int
load(struct judged *j, const struct document_store *store)
{
	struct db_result *r = NULL;
	int error;

	if ((error = act_begin(j->act)) != 0 || (error = DB_QUERY(j->act->db, &read_copy, &r, P_TEXT(j->copy))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		snprintf(j->application, sizeof j->application, "%s", db_text(r, 0, 0));
		if ((error = deadline_hold(j->act, j->application, &j->held)) == 0 &&
		    j->held.state == APPLICATION_CONTRACT_RECEIVED &&
		    (error = datakey_open(j->act, j->held.key, j->key)) == 0 &&
		    (error = contract_proof_read(j->act, j->application, j->key, &j->proof)) == 0)
			error = document_get_bytes(store, j->key, db_text(r, 0, 2), (size_t)db_int(r, 0, 3), &j->bytes);
	}
	db_result_free(r);
	/* Nothing is held while the file is looked at. */
	db_rollback(j->act->db);
	return error;
}

static int
destroy(void *ctx, const char *certificate)
{
	struct act *act = ctx;
	struct certificate c;
	int error;

	if ((error = act_begin(act)) == 0 && (error = certificate_get(act, certificate, &c)) == 0 &&
	    (error = strcmp(c.container, CONTAINER_TOKEN) == 0 ? 0 :
	    delivery_destroy(act, certificate, c.application, "contract_signed")) == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}

struct judging {
	struct act *act;
	const struct document_store *store;
	struct keyclient *checker;
};

static int
judge(void *ctx, const char *copy)
{
	const struct judging *judging = ctx;
	struct judged j = { .act = judging->act, .copy = copy };
	int error;

	if ((error = load(&j, judging->store)) == 0 &&
	    (j.held.state != APPLICATION_CONTRACT_RECEIVED || (error = look(&j, judging->checker)) == 0))
		error = conclude(&j);
	/* What fails here is done by contract_delivered_run(). */
	if (error == 0 && j.valid)
		(void)destroy(j.act, j.proof.certificate);
	contract_proof_free(&j.proof);
	buf_free(&j.bytes);
	bytes_wipe(j.key, sizeof j.key);
	/* Closed or judged meanwhile: the next round sees it as it is. */
	return error == ICERT_E_NOT_FOUND || error == ICERT_E_CONFLICT ? 0 : error;
}

int
contract_delivered_run(struct act *act, size_t most)
{
	struct db_result *r;
	int error = DB_QUERY(act->db, &delivered, &r, P_INT((int64_t)most), P_INT(clock_real()));

	return error != 0 ? error : trouble_each(act, "delivered", r, destroy, act, NULL);
}

int
contract_judge_run(struct act *act, const struct document_store *store, struct keyclient *checker, size_t most, size_t *done)
{
	struct judging judging = { act, store, checker };
	struct db_result *r;
	int error;

	*done = 0;
	if ((error = DB_QUERY(act->db, &waiting, &r, P_INT((int64_t)most), P_INT(clock_real()))) != 0)
		return error;
	return trouble_each(act, "judge", r, judge, &judging, done);
}
