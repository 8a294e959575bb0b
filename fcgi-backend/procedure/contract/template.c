#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "documents/contract_pdf.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "procedure/contract/contract.h"
#include "procedure/people/staff.h"
#include "procedure/contract/template.h"
#include "views/view.h"

/* Without these a contract would not say who, which certificate, for how much and until when. */
static const char *const needed[] = { "authority", "province", "name", "identification", "serial", "container", "total", "hours",
	"due", NULL };

#define COLUMNS \
	"t.id, t.version, t.state, encode(sha256(convert_to(t.text, 'UTF8')), 'hex'), coalesce(t.written_by::text, '')," \
	" coalesce(w.name, ''), coalesce(p.name, ''), t.written_at, coalesce(t.approved_at, 0), coalesce(t.effective_at, 0)," \
	" (select count(*) from icert.contract c where c.template_version = t.version)," \
	" coalesce(t.version = (select v.version from icert.contract_template v where v.state = 'approved'" \
	" and v.effective_at <= $1 order by v.effective_at desc, v.version desc limit 1), false)," \
	" coalesce(icert.other_person(t.written_by), t.written_by is null)"
#define FROM \
	" from icert.contract_template t left join icert.staff w on w.id = t.written_by left join icert.staff p on p.id = t.approved_by"

static const struct db_stmt list = { "template_list", "select " COLUMNS FROM " order by t.version desc limit 200" };
static const struct db_stmt one = { "template_one",
	"select " COLUMNS ", t.text" FROM " where case when $2 > 0 then t.version = $2 else t.state in ('draft', 'approved') end"
	" order by t.state = 'draft' desc, t.version desc limit 1" };
static const struct db_stmt lock = { "template_lock", "select pg_advisory_xact_lock(hashtext('icert.contract_template'))" };
static const struct db_stmt newest = { "template_newest",
	"select coalesce(max(version), 0), coalesce(max(version) filter (where state = 'draft'), 0),"
	" coalesce(max(version) filter (where state = 'approved'), 0),"
	" coalesce(max(encode(sha256(convert_to(text, 'UTF8')), 'hex')) filter (where state = 'draft'), '') from icert.contract_template" };
static const struct db_stmt add = { "template_add",
	"insert into icert.contract_template (id, version, state, text, written_by, written_at) values ($1, $2, 'draft', $3, $4, $5)" };
static const struct db_stmt leave = { "template_leave",
	"update icert.contract_template set state = $2 where state = 'draft' and version = $1" };
static const struct db_stmt approve = { "template_approve",
	"update icert.contract_template set state = 'approved', approved_by = $2, approved_at = $3, effective_at = $4"
	" where state = 'draft' and version = $1" };

static void
fill(struct template_version *t, struct db_result *r, int row)
{
	memset(t, 0, sizeof *t);
	snprintf(t->id, sizeof t->id, "%s", db_text(r, row, 0));
	t->version = (int)db_int(r, row, 1);
	snprintf(t->state, sizeof t->state, "%s", db_text(r, row, 2));
	snprintf(t->sha256, sizeof t->sha256, "%s", db_text(r, row, 3));
	snprintf(t->written_by, sizeof t->written_by, "%s", db_text(r, row, 4));
	snprintf(t->written_name, sizeof t->written_name, "%s", db_text(r, row, 5));
	snprintf(t->approved_name, sizeof t->approved_name, "%s", db_text(r, row, 6));
	t->written_at = db_int(r, row, 7);
	t->approved_at = db_int(r, row, 8);
	t->effective_at = db_int(r, row, 9);
	t->contracts = db_int(r, row, 10);
	t->counts = db_bool(r, row, 11);
	t->other = db_bool(r, row, 12);
}

int
template_list(struct act *act, struct template_version *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & (BY_ADMIN | BY_AUDITOR)))
		return act_refuse(act, "template.list", "contract_template", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_INT(clock_business()))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

/* Inside the open transaction. */
static int
read_one(struct act *act, int version, struct template_version *t, struct buf *text)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &one, &r, P_INT(clock_business()), P_INT(version))) != 0)
		return error;
	if (db_rows(r) == 1) {
		fill(t, r, 0);
		if (text != NULL)
			buf_puts(text, db_text(r, 0, 13));
		error = text != NULL ? buf_error(text) : 0;
	} else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
template_get(struct act *act, int version, struct template_version *t, struct buf *text)
{
	int error;

	if (!(act->roles & (BY_ADMIN | BY_AUDITOR)))
		return act_refuse(act, "template.list", "contract_template", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) == 0 && (error = read_one(act, version, t, text)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

/* Invented, and long where real ones may be; from the catalogue. */
static void
sample(struct contract_variable *variables)
{
	for (size_t i = 0; i < CONTRACT_VARIABLES; i++) {
		char code[64];

		snprintf(code, sizeof code, "contract.sample.%s", contract_variables[i]);
		variables[i].name = contract_variables[i];
		variables[i].value = catalogue(code);
	}
}

static int
draw(struct act *act, const char *text, size_t len, const struct contract_variable *variables, struct buf *pdf)
{
	const char *portal = config_get(act->config, "public", "portal_url");
	struct buf url = BUF_INIT;
	struct contract_pdf in = { .template = text, .template_len = len, .variables = variables, .n = CONTRACT_VARIABLES,
		.number = catalogue("contract.sample.contract"), .at = clock_business(),
		.font = config_get(act->config, "contract", "font") };
	int error;

	buf_printf(&url, "%s/contrato/%s", portal != NULL ? portal : "", in.number);
	in.verify_url = buf_str(&url);
	if ((error = buf_error(&url)) == 0)
		error = contract_pdf_make(&in, pdf, NULL);
	buf_free(&url);
	return error;
}

int
template_preview(struct act *act, const char *text, size_t len, struct contract_fault *faults, size_t *nfaults, struct buf *pdf)
{
	struct contract_variable variables[CONTRACT_VARIABLES];
	struct buf out = BUF_INIT;
	int error;

	sample(variables);
	if ((error = contract_text_check(text, len, variables, CONTRACT_VARIABLES, needed, faults, nfaults)) != 0 || *nfaults > 0)
		return error;
	error = draw(act, text, len, variables, pdf != NULL ? pdf : &out);
	if (error == ICERT_E_TOO_LARGE) {
		faults[(*nfaults)++] = (struct contract_fault){ .code = "too-tall" };
		error = 0;
	}
	buf_free(&out);
	return error;
}

static int
audit(struct act *act, const char *action, const char *id, int version, const char *sha256)
{
	char detail[128];

	snprintf(detail, sizeof detail, "{\"version\":%d,\"sha256\":\"%s\"}", version, sha256);
	return act_audit(act, action, "contract_template", id, NULL, 0, NULL, detail);
}

static int
hash(const char *text, size_t len, char hex[65])
{
	uint8_t sha256[32];

	if (EVP_Digest(text, len, sha256, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	bytes_to_hex(hex, sha256, sizeof sha256);
	return 0;
}

static int
save_here(struct act *act, int base, const char *text, const char *sha256, int *version)
{
	struct db_result *r;
	int error, last, draft, approved, same;
	char id[ID_TEXT];

	if ((error = id_new(id)) != 0 || (error = db_query(act->db, &lock, NULL, 0, NULL)) != 0 ||
	    (error = db_query(act->db, &newest, NULL, 0, &r)) != 0)
		return error;
	last = (int)db_int(r, 0, 0);
	draft = (int)db_int(r, 0, 1);
	approved = (int)db_int(r, 0, 2);
	same = strcmp(db_text(r, 0, 3), sha256) == 0;
	db_result_free(r);
	if (same) {
		*version = draft;
		return 0;
	}
	/* A draft of somebody, or a text approved since, which the writer has not seen. */
	if (draft != 0 ? base != draft : approved > base)
		return ICERT_E_CONFLICT;
	if (draft != 0 && (error = DB_QUERY(act->db, &leave, NULL, P_INT(draft), P_TEXT("replaced"))) != 0)
		return error;
	*version = last + 1;
	if ((error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_INT(*version), P_TEXT(text), P_TEXT(act->id),
	    P_INT(clock_business()))) != 0)
		return error;
	return audit(act, "template.draft", id, *version, sha256);
}

int
template_save(struct act *act, int base, const char *text, size_t len, int *version)
{
	struct contract_fault faults[CONTRACT_FAULTS];
	size_t n = CONTRACT_FAULTS;
	char sha256[65];
	int error = ICERT_E_DENIED;

	*version = 0;
	if ((act->roles & BY_ADMIN) && (error = template_preview(act, text, len, faults, &n, NULL)) == 0 &&
	    (error = n > 0 ? ICERT_E_INVALID : hash(text, len, sha256)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = save_here(act, base, text, sha256, version)) == 0)
		error = db_commit(act->db);
	if (error == 0)
		return 0;
	db_rollback(act->db);
	/* A fault of the text is the writer's to mend, and no refusal. */
	return error == ICERT_E_INVALID ? error : act_refuse(act, "template.draft", "contract_template", NULL, 0, error);
}

static int
approve_here(struct act *act, struct template_version *t, const char *sha256, int64_t effective)
{
	int64_t now = clock_business();
	struct db_result *r;
	int error;

	if (strcmp(t->state, "draft") != 0)
		return ICERT_E_NOT_FOUND;
	if (!t->other)
		return ICERT_E_DENIED;
	if (strcmp(t->sha256, sha256) != 0)
		return ICERT_E_MISMATCH;
	if (effective != 0 && effective < now)
		return ICERT_E_INVALID;
	if ((error = DB_QUERY(act->db, &approve, &r, P_INT(t->version), P_TEXT(act->id), P_INT(now),
	    P_INT(effective != 0 ? effective : now))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	return error != 0 ? error : audit(act, "template.approve", t->id, t->version, t->sha256);
}

int
template_approve(struct act *act, int version, const char *sha256, int64_t effective, const char *code)
{
	struct template_version t = { .version = 0 };
	int error = ICERT_E_DENIED;

	if (version > 0 && (act->roles & BY_ADMIN) && (error = staff_factor(act, code)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = read_one(act, version, &t, NULL)) == 0 && (error = approve_here(act, &t, sha256, effective)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 :
	    act_refuse(act, "template.approve", "contract_template", t.id[0] != '\0' ? t.id : NULL, 0, error);
}

int
template_withdraw(struct act *act, int version)
{
	struct template_version t = { .version = 0 };
	int error = ICERT_E_DENIED;

	if (version > 0 && (act->roles & BY_ADMIN) && (error = act_begin(act)) == 0 &&
	    (error = read_one(act, version, &t, NULL)) == 0 &&
	    (error = strcmp(t.state, "draft") == 0 ? 0 : ICERT_E_NOT_FOUND) == 0 &&
	    (error = DB_QUERY(act->db, &leave, NULL, P_INT(version), P_TEXT("withdrawn"))) == 0 &&
	    (error = audit(act, "template.withdraw", t.id, version, t.sha256)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 :
	    act_refuse(act, "template.withdraw", "contract_template", t.id[0] != '\0' ? t.id : NULL, 0, error);
}
