#include "pki/lint.h"
#include "pki/der_write.h"
#include "pki/lint_rule.h"
#include "pki/oid.h"
#include "pki/profile.h"
#include "pki/spki.h"
#include "libicert/buf.h"
#include "libicert/error.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int
lint_note(struct lint *lint, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(lint->detail, sizeof(((struct lint_finding *)0)->detail), format, ap);
	va_end(ap);
	return 1;
}

int
lint_text_is(const ASN1_STRING *s, int type, const char *text)
{
	return ASN1_STRING_type(s) == type && (size_t)ASN1_STRING_length(s) == strlen(text) &&
	    memcmp(ASN1_STRING_get0_data(s), text, strlen(text)) == 0;
}

static int
check_der(struct lint *lint)
{
	unsigned char *again = NULL;
	X509 *copy;
	int n, same;

	/* A duplicate has lost the cached octets, so it is encoded anew. */
	if ((copy = X509_dup(lint->x)) == NULL)
		return lint_note(lint, "not readable twice");
	i2d_re_X509_tbs(copy, NULL);
	n = i2d_X509(copy, &again);
	same = n > 0 && (size_t)n == lint->len && memcmp(again, lint->der, lint->len) == 0;
	OPENSSL_free(again);
	X509_free(copy);
	return same ? 0 : lint_note(lint, "another encoding than DER's");
}

static int
check_version(struct lint *lint)
{
	long version = X509_get_version(lint->x);

	return version == X509_VERSION_3 ? 0 : lint_note(lint, "version %ld", version + 1);
}

static int
check_serial(struct lint *lint)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(lint->x);
	const uint8_t *p = ASN1_STRING_get0_data(serial);
	int n = ASN1_STRING_length(serial);

	if (ASN1_STRING_type(serial) != V_ASN1_INTEGER)
		return lint_note(lint, "the serial is negative");
	if (n != PROFILE_SERIAL || p[0] == 0 || (p[0] & 0x80) != 0)
		return lint_note(lint, "the serial has %d octets", n);
	if (memcmp(p, lint->expect->serial, PROFILE_SERIAL) != 0)
		return lint_note(lint, "not the serial that was asked for");
	return 0;
}

static int
is_sha256_rsa(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *oid;
	int parameter;

	X509_ALGOR_get0(&oid, &parameter, NULL, algorithm);
	return OBJ_obj2nid(oid) == NID_sha256WithRSAEncryption && parameter == V_ASN1_NULL;
}

static int
check_algorithm(struct lint *lint)
{
	const X509_ALGOR *outer;

	X509_get0_signature(NULL, &outer, lint->x);
	if (!is_sha256_rsa(outer) || !is_sha256_rsa(X509_get0_tbs_sigalg(lint->x)))
		return lint_note(lint, "not sha256WithRSAEncryption with NULL");
	return 0;
}

static int
check_issuer(struct lint *lint)
{
	unsigned char *a = NULL, *b = NULL;
	int n, m, same;

	n = i2d_X509_NAME(X509_get_issuer_name(lint->x), &a);
	m = i2d_X509_NAME(X509_get_subject_name(lint->issuer), &b);
	same = n > 0 && n == m && memcmp(a, b, (size_t)n) == 0;
	OPENSSL_free(a);
	OPENSSL_free(b);
	return same ? 0 : lint_note(lint, "not the octets of the issuer's subject");
}

/* A client of the country splits the issuer's name on commas and compares its O. */
static int
check_organization(struct lint *lint)
{
	static const int checked[] = { NID_organizationName, NID_commonName };
	X509_NAME *name = X509_get_issuer_name(lint->x);
	const ASN1_STRING *text;
	size_t i;
	int at;

	for (i = 0; i < 2; i++) {
		if ((at = X509_NAME_get_index_by_NID(name, checked[i], -1)) < 0)
			return lint_note(lint, "the issuer has no %s", OBJ_nid2sn(checked[i]));
		text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
		if (memchr(ASN1_STRING_get0_data(text), ',', (size_t)ASN1_STRING_length(text)) != NULL)
			return lint_note(lint, "a comma in the issuer's %s", OBJ_nid2sn(checked[i]));
		if (i == 0 && !lint_text_is(text, V_ASN1_UTF8STRING, lint->expect->organization))
			return lint_note(lint, "the issuer's O is another");
	}
	return 0;
}

static int
time_of(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;
	int type = ASN1_STRING_type(t), n = ASN1_STRING_length(t);

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return -1;
	*out = (int64_t)timegm(&tm);
	/* RFC 5280, 4.1.2.5: UTCTime until 2049, seconds, Z. */
	if (tm.tm_year + 1900 < 2050 ? type != V_ASN1_UTCTIME || n != 13 : type != V_ASN1_GENERALIZEDTIME || n != 15)
		return -1;
	return ASN1_STRING_get0_data(t)[n - 1] == 'Z' ? 0 : -1;
}

static int
check_validity(struct lint *lint)
{
	const struct lint_expect *e = lint->expect;
	int64_t from, until, issuer_from, issuer_until, wanted = e->not_after;

	if (e->kind == LINT_PERSON)
		wanted = profile_years(e->not_before, (int)(e->fields->years[0] - '0'));
	if (time_of(X509_get0_notBefore(lint->x), &from) != 0 || time_of(X509_get0_notAfter(lint->x), &until) != 0)
		return lint_note(lint, "a time in a wrong form");
	if (from != e->not_before || until != wanted || until <= from)
		return lint_note(lint, "not the validity that was asked for");
	if (time_of(X509_get0_notBefore(lint->issuer), &issuer_from) != 0 ||
	    time_of(X509_get0_notAfter(lint->issuer), &issuer_until) != 0)
		return lint_note(lint, "the issuer's validity is not readable");
	if (from < issuer_from || until > issuer_until)
		return lint_note(lint, "not inside the issuer's validity");
	if (e->kind == LINT_RESPONDER && until - from > 30 * 86400)
		return lint_note(lint, "a responder for %lld days", (long long)((until - from) / 86400));
	return 0;
}

static int
check_key(struct lint *lint)
{
	const struct lint_expect *e = lint->expect;
	unsigned char *spki = NULL;
	const char *why = NULL, *ec = NULL;
	int n, same;

	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(lint->x), &spki);
	same = n > 0 && (size_t)n == e->spki_len && memcmp(spki, e->spki, e->spki_len) == 0;
	OPENSSL_free(spki);
	if (!same)
		return lint_note(lint, "not the key that was asked for");
	if (e->kind == LINT_PERSON)
		spki_check_holder(e->spki, e->spki_len, strcmp(e->fields->policy_oid, OID_POLICY_TOKEN) == 0, NULL, &why);
	else if (e->kind != LINT_RESPONDER)
		spki_check_rsa(e->spki, e->spki_len, 4096, &why);
	else if (spki_check_p256(e->spki, e->spki_len, &ec) != 0)
		spki_check_rsa(e->spki, e->spki_len, 2048, &why);
	return why == NULL ? 0 : lint_note(lint, "%s", why);
}

static int
check_unique_ids(struct lint *lint)
{
	const ASN1_BIT_STRING *a, *b;

	X509_get0_uids(lint->x, &a, &b);
	return a == NULL && b == NULL ? 0 : lint_note(lint, "a unique identifier");
}

static int
check_ca_subject(struct lint *lint)
{
	static const int order[] = { NID_countryName, NID_localityName, NID_organizationName,
	    NID_organizationalUnitName, NID_commonName };
	X509_NAME *name = X509_get_subject_name(lint->x);
	X509_NAME_ENTRY *entry;
	int i, type;

	if (X509_NAME_entry_count(name) != 5)
		return lint_note(lint, "%d attributes", X509_NAME_entry_count(name));
	for (i = 0; i < 5; i++) {
		entry = X509_NAME_get_entry(name, i);
		type = ASN1_STRING_type(X509_NAME_ENTRY_get_data(entry));
		if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != order[i])
			return lint_note(lint, "attribute %d is another", i + 1);
		if (type != (i == 0 ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING))
			return lint_note(lint, "%s of another string type", OBJ_nid2sn(order[i]));
		if (memchr(ASN1_STRING_get0_data(X509_NAME_ENTRY_get_data(entry)), ',',
		    (size_t)ASN1_STRING_length(X509_NAME_ENTRY_get_data(entry))) != NULL)
			return lint_note(lint, "a comma in %s", OBJ_nid2sn(order[i]));
	}
	return 0;
}

static int
check_signed_bytes(struct lint *lint)
{
	unsigned char *tbs = NULL;
	int n, same;

	if (!lint->is_signed)
		return 0;
	n = i2d_re_X509_tbs(lint->x, &tbs);
	same = n > 0 && (size_t)n == lint->tbs_len && memcmp(tbs, lint->tbs, lint->tbs_len) == 0;
	OPENSSL_free(tbs);
	return same ? 0 : lint_note(lint, "what was signed is not what was read before");
}

static int
check_signature(struct lint *lint)
{
	if (!lint->is_signed)
		return 0;
	if (X509_verify(lint->x, X509_get0_pubkey(lint->issuer)) == 1)
		return 0;
	ERR_clear_error();
	return lint_note(lint, "the signature does not verify");
}

const struct lint_rule lint_rules_common[] = {
	{ "der", "X.690, 10; RFC 5280, 4.1", LINT_ALL, check_der },
	{ "version", "RFC 5280, 4.1.2.1", LINT_ALL, check_version },
	{ "serial", "RFC 5280, 4.1.2.2; CA/B BR 7.1", LINT_ALL, check_serial },
	{ "algorithm", "RFC 4055, 5; RFC 5280, 4.1.2.3", LINT_ALL, check_algorithm },
	{ "issuer", "RFC 5280, 4.1.2.4", LINT_ALL, check_issuer },
	{ "organization", "profile 1.5, 1: the issuer's O, no comma in O or CN", LINT_ALL, check_organization },
	{ "validity", "RFC 5280, 4.1.2.5; profile 1.2", LINT_ALL, check_validity },
	{ "key", "CA/B BR 6.1.5, 6.1.6; profile 1.1, 1.2", LINT_ALL, check_key },
	{ "unique-ids", "RFC 5280, 4.1.2.8", LINT_ALL, check_unique_ids },
	{ "ca-subject", "profile 1.1", LINT_CA | LINT_RESPONDER, check_ca_subject },
	{ "signed-bytes", "RFC 5280, 4.1.1.3", LINT_ALL, check_signed_bytes },
	{ "signature", "RFC 5280, 4.1.1.3", LINT_ALL, check_signature },
	{ NULL, NULL, 0, NULL }
};

static const struct lint_rule *const tables[] = { lint_rules_common, lint_rules_extensions, lint_rules_person };

const char *
lint_rule_name(size_t i, const char **source, unsigned *kinds)
{
	const struct lint_rule *rule;
	size_t t;

	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (rule = tables[t]; rule->name != NULL; rule++)
			if (i-- == 0) {
				*source = rule->source;
				*kinds = rule->kinds;
				return rule->name;
			}
	return NULL;
}

static int
run(struct lint *lint, struct lint_finding *finding)
{
	const struct lint_rule *rule;
	size_t t;

	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (rule = tables[t]; rule->name != NULL; rule++) {
			if ((rule->kinds & lint->expect->kind) == 0 || rule->check(lint) == 0)
				continue;
			finding->rule = rule->name;
			finding->source = rule->source;
			return ICERT_E_LINT;
		}
	return 0;
}

static int
lint_run(const struct lint_expect *expect, const uint8_t *tbs, size_t tbs_len, const uint8_t *der, size_t len,
    int is_signed, struct lint_finding *finding)
{
	struct lint lint = { .expect = expect, .der = der, .len = len, .tbs = tbs, .tbs_len = tbs_len,
	    .is_signed = is_signed, .detail = finding->detail };
	const uint8_t *p = der, *q = expect->issuer;
	int error;

	finding->rule = "parse";
	finding->source = "RFC 5280, 4.1";
	finding->detail[0] = '\0';
	lint.x = d2i_X509(NULL, &p, (long)len);
	if (lint.x != NULL && expect->issuer == NULL)
		lint.issuer = lint.x;
	else if (lint.x != NULL)
		lint.issuer = d2i_X509(NULL, &q, (long)expect->issuer_len);
	if (lint.x == NULL || lint.issuer == NULL || p != der + len) {
		lint_note(&lint, "not a certificate, or more than one");
		error = ICERT_E_LINT;
	} else {
		error = run(&lint, finding);
	}
	ERR_clear_error();
	if (lint.issuer != lint.x)
		X509_free(lint.issuer);
	X509_free(lint.x);
	return error;
}

int
lint_tbs(const struct lint_expect *expect, const uint8_t *tbs, size_t len, struct lint_finding *finding)
{
	static const uint8_t unsigned_yet[512];
	struct buf der = BUF_INIT;
	int error;

	if ((error = profile_signed(tbs, len, unsigned_yet, sizeof(unsigned_yet), &der)) == 0)
		error = lint_run(expect, tbs, len, der.p, der.len, 0, finding);
	buf_free(&der);
	return error;
}

int
lint_certificate(const struct lint_expect *expect, const uint8_t *tbs, size_t tbs_len, const uint8_t *der, size_t len,
    struct lint_finding *finding)
{
	return lint_run(expect, tbs, tbs_len, der, len, 1, finding);
}
