#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "pki/possession.h"
#include "procedure/case.h"
#include "procedure/certificate/token.h"

static const struct db_stmt standing = { "token_standing",
	"select encode(t.spki_sha256, 'hex'), t.bits, t.at, s.name from icert.token_request t"
	" join icert.staff s on s.id = t.staff_id where t.application_id = $1 and t.replaced_at is null" };
static const struct db_stmt certified = { "token_certified", "select icert.key_certified($1)" };
static const struct db_stmt replace = { "token_replace",
	"update icert.token_request set replaced_at = $3 where application_id = $1 and replaced_at is null and spki_sha256 <> $2" };
static const struct db_stmt again = { "token_again",
	"update icert.token_request set replaced_at = null, staff_id = $3, at = $4 where application_id = $1 and spki_sha256 = $2" };
static const struct db_stmt add = { "token_add",
	"insert into icert.token_request (spki_sha256, application_id, spki, request, bits, staff_id, at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };

int
token_key_of(struct act *act, const char *application, struct token_key *out)
{
	struct db_result *r;
	int error;

	memset(out, 0, sizeof *out);
	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &standing, &r, P_TEXT(application))) != 0)
		return error;
	if (db_rows(r) == 1) {
		snprintf(out->spki_sha256, sizeof out->spki_sha256, "%s", db_text(r, 0, 0));
		out->bits = (int)db_int(r, 0, 1);
		out->at = db_int(r, 0, 2);
		snprintf(out->by_name, sizeof out->by_name, "%s", db_text(r, 0, 3));
	} else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

/* Which of the profile's rules the key breaks, as its maker can mend it. */
static const char *
key_fault(const struct csr *csr)
{
	static const uint8_t f4[] = { 1, 0, 1 };
	size_t n = csr->modulus.len;

	if ((n != 256 && n != 384 && n != 512) || (csr->modulus.p[0] & 0x80) == 0)
		return "size";
	return der_is(&csr->exponent, f4, sizeof f4) ? "weak" : "exponent";
}

/* The request, read and proved, in the caller's buffer. */
static int
read_request(const void *file, size_t len, struct buf *der, struct possession *p, const char **why)
{
	int error;

	if ((error = csr_unarmour(file, len, der)) != 0)
		return error;
	if ((error = possession_check(p, der->p, der->len)) == ICERT_E_INVALID)
		*why = key_fault(&p->csr);
	return error;
}

/* The same key again is no fault: the row that is there stands. */
static int
store(struct act *act, const struct case_file *c, const struct possession *p, const struct buf *der, const char *hex)
{
	struct buf sealed = BUF_INIT;
	struct db_result *r;
	char place[120];
	int64_t now = clock_business();
	int error, there;

	if ((error = DB_QUERY(act->db, &replace, NULL, P_TEXT(c->a.id), P_BYTES(p->spki_sha256, 32), P_INT(now))) != 0 ||
	    (error = DB_QUERY(act->db, &again, &r, P_TEXT(c->a.id), P_BYTES(p->spki_sha256, 32), P_TEXT(act->id), P_INT(now))) != 0)
		return error;
	there = db_affected(r) == 1;
	db_result_free(r);
	if (there)
		return 0;
	snprintf(place, sizeof place, "token_request|request|%s", hex);
	if ((error = seal_field(c->key, place, der->p, der->len, &sealed)) == 0)
		error = DB_QUERY(act->db, &add, NULL, P_BYTES(p->spki_sha256, 32), P_TEXT(c->a.id),
		    P_BYTES(p->csr.spki.p, p->csr.spki.len), P_BYTES(sealed.p, sealed.len), P_INT(p->bits), P_TEXT(act->id), P_INT(now));
	buf_free(&sealed);
	return error;
}

static int
take(struct act *act, const struct case_file *c, const void *file, size_t len, char hex[65], const char **why)
{
	struct buf der = BUF_INIT;
	struct possession p;
	struct db_result *r;
	int error;

	if (strcmp(c->a.container, CONTAINER_TOKEN) != 0)
		return ICERT_E_STATE;
	if ((error = read_request(file, len, &der, &p, why)) == 0 &&
	    (error = DB_QUERY(act->db, &certified, &r, P_BYTES(p.spki_sha256, 32))) == 0) {
		if (db_bool(r, 0, 0))
			error = ICERT_E_EXISTS;
		db_result_free(r);
	}
	if (error == 0) {
		bytes_to_hex(hex, p.spki_sha256, sizeof p.spki_sha256);
		error = store(act, c, &p, &der, hex);
	}
	buf_free(&der);
	return error;
}

int
token_request_add(struct act *act, const char *application, int version, const void *file, size_t len, const char **why)
{
	char hex[65] = "", detail[96];
	struct case_file c;
	int error;

	*why = NULL;
	if ((error = case_open_staff(act, application, version, ACTION_ISSUE, &c)) == 0)
		error = take(act, &c, file, len, hex, why);
	snprintf(detail, sizeof detail, "{\"spki\":\"%s\"}", hex);
	if (error == 0)
		error = act_audit(act, "token.request", "application", c.a.id, c.a.id, c.a.province, NULL, detail);
	bytes_wipe(c.key, sizeof c.key);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "token.request", "application", c.a.id[0] != '\0' ? c.a.id : NULL, c.a.province, error);
	return 0;
}
