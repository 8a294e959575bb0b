#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "documents/store.h"
#include "procedure/contract/contract_director.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/clock/deadline.h"
#include "procedure/policy.h"
#include "procedure/people/authority.h"
#include "procedure/people/staff_certificate.h"

#define HOUR_S 3600
#define RETURN_HOURS 48		/* of the published procedure, where policy says nothing */

static const struct db_stmt valid = { "contract_valid",
	"select id from icert.contract_copy where application_id = $1 and state = 'valid' and source <> 'director'" };
static const struct db_stmt send_back = { "contract_send_back",
	"update icert.contract_copy set state = 'returned', words = $2, decided_at = $3, decided_by = $4"
	" where id = $1 and state = 'valid'" };

/* The case under the caller's eyes, and that they may act on it. */
static int
open_case(struct act *act, const char *application, int version, enum application_action action, struct case_file *c)
{
	int error;

	if ((error = case_open(act, application, version, c)) != 0)
		return error;
	if (transition_find(action, c->a.state, act->roles, &error) == NULL)
		return error;
	return c->own ? ICERT_E_OWN_CASE : 0;
}

/* Good now: registered, within its time, not one of ours that has ended, and of an authority that counts. */
static int
own_certificate(struct act *act, struct staff_certificate *s)
{
	int64_t now = clock_real();
	int error;

	if ((error = staff_certificate_of(act, act->id, s)) != 0)
		return error == ICERT_E_NOT_FOUND ? ICERT_E_MISSING : error;
	if (now < s->not_before || now > s->not_after || strcmp(s->standing, "good") != 0)
		return ICERT_E_STALE;
	return authority_check(act, s->der.p, s->der.len);
}

static int
verify(struct act *act, const struct document_store *store, struct keyclient *checker, const struct case_file *c,
    const struct contract_proof *p, const struct staff_certificate *s, const void *bytes, size_t len, const char **fault)
{
	struct contract_side applicant;
	const char *seen = NULL;
	int error, pages = p->pages;

	if ((error = contract_side_read(act, store, c->a.id, c->key, 0, &applicant)) == 0 &&
	    (error = contract_verdict(p, &applicant, &s->der, bytes, len, fault)) == 0 &&
	    (error = contract_checked(checker, bytes, len, &pages, &seen)) == 0 && *fault == NULL)
		*fault = seen;
	contract_side_free(&applicant);
	if (error == 0 && *fault == NULL && strcmp(p->state, "good") != 0)
		error = ICERT_E_STATE;
	return error == 0 && *fault != NULL ? ICERT_E_MISMATCH : error;
}

static int
sign(struct act *act, const struct document_store *store, struct case_file *c, const struct contract_proof *p,
    const struct staff_certificate *s, const void *bytes, size_t len, char file[ID_TEXT])
{
	const struct contract_kept k = { .bytes = bytes, .len = len, .contract = p->contract, .certificate = s->id };
	char detail[160], hex[65];
	int error;

	bytes_to_hex(hex, s->sha256, 32);
	snprintf(detail, sizeof detail, "{\"contract\":\"%s\",\"certificate\":\"%s\"}", p->number, hex);
	if ((error = contract_copy_keep(act, store, c, &k, file)) != 0 ||
	    (error = case_move(act, c, ACTION_COUNTERSIGN, NULL, detail)) != 0)
		return error;
	return contract_clerk_wake(act);
}

/*
 * What was refused is kept as the applicant's tries are, with its fault: a transaction of its own, after the refusal's.  The person hears
 * of the fault in any case; that it could not be kept is told to whoever runs the house.
 */
static void
keep_refused(struct act *act, const struct document_store *store, const char *application, const struct contract_kept *k)
{
	struct case_file c;
	char file[ID_TEXT] = "", detail[96];
	int error;

	snprintf(detail, sizeof detail, "{\"fault\":\"%.48s\"}", k->fault);
	if ((error = open_case(act, application, -1, ACTION_COUNTERSIGN, &c)) == 0 &&
	    (error = contract_copy_keep(act, store, &c, k, file)) == 0 &&
	    (error = act_audit(act, "contract.refused_kept", "application", application, application, c.a.province, NULL, detail)) == 0)
		error = db_commit(act->db);
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		return;
	db_rollback(act->db);
	if (file[0] != '\0' && error != ICERT_E_UNAVAILABLE && error != ICERT_E_TIMEOUT)
		document_drop(store, file);
	log_warn("refused_not_kept", "a director's file: %s", icert_err_code(error));
}

int
contract_countersign(struct act *act, const struct document_store *store, struct keyclient *checker, const char *application,
    int version, const void *bytes, size_t len, const char **fault)
{
	struct staff_certificate s = { .id = "" };
	struct contract_proof p = { .len = 0 };
	char file[ID_TEXT] = "";
	struct case_file c;
	int error;

	*fault = NULL;
	if ((error = open_case(act, application, version, ACTION_COUNTERSIGN, &c)) == 0 &&
	    (error = own_certificate(act, &s)) == 0 &&
	    (error = contract_proof_read(act, c.a.id, c.key, &p)) == 0 &&
	    (error = verify(act, store, checker, &c, &p, &s, bytes, len, fault)) == 0)
		error = sign(act, store, &c, &p, &s, bytes, len, file);
	staff_certificate_free(&s);
	contract_proof_free(&p);
	error = contract_copy_close(act, store, ACTION_COUNTERSIGN, &c, file, error);
	if (error == ICERT_E_MISMATCH && *fault != NULL)
		keep_refused(act, store, application, &(struct contract_kept){ .bytes = bytes, .len = len, .contract = p.contract,
		    .certificate = s.id, .fault = *fault });
	return error;
}

static int
valid_copy(struct act *act, const char *application, char id[ID_TEXT])
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &valid, &r, P_TEXT(application))) != 0)
		return error;
	error = db_rows(r) == 1 ? 0 : ICERT_E_CONFLICT;
	snprintf(id, ID_TEXT, "%s", db_text(r, 0, 0));
	db_result_free(r);
	return error;
}

static int
tell_returned(struct act *act, const struct case_file *c, const char *copy, const char *words)
{
	char until[MAILING_MOMENT], dedup[24 + ID_TEXT];
	const struct outbox_variable extra[] = { { "words", words }, { "until", until } };
	int error = deadline_clock_end(act, c->a.id, until);

	if (error != 0)
		return error;
	snprintf(dedup, sizeof dedup, "contract_returned:%s", copy);
	return case_mail(act, c, MAIL_CONTRACT_RETURNED, extra, 2, dedup);
}

/* Deadlines first, then the file, then the case, which the caller still sees because of the file. */
static int
give_back(struct act *act, struct case_file *c, const char *words)
{
	struct buf sealed = BUF_INIT;
	struct db_result *r = NULL;
	char copy[ID_TEXT] = "";
	int error;

	if ((error = valid_copy(act, c->a.id, copy)) != 0 ||
	    (error = case_seal(c, "contract_copy|words", copy, words, &sealed)) != 0 ||
	    (error = deadline_clock_run(act, c->a.id, "contract_returned",
	    policy_int(act, "contract.return_hours", RETURN_HOURS) * HOUR_S, NULL)) != 0 ||
	    (error = DB_QUERY(act->db, &send_back, &r, P_TEXT(copy), P_BYTES(sealed.p, sealed.len), P_INT(clock_business()),
	    P_TEXT(act->id))) != 0)
		goto out;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	if (error == 0 && (error = case_move(act, c, ACTION_RETURN_CONTRACT, "by_director", NULL)) == 0)
		error = tell_returned(act, c, copy, words);
out:
	db_result_free(r);
	buf_free(&sealed);
	return error;
}

int
contract_return(struct act *act, const char *application, int version, const char *words)
{
	struct case_file c;
	size_t n;
	int error;

	words = words != NULL ? words + strspn(words, " \t\r\n") : "";
	if ((n = strlen(words)) == 0 || n > CONTRACT_WORDS)
		return ICERT_E_INVALID;
	if ((error = open_case(act, application, version, ACTION_RETURN_CONTRACT, &c)) == 0)
		error = give_back(act, &c, words);
	return case_done(act, ACTION_RETURN_CONTRACT, &c, error);
}
