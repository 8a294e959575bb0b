/*
 * The clerk's hand for contracts.  The file is durable before the row that names
 * it; one transaction then writes document, contract, state, mail and audit.  A
 * crash in between leaves an encrypted file that nothing names.
 */
#include <ctype.h>
#include <inttypes.h>
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
#include "procedure/contract/contract.h"
#include "procedure/contract/contract_proof.h"
#include "procedure/datakey.h"
#include "procedure/policy.h"
#include "procedure/people/staff.h"
#include "procedure/transition.h"
#include "procedure/trouble.h"
#include "views/view.h"

#define HOUR_S 3600
#define LATE_S HOUR_S		/* from then on the province knows that a contract does not go out */
#define TEXTS 24

static const struct db_stmt waiting = { "contract_waiting",
	"select c.id::text from icert.application a join icert.certificate c on c.application_id = a.id and c.state = 'good'"
	" where a.state = 'issued' and" TROUBLE_RESTS_NOT("contract", "c.id::text", "$2") " order by a.state_since limit $1" };
static const struct db_stmt read_job = { "contract_job",
	"select a.id::text, a.version, a.province, a.number, a.contact_id::text, a.key_id::text, a.years, a.state_since, c.serial,"
	" c.fields, c.not_before, c.not_after, c.issued_at, p.net, p.tax, p.total, p.currency"
	" from icert.certificate c join icert.application a on a.id = c.application_id"
	" join icert.purchase p on p.id = a.purchase_id where c.id = $1 and c.state = 'good' and a.state = 'issued'" };
static const struct db_stmt read_template = { "contract_template",
	"select version, text from icert.contract_template where state = 'approved' and effective_at <= $1"
	" order by effective_at desc, version desc limit 1" };
static const struct db_stmt next_number = { "contract_number", "select nextval('icert.contract_number')" };
static const struct db_stmt add_document = { "contract_document",
	"insert into icert.document (id, application_id, kind, file, key_id, type, size, sha256, original_sha256, pages, created_at)"
	" values ($1, $2, 'contract', $3, $4, 'application/pdf', $5, $6, $6, $7, $8)" };
static const struct db_stmt add_contract = { "contract_add",
	"insert into icert.contract (id, application_id, certificate_id, number, template_version, document_id, sha256,"
	" made_at, sent_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8)" };

struct job {
	struct act *act;
	const struct document_store *store;
	struct keyclient *checker;
	struct contract c;
	struct db_result *r, *template;
	uint8_t key[DATAKEY_BYTES];
	struct cert_fields fields;
	struct buf fields_store;
	int64_t now, due;
	char file[ID_TEXT];
	int pages;

	/* variables of the text */
	struct contract_variable variables[TEXTS];
	struct buf values[TEXTS];
	size_t n;
};

enum { APPLICATION, VERSION, PROVINCE, NUMBER, CONTACT, KEY, YEARS, SINCE, SERIAL, FIELDS, NOT_BEFORE, NOT_AFTER, ISSUED, NET,
	TAX, TOTAL, CURRENCY };

static int
load(struct job *j)
{
	struct buf plain = BUF_INIT;
	const uint8_t *sealed;
	char place[80];
	size_t n;
	int error;

	if ((error = DB_QUERY(j->act->db, &read_job, &j->r, P_TEXT(j->c.certificate))) != 0)
		return error;
	if (db_rows(j->r) != 1)
		return ICERT_E_NOT_FOUND;
	snprintf(j->c.application, sizeof j->c.application, "%s", db_text(j->r, 0, APPLICATION));
	j->due = contract_due(j->act, j->c.application, db_int(j->r, 0, ISSUED));
	if ((error = datakey_open(j->act, db_text(j->r, 0, KEY), j->key)) != 0)
		return error;
	snprintf(place, sizeof place, "certificate|fields|%s", j->c.certificate);
	sealed = db_bytes(j->r, 0, FIELDS, &n);
	if ((error = open_field(j->key, place, sealed, n, &plain)) == 0)
		error = cert_fields_decode(&j->fields, plain.p, plain.len, &j->fields_store);
	buf_free(&plain);
	return error;
}

/* The buffer of the next variable, to be written by the caller. */
static struct buf *
add(struct job *j, const char *name)
{
	if (j->n == TEXTS)
		abort();	/* a list of this file longer than its own table */
	j->variables[j->n].name = name;
	return &j->values[j->n++];
}

static void
add_text(struct job *j, const char *name, const char *text)
{
	buf_puts(add(j, name), text);
}

static void
add_certificate(struct job *j)
{
	const struct cert_fields *f = &j->fields;
	const uint8_t *serial;
	size_t n;

	add_text(j, "name", f->common_name);
	add_text(j, "identification", f->identification);
	add_text(j, "ruc", f->ruc);
	add_text(j, "email", f->email);
	add_text(j, "address", f->address);
	add_text(j, "city", f->city);
	add_text(j, "telephone", f->telephone);
	add_text(j, "container", f->container);
	serial = db_bytes(j->r, 0, SERIAL, &n);
	buf_hex(add(j, "serial"), serial, n);
	view_put_date(add(j, "valid_from"), db_int(j->r, 0, NOT_BEFORE));
	view_put_date(add(j, "valid_to"), db_int(j->r, 0, NOT_AFTER));
	view_put_moment(add(j, "issued"), db_int(j->r, 0, ISSUED));
}

static int
add_case(struct job *j)
{
	const char *authority = config_get(j->act->config, "ca", "issuing_name"), *years = db_text(j->r, 0, YEARS);
	int64_t hours = (j->due - db_int(j->r, 0, ISSUED)) / HOUR_S;
	struct province province;
	int error;

	if ((error = province_get(j->act, (int)db_int(j->r, 0, PROVINCE), &province)) != 0)
		return error;
	add_text(j, "authority", authority != NULL ? authority : "");
	add_text(j, "province", province.name);
	add_text(j, "contract", j->c.number);
	add_text(j, "case", db_text(j->r, 0, NUMBER));
	buf_printf(add(j, "hours"), "%" PRId64, hours);
	view_put_moment(add(j, "due"), j->due);
	catalogue_put(add(j, "years"), strcmp(years, "1") == 0 ? "contract.year" : "contract.years",
	    (const char *const[]){ "n", years, NULL });
	view_put_money(add(j, "net"), db_int(j->r, 0, NET));
	view_put_money(add(j, "tax"), db_int(j->r, 0, TAX));
	view_put_money(add(j, "total"), db_int(j->r, 0, TOTAL));
	add_text(j, "currency", db_text(j->r, 0, CURRENCY));
	return 0;
}

static int
variables(struct job *j)
{
	int error;

	add_certificate(j);
	if ((error = add_case(j)) != 0)
		return error;
	for (size_t i = 0; i < j->n; i++) {
		if ((error = buf_error(&j->values[i])) != 0)
			return error;
		j->variables[i].value = buf_str(&j->values[i]);
	}
	return 0;
}

static int
number(struct job *j)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(j->act->db, &next_number, &r)) != 0)
		return error;
	number_contract(j->now, db_int(r, 0, 0), j->c.number);
	db_result_free(r);
	return 0;
}

static void
verify_url(const struct job *j, char *out, size_t size)
{
	const char *portal = config_get(j->act->config, "public", "portal_url");
	int n = snprintf(out, size, "%s/contrato/", portal != NULL ? portal : "");

	if (n > 0 && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, "%s", j->c.number);
	for (char *p = out + n; n > 0 && (size_t)n < size && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

static int
draw(struct job *j, struct buf *pdf)
{
	struct contract_pdf in = { .variables = j->variables, .n = j->n, .number = j->c.number, .at = j->now,
		.font = config_get(j->act->config, "contract", "font") };
	char url[256];
	int line = 0, error;

	if ((error = DB_QUERY(j->act->db, &read_template, &j->template, P_INT(j->now))) != 0)
		return error;
	if (db_rows(j->template) != 1) {
		log_error("contract_template", "no approved template");
		return ICERT_E_MISSING;
	}
	j->c.template_version = (int)db_int(j->template, 0, 0);
	in.template = db_text(j->template, 0, 1);
	in.template_len = strlen(in.template);
	verify_url(j, url, sizeof url);
	in.verify_url = url;
	if ((error = contract_pdf_make(&in, pdf, &line)) != 0)
		log_error("contract_template", "version %d, line %d: %s", j->c.template_version, line, icert_err_code(error));
	else
		crypto_hash_sha256(j->c.sha256, pdf->p, pdf->len);
	return error;
}

static struct mailing
mailing_of(const struct job *j)
{
	return (struct mailing){ .application = j->c.application, .contact = db_text(j->r, 0, CONTACT),
		.number = db_text(j->r, 0, NUMBER), .province = (int)db_int(j->r, 0, PROVINCE),
		.key_id = db_text(j->r, 0, KEY), .key = j->key };
}

static int
rows(struct job *j, size_t size)
{
	struct contract *c = &j->c;
	int error;

	error = DB_QUERY(j->act->db, &add_document, NULL, P_TEXT(c->document), P_TEXT(c->application), P_TEXT(j->file),
	    P_TEXT(db_text(j->r, 0, KEY)), P_INT((int64_t)size), P_BYTES(c->sha256, 32), P_INT(j->pages),
	    P_INT(j->now));
	return error != 0 ? error : DB_QUERY(j->act->db, &add_contract, NULL, P_TEXT(c->id), P_TEXT(c->application),
	    P_TEXT(c->certificate), P_TEXT(c->number), P_INT(c->template_version), P_TEXT(c->document), P_BYTES(c->sha256, 32),
	    P_INT(j->now));
}

/* The one transaction in which the contract is sent. */
static int
commit(struct job *j, size_t size)
{
	struct mailing m = mailing_of(j);
	char dedup[80], detail[160], hex[65];
	struct transition_also also = { .detail = detail };
	int error;

	bytes_to_hex(hex, j->c.sha256, 32);
	snprintf(detail, sizeof detail, "{\"contract\":\"%s\",\"template\":%d,\"sha256\":\"%s\"}", j->c.number,
	    j->c.template_version, hex);
	if ((error = id_new(j->c.id)) != 0 || (error = id_new(j->c.document)) != 0 || (error = act_begin(j->act)) != 0)
		return error;
	snprintf(dedup, sizeof dedup, "contract:%s", j->c.id);
	error = transition_apply(j->act, ACTION_SEND_CONTRACT, j->c.application, APPLICATION_ISSUED,
	    (int)db_int(j->r, 0, VERSION), m.province, &also);
	if (error == 0 && (error = rows(j, size)) == 0 &&
	    (error = contract_mail(j->act, &m, &j->c, j->due, dedup)) == 0)
		return db_commit(j->act->db);
	db_rollback(j->act->db);
	return error;
}

/* What goes out must pass the same eyes as what comes back.  The checker down holds nothing up. */
static int
check(struct job *j, const struct buf *pdf)
{
	const char *fault;
	int error = contract_checked(j->checker, pdf->p, pdf->len, &j->pages, &fault);

	if (error != 0 || fault == NULL)
		return 0;
	log_error("contract_template", "version %d: %s", j->c.template_version, fault);
	return ICERT_E_INVALID;
}

static int
steps(struct job *j)
{
	struct buf pdf = BUF_INIT;
	int error;

	if ((error = load(j)) == 0 && (error = number(j)) == 0 && (error = variables(j)) == 0 &&
	    (error = draw(j, &pdf)) == 0 && (error = check(j, &pdf)) == 0 && (error = document_put(j->store, j->key, pdf.p, pdf.len, j->file)) == 0 &&
	    (error = commit(j, pdf.len)) != 0)
		document_drop(j->store, j->file);
	buf_free(&pdf);
	return error;
}

/* Once a case, when its contract is late by an hour; the mail waits for the same keeper, if that is what is missing. */
static void
alarm_late(struct job *j)
{
	struct mailing m;

	if (j->r == NULL || db_rows(j->r) != 1 || j->now - db_int(j->r, 0, SINCE) < LATE_S)
		return;
	log_error("contract_late", "application %s", j->c.application);
	m = mailing_of(j);
	if (act_begin(j->act) == 0 && mailing_staff(j->act, &m, "contract", "contract_late") == 0 && db_commit(j->act->db) == 0)
		return;
	db_rollback(j->act->db);
}

struct making {
	struct act *act;
	const struct document_store *store;
	struct keyclient *checker;
};

static int
one(void *ctx, const char *certificate)
{
	const struct making *making = ctx;
	struct job *j = calloc(1, sizeof *j);
	int error;

	if (j == NULL)
		return ICERT_E_MEMORY;
	j->act = making->act;
	j->store = making->store;
	j->checker = making->checker;
	j->now = clock_business();
	snprintf(j->c.certificate, sizeof j->c.certificate, "%.36s", certificate);
	error = steps(j);
	/* Gone or revoked meanwhile: nothing is to be sent. */
	if (error == ICERT_E_NOT_FOUND || error == ICERT_E_CONFLICT)
		error = 0;
	if (error != 0)
		alarm_late(j);
	for (size_t i = 0; i < TEXTS; i++)
		buf_free(&j->values[i]);
	buf_free(&j->fields_store);
	db_result_free(j->template);
	db_result_free(j->r);
	bytes_wipe(j, sizeof *j);
	free(j);
	return error;
}

int
contract_run(struct act *act, const struct document_store *store, struct keyclient *checker, size_t most, size_t *done)
{
	struct making making = { act, store, checker };
	struct db_result *r;
	int error;

	*done = 0;
	if ((error = DB_QUERY(act->db, &waiting, &r, P_INT((int64_t)most), P_INT(clock_real()))) != 0)
		return error;
	return trouble_each(act, "contract", r, one, &making, done);
}
