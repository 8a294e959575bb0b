#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "operate/test_case.h"
#include "procedure/people/name.h"

#ifndef ICERT_PRODUCTION

#define PROVINCE 17

static const struct db_stmt sql_key = {
	"test_key", "insert into icert.data_key (id, kind, wrapped, created_at) values ($1, $2, $3, $4)"
};
static const struct db_stmt sql_contact = {
	"test_contact",
	"insert into icert.contact (id, email_hash, email, masked, key_id, created_at, proved_at)"
	" values ($1, $2, $3, 'prueba', $4, $5, $5)"
};
static const struct db_stmt sql_purchase = {
	"test_purchase",
	"insert into icert.purchase (id, number, state, contact_id, key_id, tariff_id, container, kind, years, net, tax,"
	" total, tax_bp, currency, billing, once, created_at, state_since, expires_at, paid_at)"
	" select $1, $2, 'used', $3, $4, t.id, t.container, t.kind, t.years, t.net, 0, t.net, 0, t.currency, $5, $2, $6::bigint, $6::bigint,"
	" $6::bigint + 86400, $6::bigint from icert.tariff t where t.container = 'file' and t.kind = 'new' and t.years = 2 limit 1"
};
static const struct db_stmt sql_application = {
	"test_application",
	"insert into icert.application (id, number, state, province, contact_id, purchase_id, key_id, container, kind,"
	" years, person_hash, operator_id, created_at, submitted_at, state_since)"
	" values ($1, $2, 'issuing', $3, $4, $5, $6, 'file', 'new', 2, $7, $8, $9, $9, $9)"
};
static const struct db_stmt sql_certificate = {
	"test_certificate",
	"insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash,"
	" created_at) values ($1, $2, $3, 'issuing', 'file', $4, $5, $6, $7)"
};
static const struct db_stmt sql_approval = {
	"test_approval",
	"insert into icert.approval (id, application_id, kind, fields_hash, statement, staff_id, at)"
	" values ($1, $2, $3, $4, $5, $6, $7)"
};
static const struct db_stmt sql_product = {
	"test_product", "select policy_oid, san_container from icert.product where container = 'file'"
};
static int
make_fields(struct test_case *t, const char *cedula, const char *names, const char *surname1, const char *surname2)
{
	struct db_result *rows;
	int error;

	if (name_upper(names, t->names, TEST_NAME) != 0 || name_upper(surname1, t->surname1, TEST_NAME) != 0 ||
	    name_upper(surname2, t->surname2, TEST_NAME) != 0)
		return complain("a name is not UTF-8 or too long");
	if (snprintf(t->cn, sizeof(t->cn), "%s %s%s%s", t->names, t->surname1, t->surname2[0] != '\0' ? " " : "",
	    t->surname2) >= (int)sizeof(t->cn))
		return complain("the name is too long");
	snprintf(t->mailbox, sizeof(t->mailbox), "%.20s-%.8s@prueba.example", cedula, t->application);
	if ((error = db_query(t->db, &sql_product, NULL, 0, &rows)) != 0)
		return complain("the products cannot be read: %s", db_detail(t->db));
	snprintf(t->policy, sizeof(t->policy), "%s", db_text(rows, 0, 0));
	snprintf(t->container, sizeof(t->container), "%s", db_text(rows, 0, 1));
	db_result_free(rows);
	t->f = (struct cert_fields){ .country = "EC", .locality = "QUITO", .serial_number = cedula, .common_name = t->cn,
	    .email = t->mailbox, .identification = cedula, .given_names = t->names, .surname1 = t->surname1,
	    .surname2 = t->surname2, .address = "AV. 12 DE OCTUBRE N24-563 Y FRANCISCO SALAZAR", .telephone = "+593999999999",
	    .city = "QUITO", .ruc = "", .country_name = "ECUADOR", .kind = "PERSONA NATURAL", .container = t->container,
	    .rup = "", .profession = "", .policy_oid = t->policy, .years = "2", .spki_sha256_hex = "" };
	return cert_fields_hash(&t->f, t->fields_hash) == 0 ? 0 : complain("the fields cannot be encoded");
}

static int
make_ids(struct test_case *t)
{
	uint8_t random[4];
	char hex[9];

	if (id_new(t->contact) != 0 || id_new(t->purchase) != 0 || id_new(t->application) != 0 ||
	    id_new(t->certificate) != 0 || profile_serial(t->serial) != 0 || bytes_random(random, sizeof(random)) != 0)
		return complain("no random bytes");
	bytes_to_hex(hex, random, sizeof(random));
	snprintf(t->number, sizeof(t->number), "PRUEBA-%s", hex);
	return 0;
}

/* Data keys, look-up hashes and both statements. */
static int
ask_keeper(struct test_case *t, const char *staff, const char *code)
{
	static const enum datakey_kind kinds[KEYS] = { DATAKEY_CONTACT, DATAKEY_ORDER, DATAKEY_CASE };
	int k, error = 0;

	for (k = 0; k < KEYS && error == 0; k++)
		error = keeper_datakey_new(&t->portal, kinds[k], t->key_id[k], t->key[k], t->wrapped[k]);
	if (error == 0 && (error = keeper_lookup(&t->portal, "person", t->f.serial_number, t->person)) == 0 &&
	    (error = keeper_lookup(&t->portal, "email", t->mailbox, t->mailbox_hash)) == 0)
		error = keeper_accept(&t->portal, t->application, &t->f, &t->accept);
	if (error != 0)
		return complain("keeper: %s %s", icert_err_code(error), t->portal.detail);
	error = keeper_approve(&t->desk, APPROVAL_ISSUE, t->application, &t->f, staff, code, &t->issue);
	return error == 0 ? 0 : complain("keeper: %s %s", icert_err_code(error), t->desk.detail);
}

static int
seal(const struct test_case *t, int key, const char *table, const char *column, const char *row, const void *p, size_t n,
    struct buf *out)
{
	char place[96];

	snprintf(place, sizeof(place), "%s|%s|%s", table, column, row);
	return seal_field(t->key[key], place, p, n, out);
}

static int
put_people(struct test_case *t, int64_t now)
{
	static const char *const kinds[KEYS] = { "contact", "order", "case" };
	struct buf mailbox = BUF_INIT, billing = BUF_INIT;
	int k, error;

	if ((error = seal(t, CONTACT, "contact", "email", t->contact, t->mailbox, strlen(t->mailbox), &mailbox)) == 0)
		error = seal(t, ORDER, "purchase", "billing", t->purchase, "{}", 2, &billing);
	for (k = 0; k < KEYS && error == 0; k++)
		error = DB_QUERY(t->db, &sql_key, NULL, P_TEXT(t->key_id[k]), P_TEXT(kinds[k]),
		    P_BYTES(t->wrapped[k], KEEPER_WRAPPED), P_INT(now));
	if (error == 0)
		error = DB_QUERY(t->db, &sql_contact, NULL, P_TEXT(t->contact), P_BYTES(t->mailbox_hash, 32),
		    P_BYTES(mailbox.p, mailbox.len), P_TEXT(t->key_id[CONTACT]), P_INT(now));
	if (error == 0)
		error = DB_QUERY(t->db, &sql_purchase, NULL, P_TEXT(t->purchase), P_TEXT(t->number), P_TEXT(t->contact),
		    P_TEXT(t->key_id[ORDER]), P_BYTES(billing.p, billing.len), P_INT(now));
	if (error == 0)
		error = DB_QUERY(t->db, &sql_application, NULL, P_TEXT(t->application), P_TEXT(t->number), P_INT(PROVINCE),
		    P_TEXT(t->contact), P_TEXT(t->purchase), P_TEXT(t->key_id[CASE]), P_BYTES(t->person, 32),
		    P_TEXT(t->staff), P_INT(now));
	buf_free(&mailbox);
	buf_free(&billing);
	return error;
}

static int
put_approval(struct test_case *t, const char *kind, const struct statement *statement, const char *staff, int64_t now)
{
	struct buf bytes = BUF_INIT;
	char id[ID_TEXT];
	int error;

	statement_encode(statement, &bytes);
	if ((error = buf_error(&bytes)) == 0 && (error = id_new(id)) == 0)
		error = DB_QUERY(t->db, &sql_approval, NULL, P_TEXT(id), P_TEXT(t->application), P_TEXT(kind),
		    P_BYTES(t->fields_hash, 32), P_BYTES(bytes.p, bytes.len), P_TEXT(staff), P_INT(now));
	buf_free(&bytes);
	return error;
}

static int
put_certificate(struct test_case *t, int64_t now)
{
	struct buf plain = BUF_INIT, sealed = BUF_INIT;
	int error;

	if ((error = cert_fields_encode(&t->f, &plain)) == 0 &&
	    (error = seal(t, CASE, "certificate", "fields", t->certificate, plain.p, plain.len, &sealed)) == 0)
		error = DB_QUERY(t->db, &sql_certificate, NULL, P_TEXT(t->certificate), P_TEXT(t->application),
		    P_BYTES(t->serial, sizeof(t->serial)), P_TEXT(t->policy), P_BYTES(sealed.p, sealed.len),
		    P_BYTES(t->fields_hash, 32), P_INT(now));
	buf_free(&plain);
	buf_free(&sealed);
	return error;
}

static int
put_rows(struct test_case *t)
{
	int64_t now = clock_real();
	int error;

	if ((error = db_begin(t->db, NULL)) == 0 && (error = put_people(t, now)) == 0 &&
	    (error = put_certificate(t, now)) == 0 && (error = put_approval(t, "accept", &t->accept, NULL, now)) == 0 &&
	    (error = put_approval(t, "issue", &t->issue, t->staff, now)) == 0 &&
	    (error = db_notify(t->db, "icert_issuing", "")) == 0 && (error = db_recv(t->db, NULL)) == 0)
		error = db_commit(t->db);
	if (error == 0)
		return 0;
	complain(error == ICERT_E_EXISTS ? "this person has an open case already (%s)" : "the case was not written: %s",
	    error == ICERT_E_EXISTS ? db_constraint(t->db) : db_detail(t->db));
	db_rollback(t->db);
	return -1;
}

int
test_case_open(struct test_case *t, const struct instance *i)
{
	char conninfo[FILES_PATH];

	memset(t, 0, sizeof(*t));
	keyclient_init(&t->portal, config_require(&i->config, "sockets", "keeper-portal"));
	keyclient_init(&t->desk, config_require(&i->config, "sockets", "keeper-desk"));
	if (strcmp(config_require(&i->config, "instance", "production"), "no") != 0)
		return complain("this is a production instance");
	if (config_conninfo(&i->config, "migrate", conninfo, sizeof(conninfo)) != 0 || (t->db = db_open(conninfo)) == NULL)
		return complain("no database is configured");
	return 0;
}

void
test_case_close(struct test_case *t)
{
	keyclient_close(&t->portal);
	keyclient_close(&t->desk);
	db_close(t->db);
	bytes_wipe(t->key, sizeof(t->key));
}

int
test_case_make(struct test_case *t, const char *cedula, const char *names, const char *surname1, const char *surname2,
    const char *staff, const char *code, const char *operator)
{
	snprintf(t->staff, sizeof(t->staff), "%s", operator);
	return make_ids(t) != 0 || make_fields(t, cedula, names, surname1, surname2) != 0 || ask_keeper(t, staff, code) != 0 ||
	    put_rows(t) != 0 ? -1 : 0;
}

#endif
