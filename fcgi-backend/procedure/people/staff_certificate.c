#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/people/authority.h"
#include "procedure/people/staff_certificate.h"

#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 256

#define COLUMNS \
	"s.id, s.staff_id, p.name, p.login, s.state, icert.staff_certificate_standing(s.id), s.subject, coalesce(q.name, '')," \
	" s.asked_by is not null and icert.other_person(s.asked_by) and icert.other_person(s.staff_id), s.not_before," \
	" s.not_after, s.asked_at, s.sha256"
#define FROM \
	" from icert.staff_certificate s join icert.staff p on p.id = s.staff_id left join icert.staff q on q.id = s.asked_by"

static const struct db_stmt of_staff = { "staff_certificate_of",
	"select " COLUMNS ", s.der" FROM " where s.staff_id = $1 and s.state = 'registered'" };
static const struct db_stmt list = { "staff_certificates",
	"select " COLUMNS FROM " where s.state in ('asked', 'registered') order by p.name, s.state limit $1" };
static const struct db_stmt asked = { "staff_certificate_asked",
	"select s.staff_id, icert.other_person(s.asked_by) and icert.other_person(s.staff_id), encode(s.sha256, 'hex')"
	" from icert.staff_certificate s where s.id = $1 and s.state = 'asked'" };
static const struct db_stmt add = { "staff_certificate_add",
	"insert into icert.staff_certificate (id, staff_id, der, sha256, spki_sha256, subject, not_before, not_after, state,"
	" asked_by, asked_at) values ($1, $2, $3, $4, $5, $6, $7, $8, 'asked', $9, $10)" };
static const struct db_stmt known = { "staff_certificate_staff", "select id from icert.staff where login = $1 and enabled" };
static const struct db_stmt end_other = { "staff_certificate_end",
	"update icert.staff_certificate set state = 'ended', ended_at = $2, decided_by = $3, decided_at = $2"
	" where staff_id = $1 and state = 'registered'" };
static const struct db_stmt decide = { "staff_certificate_decide",
	"update icert.staff_certificate set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'asked'" };

static void
fill(struct staff_certificate *s, struct db_result *r, int row)
{
	const uint8_t *sha256;
	size_t n;

	memset(s, 0, sizeof *s);
	snprintf(s->id, sizeof s->id, "%s", db_text(r, row, 0));
	snprintf(s->staff, sizeof s->staff, "%s", db_text(r, row, 1));
	snprintf(s->name, sizeof s->name, "%s", db_text(r, row, 2));
	snprintf(s->login, sizeof s->login, "%s", db_text(r, row, 3));
	snprintf(s->state, sizeof s->state, "%s", db_text(r, row, 4));
	snprintf(s->standing, sizeof s->standing, "%s", db_text(r, row, 5));
	snprintf(s->subject, sizeof s->subject, "%s", db_text(r, row, 6));
	snprintf(s->asked_name, sizeof s->asked_name, "%s", db_text(r, row, 7));
	s->other = db_bool(r, row, 8);
	s->not_before = db_int(r, row, 9);
	s->not_after = db_int(r, row, 10);
	s->asked_at = db_int(r, row, 11);
	sha256 = db_bytes(r, row, 12, &n);
	if (n == sizeof s->sha256)
		memcpy(s->sha256, sha256, n);
}

int
staff_certificate_of(struct act *act, const char *staff, struct staff_certificate *s)
{
	struct db_result *r;
	const uint8_t *der;
	size_t n;
	int error, own = !db_in_tx(act->db);

	memset(s, 0, sizeof *s);
	if (own && (error = act_begin(act)) != 0)
		return error;
	error = own ? DB_QUERY_COMMIT(act->db, &of_staff, &r, P_TEXT(staff)) : DB_QUERY(act->db, &of_staff, &r, P_TEXT(staff));
	if (error != 0)
		return error;
	if (db_rows(r) == 1) {
		fill(s, r, 0);
		der = db_bytes(r, 0, 13, &n);
		buf_put(&s->der, der, n);
		error = buf_error(&s->der);
	} else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

void
staff_certificate_free(struct staff_certificate *s)
{
	buf_free(&s->der);
}

int
staff_certificates(struct act *act, struct staff_certificate *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r); i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

static int
moment(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return ICERT_E_MALFORMED;
	*out = (int64_t)timegm(&tm);
	return *out < 0 ? ICERT_E_MALFORMED : 0;
}

/* A key that is good for years, of somebody who signs documents and not of an authority. */
static int
usable(X509 *x, int64_t not_after)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	uint32_t usage = X509_get_key_usage(x);

	if (key == NULL || X509_check_ca(x) == 1 || not_after <= clock_real())
		return 0;
	if (EVP_PKEY_is_a(key, "RSA") ? EVP_PKEY_get_bits(key) < RSA_BITS_MIN :
	    !EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_bits(key) < EC_BITS_MIN)
		return 0;
	return usage == UINT32_MAX || usage & (X509v3_KU_DIGITAL_SIGNATURE | X509v3_KU_NON_REPUDIATION);
}

static int
subject_of(X509 *x, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0,
	    XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) > 0)
		n = BIO_read(bio, out, (int)size - 1);
	BIO_free(bio);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : ICERT_E_MALFORMED;
}

static int
read_x509(X509 *x, struct staff_certificate *s, uint8_t spki_sha256[32])
{
	unsigned char *der = NULL, *spki = NULL;
	int error, n = i2d_X509(x, &der), m = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);

	error = n > 0 && m > 0 ? 0 : ICERT_E_MALFORMED;
	if (error == 0) {
		buf_put(&s->der, der, (size_t)n);
		EVP_Digest(der, (size_t)n, s->sha256, NULL, EVP_sha256(), NULL);
		EVP_Digest(spki, (size_t)m, spki_sha256, NULL, EVP_sha256(), NULL);
		if ((error = buf_error(&s->der)) == 0 && (error = moment(X509_get0_notBefore(x), &s->not_before)) == 0 &&
		    (error = moment(X509_get0_notAfter(x), &s->not_after)) == 0 &&
		    (error = subject_of(x, s->subject, sizeof s->subject)) == 0 && !usable(x, s->not_after))
			error = ICERT_E_INVALID;
	}
	OPENSSL_free(der);
	OPENSSL_free(spki);
	return error;
}

int
staff_certificate_read(const void *file, size_t len, struct staff_certificate *s, uint8_t spki_sha256[32])
{
	const unsigned char *p = file;
	BIO *bio = NULL;
	X509 *x;
	int error;

	memset(s, 0, sizeof *s);
	if (len == 0 || len > STAFF_CERTIFICATE_MAX)
		return ICERT_E_MALFORMED;
	x = d2i_X509(NULL, &p, (long)len);
	if (x != NULL && p != (const unsigned char *)file + len) {
		X509_free(x);
		return ICERT_E_MALFORMED;
	}
	if (x == NULL && (bio = BIO_new_mem_buf(file, (int)len)) != NULL)
		x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	error = x != NULL ? read_x509(x, s, spki_sha256) : ICERT_E_MALFORMED;
	X509_free(x);
	return error;
}

static int
ask(struct act *act, const char *login, const struct staff_certificate *s, const uint8_t spki_sha256[32])
{
	struct db_result *r;
	char id[ID_TEXT], staff[ID_TEXT], detail[96], hex[65];
	int error;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &known, &r, P_TEXT(login))) != 0)
		return error;
	error = db_rows(r) == 1 ? 0 : ICERT_E_NOT_FOUND;
	snprintf(staff, sizeof staff, "%s", db_text(r, 0, 0));
	db_result_free(r);
	bytes_to_hex(hex, s->sha256, 32);
	snprintf(detail, sizeof detail, "{\"certificate\":\"%s\"}", hex);
	if (error == 0 && (error = id_new(id)) == 0 &&
	    (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(staff), P_BYTES(s->der.p, s->der.len),
	    P_BYTES(s->sha256, 32), P_BYTES(spki_sha256, 32), P_TEXT(s->subject), P_INT(s->not_before), P_INT(s->not_after),
	    P_TEXT(act->id), P_INT(clock_business()))) == 0 &&
	    (error = act_audit(act, "staff.certificate_ask", "staff", staff, NULL, 0, NULL, detail)) == 0)
		error = db_commit(act->db);
	return error;
}

int
staff_certificate_ask(struct act *act, const char *login, const void *file, size_t len)
{
	struct staff_certificate s = { .id = "" };
	uint8_t spki_sha256[32];
	int error;

	if (!(act->roles & BY_ADMIN))
		error = ICERT_E_DENIED;
	else if ((error = staff_certificate_read(file, len, &s, spki_sha256)) == 0 &&
	    (error = authority_check(act, s.der.p, s.der.len)) == 0)
		error = ask(act, login, &s, spki_sha256);
	staff_certificate_free(&s);
	return error == 0 ? 0 : act_refuse(act, "staff.certificate_ask", "staff", NULL, 0, error);
}

static int
settle(struct act *act, const char *id, int approve, struct db_result *r)
{
	const char *staff = db_text(r, 0, 0);
	struct db_result *changed;
	int64_t now = clock_business();
	char detail[96];
	int error;

	/* Whoever asked may take it back, and approves nothing. */
	if (approve && !db_bool(r, 0, 1))
		return ICERT_E_DENIED;
	if (approve && (error = DB_QUERY(act->db, &end_other, NULL, P_TEXT(staff), P_INT(now), P_TEXT(act->id))) != 0)
		return error;
	if ((error = DB_QUERY(act->db, &decide, &changed, P_TEXT(id), P_TEXT(approve ? "registered" : "refused"),
	    P_TEXT(act->id), P_INT(now))) != 0)
		return error;
	error = db_affected(changed) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(changed);
	snprintf(detail, sizeof detail, "{\"certificate\":\"%.64s\"}", db_text(r, 0, 2));
	return error != 0 ? error : act_audit(act, approve ? "staff.certificate_register" : "staff.certificate_refuse", "staff",
	    staff, NULL, 0, NULL, detail);
}

int
staff_certificate_decide(struct act *act, const char *id, int approve)
{
	struct db_result *r = NULL;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if (!(act->roles & BY_ADMIN))
		error = ICERT_E_DENIED;
	else if ((error = act_begin(act)) == 0 && (error = DB_QUERY(act->db, &asked, &r, P_TEXT(id))) == 0)
		error = db_rows(r) == 1 ? settle(act, id, approve, r) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	if (error == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "staff.certificate_decide", "staff_certificate", id, 0, error);
}
