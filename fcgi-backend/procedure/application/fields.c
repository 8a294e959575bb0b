/*
 * The exact fields of a certificate: made from the form, accepted by the
 * applicant, approved by the operator.
 */
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/application/fields.h"
#include "procedure/policy.h"
#include "procedure/certificate/renewal.h"
#include "procedure/certificate/token.h"

#define HOUR_S		3600
#define FRESH_S		(24 * HOUR_S)	/* an acceptance's life; the signer holds to the same */
#define STALE_HOURS	24
#define SERIAL_BYTES	16

/* The profile of a natural person's certificate (docs of the CA, 1.2 and 1.3). */
#define COUNTRY		"EC"
#define COUNTRY_NAME	"ECUADOR"
#define KIND		"PERSONA NATURAL"

static const struct db_stmt product = { "fields_product",
	"select policy_oid, san_container from icert.product where container = $1" };
static const struct db_stmt accepted = { "fields_accepted",
	"select fields_hash, at from icert.approval where application_id = $1 and kind = 'accept' order by at desc, id limit 1" };
static const struct db_stmt add_approval = { "fields_add_approval",
	"insert into icert.approval (id, application_id, kind, fields_hash, statement, staff_id, at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt order_used = { "fields_order_used",
	"select state = 'used' from icert.purchase where id = $1" };
static const struct db_stmt add_certificate = { "fields_add_certificate",
	"insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash, created_at)"
	" values ($1, $2, $3, 'issuing', $4, $5, $6, $7, $8)" };

/* Copies value into the struct's own text and returns where it stands. */
static const char *
keep(struct fields *out, size_t *used, const char *value)
{
	size_t n = strlen(value) + 1;
	char *p = out->text + *used;

	if (n > sizeof out->text - *used)
		return NULL;
	memcpy(p, value, n);
	*used += n;
	return p;
}

static int
fill(struct fields *out, const struct application *a, const char *policy_oid, const char *container)
{
	const struct application_form *form = &a->form;
	struct cert_fields *f = &out->f;
	char name[512], years[8];
	size_t used = 0;

	application_full_name(form, name, sizeof name);
	snprintf(years, sizeof years, "%d", a->years);
	f->country = COUNTRY;
	f->country_name = COUNTRY_NAME;
	f->kind = KIND;
	f->rup = f->profession = "";
	f->spki_sha256_hex = strcmp(a->container, CONTAINER_TOKEN) == 0 ? keep(out, &used, a->token_key) : "";
	f->locality = keep(out, &used, form->city);
	f->serial_number = f->identification = keep(out, &used, form->id_number);
	f->common_name = keep(out, &used, name);
	f->email = keep(out, &used, a->email);
	f->given_names = keep(out, &used, form->given_names);
	f->surname1 = keep(out, &used, form->surname1);
	f->surname2 = keep(out, &used, form->surname2);
	f->address = keep(out, &used, form->address);
	f->telephone = keep(out, &used, form->telephone);
	f->city = f->locality;
	f->ruc = keep(out, &used, form->ruc);
	f->container = keep(out, &used, container);
	f->policy_oid = keep(out, &used, policy_oid);
	f->years = keep(out, &used, years);
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++)
		if (cert_fields_get(f, i) == NULL)
			return ICERT_E_TOO_LARGE;
	return cert_fields_hash(f, out->hash);
}

int
fields_make(struct act *act, const struct application *a, struct fields *out)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	struct application copy = *a;
	struct db_result *r;
	int error;

	memset(out, 0, sizeof *out);
	if (application_form_check(&copy.form, 0, faults) > 0 || a->email[0] == '\0')
		return ICERT_E_INVALID;
	if ((error = DB_QUERY(act->db, &product, &r, P_TEXT(a->container))) != 0)
		return error;
	error = db_rows(r) == 1 ? fill(out, &copy, db_text(r, 0, 0), db_text(r, 0, 1)) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	bytes_wipe(&copy, sizeof copy);
	return error;
}

int
fields_complete(const struct application *a)
{
	return strcmp(a->container, CONTAINER_TOKEN) != 0 || a->token_key[0] != '\0';
}

/* 0 when the newest acceptance is of these fields and fresh. */
static int
acceptance(struct act *act, const char *application, const struct fields *f)
{
	struct db_result *r;
	const uint8_t *hash;
	size_t n;
	int error;

	if ((error = DB_QUERY(act->db, &accepted, &r, P_TEXT(application))) != 0)
		return error;
	hash = db_bytes(r, 0, 0, &n);
	if (db_rows(r) == 0 || n != sizeof f->hash || memcmp(hash, f->hash, n) != 0)
		error = ICERT_E_MISSING;
	else if (clock_real() - db_int(r, 0, 1) > FRESH_S)
		error = ICERT_E_STALE;
	db_result_free(r);
	return error;
}

int
fields_accepted(struct act *act, const struct application *a, int *yes)
{
	struct fields f;
	int error;

	*yes = 0;
	if (a->state != APPLICATION_SCHEDULED && a->state != APPLICATION_IDENTIFIED && a->state != APPLICATION_ISSUING)
		return 0;
	if (!fields_complete(a))
		return 0;
	if ((error = fields_make(act, a, &f)) == 0)
		error = acceptance(act, a->id, &f);
	*yes = error == 0;
	bytes_wipe(&f, sizeof f);
	return error == ICERT_E_INVALID || error == ICERT_E_MISSING || error == ICERT_E_STALE ? 0 : error;
}

static int
store_approval(struct act *act, const struct case_file *c, enum approval_kind kind, const struct fields *f,
    const struct statement *statement)
{
	struct buf bytes = BUF_INIT;
	char id[ID_TEXT];
	int error;

	statement_encode(statement, &bytes);
	if ((error = buf_error(&bytes)) == 0 && (error = id_new(id)) == 0)
		error = DB_QUERY(act->db, &add_approval, NULL, P_TEXT(id), P_TEXT(c->a.id), P_TEXT(approval_kind_name(kind)),
		    P_BYTES(f->hash, sizeof f->hash), P_BYTES(bytes.p, bytes.len),
		    P_TEXT(kind == APPROVAL_ACCEPT ? NULL : act->id), P_INT(clock_real()));
	buf_free(&bytes);
	return error;
}

int
fields_accept(struct act *act, const char *application, int version, const char *hash_hex)
{
	struct statement statement;
	struct case_file c;
	struct fields f;
	uint8_t shown[32];
	int error;

	if ((error = case_open(act, application, version, &c)) != 0)
		return case_done(act, ACTION_ACCEPT_FIELDS, &c, error);
	if (transition_find(ACTION_ACCEPT_FIELDS, c.a.state, act->roles, &error) != NULL &&
	    (error = fields_complete(&c.a) ? 0 : ICERT_E_MISSING) == 0 && (error = fields_make(act, &c.a, &f)) == 0) {
		if (strlen(hash_hex) != 2 * sizeof shown || bytes_from_hex(shown, sizeof shown, hash_hex) != 0 ||
		    memcmp(shown, f.hash, sizeof shown) != 0)
			error = ICERT_E_MISMATCH;
		else if ((error = keeper_accept(act->keeper, application, &f.f, &statement)) == 0 &&
		    (error = store_approval(act, &c, APPROVAL_ACCEPT, &f, &statement)) == 0)
			error = case_move(act, &c, ACTION_ACCEPT_FIELDS, NULL, NULL);
		bytes_wipe(&f, sizeof f);
	}
	return case_done(act, ACTION_ACCEPT_FIELDS, &c, error);
}

/* What must hold before the operator's code is used up. */
static int
ready(struct act *act, const struct case_file *c, struct fields *f)
{
	struct db_result *r;
	int error, paid, by_signature;

	if ((error = renewal_stands(act, &c->a, &by_signature)) != 0)
		return error;
	/* A face seen a day ago proves nothing any more; a signature does, as long as its certificate is not revoked. */
	if (!by_signature && clock_business() - c->a.state_since > policy_int(act, "identified.hours", STALE_HOURS) * HOUR_S)
		return ICERT_E_STALE;
	if ((error = DB_QUERY(act->db, &order_used, &r, P_TEXT(c->a.purchase))) != 0)
		return error;
	paid = db_bool(r, 0, 0);
	db_result_free(r);
	if (!paid)
		return ICERT_E_STATE;
	if (!fields_complete(&c->a))
		return ICERT_E_MISSING;
	if ((error = fields_make(act, &c->a, f)) != 0)
		return error;
	return acceptance(act, c->a.id, f);
}

/* Positive and of full length: RFC 5280, 4.1.2.2. */
static int
new_serial(uint8_t serial[SERIAL_BYTES])
{
	int error;

	do {
		if ((error = bytes_random(serial, SERIAL_BYTES)) != 0)
			return error;
		serial[0] &= 0x7f;
	} while (serial[0] == 0);
	return 0;
}

static int
store_certificate(struct act *act, const struct case_file *c, const struct fields *f, char id[ID_TEXT])
{
	struct buf canonical = BUF_INIT, sealed = BUF_INIT;
	uint8_t serial[SERIAL_BYTES];
	char place[80];
	int error;

	if ((error = id_new(id)) != 0 || (error = new_serial(serial)) != 0 ||
	    (error = cert_fields_encode(&f->f, &canonical)) != 0)
		goto out;
	snprintf(place, sizeof place, "certificate|fields|%s", id);
	if ((error = seal_field(c->key, place, canonical.p, canonical.len, &sealed)) == 0)
		error = DB_QUERY(act->db, &add_certificate, NULL, P_TEXT(id), P_TEXT(c->a.id), P_BYTES(serial, sizeof serial),
		    P_TEXT(c->a.container), P_TEXT(f->f.policy_oid), P_BYTES(sealed.p, sealed.len),
		    P_BYTES(f->hash, sizeof f->hash), P_INT(clock_business()));
out:
	buf_free(&canonical);
	buf_free(&sealed);
	return error;
}

int
fields_issue(struct act *act, const char *application, int version, const char *totp)
{
	struct statement statement;
	char certificate[ID_TEXT], detail[80];
	struct case_file c;
	struct fields f;
	int error;

	if ((error = case_open_staff(act, application, version, ACTION_ISSUE, &c)) != 0)
		return case_done(act, ACTION_ISSUE, &c, error);
	if ((error = ready(act, &c, &f)) == 0 &&
	    (error = keeper_approve(act->keeper, APPROVAL_ISSUE, application, &f.f, act->id, totp, &statement)) == 0 &&
	    (error = store_approval(act, &c, APPROVAL_ISSUE, &f, &statement)) == 0 &&
	    (error = store_certificate(act, &c, &f, certificate)) == 0) {
		snprintf(detail, sizeof detail, "{\"certificate\":\"%s\"}", certificate);
		if ((error = case_move(act, &c, ACTION_ISSUE, NULL, detail)) == 0 &&
		    (error = db_notify(act->db, "icert_issuing", certificate)) == 0)
			error = db_recv(act->db, NULL);
	}
	bytes_wipe(&f, sizeof f);
	return case_done(act, ACTION_ISSUE, &c, error);
}

int
fields_opening_code(struct act *act, const char *application, char code[9])
{
	/* Whoever gave the newest new code, else whoever issued. */
	static const struct db_stmt who = { "fields_issuer",
		"select coalesce((select r.staff_id from icert.envelope_renewal r where r.application_id = $1 order by r.round desc limit 1),"
		" (select p.staff_id from icert.approval p where p.application_id = $1 and p.kind = 'issue' order by p.at desc limit 1))" };
	struct case_file c;
	struct db_result *r;
	int error;

	memset(code, 0, 9);
	if ((error = case_open(act, application, -1, &c)) == 0 &&
	    (error = DB_QUERY(act->db, &who, &r, P_TEXT(application))) == 0) {
		if (!application_is_issued(c.a.state) || c.a.state == APPLICATION_CLOSED_REVOKED)
			error = ICERT_E_STATE;
		else if (strcmp(db_text(r, 0, 0), act->id) != 0)
			error = ICERT_E_DENIED;
		db_result_free(r);
	}
	if (error == 0) {
		error = keeper_opening_code_take(act->keeper, application, act->id, code);
		/* Told before: the keeper keeps no second copy for anybody. */
		if (error == ICERT_E_STATE)
			error = ICERT_E_DESTROYED;
		else if (error == ICERT_E_NOT_FOUND)
			error = ICERT_E_STATE;
	}
	if (error == 0)
		error = act_audit(act, "envelope.code_told", "application", application, application, c.a.province, NULL, NULL);
	bytes_wipe(c.key, sizeof c.key);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "envelope.code_told", "application", id_valid(application) ? application : NULL,
		    c.a.province, error);
	/* Should this not arrive, the same person can ask for it again: better than a code that nobody has. */
	(void)keeper_opening_code_told(act->keeper, application, act->id);
	return 0;
}
