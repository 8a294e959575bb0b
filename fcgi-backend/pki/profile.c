#include "pki/profile.h"
#include "pki/der_write.h"
#include "pki/oid.h"
#include "pki/spki.h"
#include "libicert/error.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* keyUsage, by the number of the bit (RFC 5280, 4.2.1.3). */
#define USAGE_DIGITAL_SIGNATURE (1U << 0)
#define USAGE_NON_REPUDIATION (1U << 1)
#define USAGE_CERT_SIGN (1U << 5)
#define USAGE_CRL_SIGN (1U << 6)

int
profile_serial(uint8_t out[PROFILE_SERIAL])
{
	int error = bytes_random(out, PROFILE_SERIAL);

	out[0] = (uint8_t)((out[0] & 0x3F) | 0x40);
	return error;
}

int64_t
profile_years(int64_t not_before, int years)
{
	time_t t = (time_t)not_before;
	struct tm tm;

	gmtime_r(&t, &tm);
	tm.tm_year += years;
	if (tm.tm_mon == 1 && tm.tm_mday == 29) {
		int y = tm.tm_year + 1900;
		if (y % 4 != 0 || (y % 100 == 0 && y % 400 != 0))
			tm.tm_mday = 28;
	}
	return (int64_t)timegm(&tm);
}

int
profile_issuer_read(struct profile_issuer *issuer, const uint8_t *certificate, size_t len)
{
	const ASN1_OCTET_STRING *id;
	const uint8_t *p = certificate;
	unsigned char *name = NULL;
	X509 *x = NULL;
	int n, error = ICERT_E_MALFORMED;

	if ((x = d2i_X509(NULL, &p, (long)len)) == NULL || p != certificate + len)
		goto out;
	if ((id = X509_get0_subject_key_id(x)) == NULL)
		goto out;
	if ((n = i2d_X509_NAME(X509_get_subject_name(x), &name)) <= 0)
		goto out;
	buf_reset(&issuer->name);
	buf_reset(&issuer->key_id);
	buf_put(&issuer->name, name, (size_t)n);
	buf_put(&issuer->key_id, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
	if ((error = buf_error(&issuer->name)) == 0)
		error = buf_error(&issuer->key_id);
out:
	OPENSSL_free(name);
	X509_free(x);
	return error;
}

void
profile_issuer_free(struct profile_issuer *issuer)
{
	buf_free(&issuer->name);
	buf_free(&issuer->key_id);
}

void
profile_sha256_rsa(struct buf *b)
{
	size_t seq = der_open(b, DER_SEQUENCE);

	der_oid(b, OID_SHA256_RSA);
	der_null(b);
	der_close(b, seq);
}

static void
attribute(struct buf *b, const char *oid, uint8_t tag, const char *value)
{
	size_t set, seq;

	if (value[0] == '\0')
		return;
	set = der_open(b, DER_SET);
	seq = der_open(b, DER_SEQUENCE);
	der_oid(b, oid);
	der_text(b, tag, value);
	der_close(b, seq);
	der_close(b, set);
}

void
profile_name_der(const struct profile_name *name, struct buf *b)
{
	size_t seq = der_open(b, DER_SEQUENCE);

	attribute(b, OID_COUNTRY, DER_PRINTABLE, name->country);
	attribute(b, OID_LOCALITY, DER_UTF8, name->locality);
	attribute(b, OID_ORGANIZATION, DER_UTF8, name->organization);
	attribute(b, OID_ORGANIZATIONAL_UNIT, DER_UTF8, name->organizational_unit);
	attribute(b, OID_COMMON_NAME, DER_UTF8, name->common_name);
	der_close(b, seq);
}

static void
person_name(const struct cert_fields *f, struct buf *b)
{
	size_t seq = der_open(b, DER_SEQUENCE);

	attribute(b, OID_COUNTRY, DER_PRINTABLE, f->country);
	attribute(b, OID_LOCALITY, DER_UTF8, f->locality);
	attribute(b, OID_SERIAL_NUMBER, DER_PRINTABLE, f->serial_number);
	attribute(b, OID_COMMON_NAME, DER_UTF8, f->common_name);
	der_close(b, seq);
}

/* Opens Extension and its extnValue; extension_close() closes both. */
struct extension {
	size_t seq, value;
};

static struct extension
extension_open(struct buf *b, const char *oid, int critical)
{
	struct extension e;

	e.seq = der_open(b, DER_SEQUENCE);
	der_oid(b, oid);
	if (critical)
		der_boolean(b, 1);
	e.value = der_open(b, DER_OCTET_STRING);
	return e;
}

static void
extension_close(struct buf *b, struct extension e)
{
	der_close(b, e.value);
	der_close(b, e.seq);
}

static void
other_name(struct buf *b, const char *oid, const char *value)
{
	size_t name = der_open(b, DER_CONTEXT_CONSTRUCTED(0)), explicit;

	der_oid(b, oid);
	explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
	der_text(b, DER_UTF8, value);
	der_close(b, explicit);
	der_close(b, name);
}

static void
extension_san(struct buf *b, const struct cert_fields *f)
{
	struct extension e = extension_open(b, OID_SAN, 0);
	size_t seq = der_open(b, DER_SEQUENCE);

	der_text(b, DER_CONTEXT(1), f->email);
	other_name(b, OID_IDENTIFICATION, f->identification);
	other_name(b, OID_GIVEN_NAMES, f->given_names);
	other_name(b, OID_SURNAME1, f->surname1);
	other_name(b, OID_SURNAME2, f->surname2);
	other_name(b, OID_ADDRESS, f->address);
	other_name(b, OID_TELEPHONE, f->telephone);
	other_name(b, OID_CITY, f->city);
	if (f->ruc[0] != '\0')
		other_name(b, OID_RUC, f->ruc);
	other_name(b, OID_COUNTRY_NAME, f->country_name);
	other_name(b, OID_KIND, f->kind);
	other_name(b, OID_CONTAINER, f->container);
	other_name(b, OID_RUP, f->rup);
	other_name(b, OID_PROFESSION, f->profession);
	der_close(b, seq);
	extension_close(b, e);
}

static void
access_description(struct buf *b, const char *method, const char *url)
{
	size_t seq;

	if (url[0] == '\0')
		return;
	seq = der_open(b, DER_SEQUENCE);
	der_oid(b, method);
	der_text(b, DER_CONTEXT(6), url);
	der_close(b, seq);
}

/* OCSP goes first: a client of the country takes the first entry, whatever it is. */
static void
extension_aia(struct buf *b, const struct profile_issuer *issuer)
{
	struct extension e;
	size_t seq;

	if (issuer->ocsp_url[0] == '\0' && issuer->issuer_url[0] == '\0')
		return;
	e = extension_open(b, OID_AIA, 0);
	seq = der_open(b, DER_SEQUENCE);
	access_description(b, OID_AD_OCSP, issuer->ocsp_url);
	access_description(b, OID_AD_CA_ISSUERS, issuer->issuer_url);
	der_close(b, seq);
	extension_close(b, e);
}

static int
extension_ski(struct buf *b, const uint8_t *spki, size_t spki_len)
{
	uint8_t id[SPKI_KEY_ID];
	struct extension e;
	int error;

	if ((error = spki_key_id(spki, spki_len, id)) != 0)
		return error;
	e = extension_open(b, OID_SKI, 0);
	der_value(b, DER_OCTET_STRING, id, sizeof(id));
	extension_close(b, e);
	return 0;
}

static void
extension_aki(struct buf *b, const uint8_t *id, size_t len)
{
	struct extension e = extension_open(b, OID_AKI, 0);
	size_t seq = der_open(b, DER_SEQUENCE);

	der_value(b, DER_CONTEXT(0), id, len);
	der_close(b, seq);
	extension_close(b, e);
}

static void
extension_policy(struct buf *b, const char *policy, const char *cps_url)
{
	struct extension e = extension_open(b, OID_POLICIES, 0);
	size_t list = der_open(b, DER_SEQUENCE), information, qualifiers, qualifier;

	information = der_open(b, DER_SEQUENCE);
	der_oid(b, policy);
	qualifiers = der_open(b, DER_SEQUENCE);
	qualifier = der_open(b, DER_SEQUENCE);
	der_oid(b, OID_CPS);
	der_text(b, DER_IA5, cps_url);
	der_close(b, qualifier);
	der_close(b, qualifiers);
	der_close(b, information);
	der_close(b, list);
	extension_close(b, e);
}

static void
extension_crl_dp(struct buf *b, const char *url)
{
	struct extension e = extension_open(b, OID_CRL_DP, 0);
	size_t list = der_open(b, DER_SEQUENCE), point, name, full;

	point = der_open(b, DER_SEQUENCE);
	name = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
	full = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
	der_text(b, DER_CONTEXT(6), url);
	der_close(b, full);
	der_close(b, name);
	der_close(b, point);
	der_close(b, list);
	extension_close(b, e);
}

static void
extension_key_usage(struct buf *b, unsigned bits)
{
	struct extension e = extension_open(b, OID_KEY_USAGE, 1);

	der_named_bits(b, bits);
	extension_close(b, e);
}

static void
extension_eku(struct buf *b, const char *first, const char *second)
{
	struct extension e = extension_open(b, OID_EKU, 0);
	size_t seq = der_open(b, DER_SEQUENCE);

	der_oid(b, first);
	if (second != NULL)
		der_oid(b, second);
	der_close(b, seq);
	extension_close(b, e);
}

/* pathlen below zero: none.  An end entity's is the empty SEQUENCE. */
static void
extension_basic(struct buf *b, int ca, int pathlen)
{
	struct extension e = extension_open(b, OID_BASIC_CONSTRAINTS, ca);
	size_t seq = der_open(b, DER_SEQUENCE);

	if (ca)
		der_boolean(b, 1);
	if (ca && pathlen >= 0)
		der_number(b, DER_INTEGER, (uint64_t)pathlen);
	der_close(b, seq);
	extension_close(b, e);
}

/* A TBSCertificate up to its extensions, which the caller writes. */
struct tbs {
	size_t seq, explicit, extensions;
};

static struct tbs
tbs_open(struct buf *b, const struct buf *issuer, const struct buf *subject,
    const uint8_t serial[PROFILE_SERIAL], int64_t not_before, int64_t not_after, const uint8_t *spki,
    size_t spki_len)
{
	struct tbs t;
	size_t version, validity;

	t.seq = der_open(b, DER_SEQUENCE);
	version = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
	der_number(b, DER_INTEGER, 2);
	der_close(b, version);
	der_unsigned(b, DER_INTEGER, serial, PROFILE_SERIAL);
	profile_sha256_rsa(b);
	buf_put(b, issuer->p, issuer->len);
	validity = der_open(b, DER_SEQUENCE);
	der_time(b, not_before);
	der_time(b, not_after);
	der_close(b, validity);
	buf_put(b, subject->p, subject->len);
	buf_put(b, spki, spki_len);
	t.explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(3));
	t.extensions = der_open(b, DER_SEQUENCE);
	return t;
}

static int
tbs_close(struct buf *b, struct tbs t)
{
	der_close(b, t.extensions);
	der_close(b, t.explicit);
	der_close(b, t.seq);
	return buf_error(b);
}

static int
years_of(const struct cert_fields *f)
{
	char *end;
	long years = strtol(f->years, &end, 10);

	return (f->years[0] < '1' || f->years[0] > '9' || *end != '\0' || years > 10) ? 0 : (int)years;
}

int
profile_person(const struct profile_issuer *issuer, const struct cert_fields *f,
    const uint8_t serial[PROFILE_SERIAL], int64_t not_before, const uint8_t *spki, size_t spki_len,
    struct buf *b)
{
	struct buf subject = BUF_INIT;
	struct tbs t;
	int error = ICERT_E_INVALID, years = years_of(f);

	if (years == 0)
		goto out;
	person_name(f, &subject);
	if ((error = buf_error(&subject)) != 0)
		goto out;
	t = tbs_open(b, &issuer->name, &subject, serial, not_before, profile_years(not_before, years),
	    spki, spki_len);
	extension_san(b, f);
	extension_aia(b, issuer);
	if ((error = extension_ski(b, spki, spki_len)) != 0)
		goto out;
	extension_basic(b, 0, -1);
	extension_aki(b, issuer->key_id.p, issuer->key_id.len);
	extension_policy(b, f->policy_oid, issuer->cps_url);
	extension_crl_dp(b, issuer->crl_url);
	extension_key_usage(b, USAGE_DIGITAL_SIGNATURE | USAGE_NON_REPUDIATION);
	extension_eku(b, OID_CLIENT_AUTH, OID_EMAIL_PROTECTION);
	error = tbs_close(b, t);
out:
	buf_free(&subject);
	return error;
}

int
profile_root(const struct profile_name *name, const char *cps_url, const uint8_t serial[PROFILE_SERIAL],
    int64_t not_before, int64_t not_after, const uint8_t *spki, size_t spki_len, struct buf *b)
{
	struct buf subject = BUF_INIT;
	struct tbs t;
	int error;

	profile_name_der(name, &subject);
	if ((error = buf_error(&subject)) != 0)
		goto out;
	t = tbs_open(b, &subject, &subject, serial, not_before, not_after, spki, spki_len);
	if ((error = extension_ski(b, spki, spki_len)) != 0)
		goto out;
	extension_basic(b, 1, -1);
	extension_policy(b, OID_ANY_POLICY, cps_url);
	extension_key_usage(b, USAGE_CERT_SIGN | USAGE_CRL_SIGN);
	error = tbs_close(b, t);
out:
	buf_free(&subject);
	return error;
}

int
profile_issuing(const struct profile_issuer *root, const struct profile_name *name,
    const uint8_t serial[PROFILE_SERIAL], int64_t not_before, int64_t not_after, const uint8_t *spki,
    size_t spki_len, struct buf *b)
{
	struct buf subject = BUF_INIT;
	struct tbs t;
	int error;

	profile_name_der(name, &subject);
	if ((error = buf_error(&subject)) != 0)
		goto out;
	t = tbs_open(b, &root->name, &subject, serial, not_before, not_after, spki, spki_len);
	extension_aia(b, root);
	if ((error = extension_ski(b, spki, spki_len)) != 0)
		goto out;
	extension_basic(b, 1, 0);
	extension_aki(b, root->key_id.p, root->key_id.len);
	extension_policy(b, OID_ANY_POLICY, root->cps_url);
	extension_crl_dp(b, root->crl_url);
	extension_key_usage(b, USAGE_CERT_SIGN | USAGE_CRL_SIGN);
	error = tbs_close(b, t);
out:
	buf_free(&subject);
	return error;
}

int
profile_responder(const struct profile_issuer *issuer, const struct profile_name *name,
    const uint8_t serial[PROFILE_SERIAL], int64_t not_before, int64_t not_after, const uint8_t *spki,
    size_t spki_len, struct buf *b)
{
	struct buf subject = BUF_INIT;
	struct extension e;
	struct tbs t;
	int error;

	profile_name_der(name, &subject);
	if ((error = buf_error(&subject)) != 0)
		goto out;
	t = tbs_open(b, &issuer->name, &subject, serial, not_before, not_after, spki, spki_len);
	if ((error = extension_ski(b, spki, spki_len)) != 0)
		goto out;
	extension_basic(b, 0, -1);
	extension_aki(b, issuer->key_id.p, issuer->key_id.len);
	extension_key_usage(b, USAGE_DIGITAL_SIGNATURE);
	extension_eku(b, OID_OCSP_SIGNING, NULL);
	e = extension_open(b, OID_OCSP_NOCHECK, 0);
	der_null(b);
	extension_close(b, e);
	error = tbs_close(b, t);
out:
	buf_free(&subject);
	return error;
}

int
profile_signed(const uint8_t *tbs, size_t tbs_len, const uint8_t *signature, size_t signature_len,
    struct buf *out)
{
	size_t seq = der_open(out, DER_SEQUENCE);

	buf_put(out, tbs, tbs_len);
	profile_sha256_rsa(out);
	der_bits(out, signature, signature_len);
	der_close(out, seq);
	return buf_error(out);
}
