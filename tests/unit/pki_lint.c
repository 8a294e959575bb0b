/* Every rule of the lint broken once, by changing a good certificate; the table must leave out no rule. */
#include "pki_fixture.h"
#include "pki/der_write.h"

#include <stdio.h>

static struct fixture f;

static int
setup(void **state)
{
	(void)state;
	fixture_make(&f);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_free(&f);
	return 0;
}

/* What a case of the table may change before composing, and after. */
struct breaking {
	struct cert_fields fields;	/* of the certificate and of what is expected */
	struct cert_fields composed;	/* of the certificate alone, when differs is set */
	struct profile_issuer issuer;
	struct lint_expect expect;
	int differs;
};

static void b_serial(X509 *x) { ASN1_INTEGER_set(X509_get_serialNumber(x), 1); }
static void b_version(X509 *x) { X509_set_version(x, X509_VERSION_1); }

static void
b_issuer(X509 *x)
{
	X509_NAME *name = X509_NAME_dup(X509_get_issuer_name(x));

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"OTRA", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_NAME_free(name);
}

static void
b_validity(X509 *x)
{
	ASN1_TIME *t = ASN1_TIME_set(NULL, FIXTURE_NOW + 1);

	X509_set1_notBefore(x, t);
	ASN1_TIME_free(t);
}

static void b_key(X509 *x) { X509_set_pubkey(x, f.ca_key); }

static X509_EXTENSION *
extension(X509 *x, int nid)
{
	return X509_get_ext(x, X509_get_ext_by_NID(x, nid, -1));
}

static void
replace(X509 *x, int nid, const void *bytes, int n)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

	ASN1_OCTET_STRING_set(value, bytes, n);
	X509_EXTENSION_set_data(extension(x, nid), value);
	ASN1_OCTET_STRING_free(value);
}

static void
b_order(X509 *x)
{
	X509_EXTENSION *first = X509_delete_ext(x, 0);

	X509_add_ext(x, first, -1);
	X509_EXTENSION_free(first);
}

static void b_critical(X509 *x) { X509_EXTENSION_set_critical(extension(x, NID_basic_constraints), 1); }
static void b_ski(X509 *x) { replace(x, NID_subject_key_identifier, "\x04\x04\x01\x02\x03\x04", 6); }
static void b_basic(X509 *x) { replace(x, NID_basic_constraints, "\x30\x03\x01\x01\xff", 5); }
static void b_key_usage(X509 *x) { replace(x, NID_key_usage, "\x03\x02\x05\xa0", 4); }
static void b_eku(X509 *x) { replace(x, NID_ext_key_usage, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02", 12); }

static void c_organization(struct breaking *b) { b->expect.organization = "OTRO CONSEJO"; }
static void c_aia(struct breaking *b) { b->issuer.ocsp_url = "http://127.0.0.1:1/ocsp2"; }
static void c_aki(struct breaking *b) { b->issuer.key_id.p[0] ^= 1; }
static void c_policy(struct breaking *b) { b->issuer.cps_url = "http://127.0.0.1:1/otra"; }
static void c_crl_dp(struct breaking *b) { b->issuer.crl_url = "http://127.0.0.1:1/crl/otra.crl"; }
static void c_fields(struct breaking *b) { b->fields.telephone = "0987654321"; }
static void c_upper(struct breaking *b) { b->fields.surname1 = "MUñOZ"; }
static void c_characters(struct breaking *b) { b->fields.address = "CALLE\tDOS"; }
static void c_email(struct breaking *b) { b->fields.email = "maria@@example.ec"; }
static void c_container(struct breaking *b) { b->fields.container = "TOKEN"; }

static void
c_subject(struct breaking *b)
{
	b->fields.common_name = "AAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAA AAAAAAAAAAAAAA";	/* 65 */
}

static void
c_san(struct breaking *b)
{
	b->differs = 1;
	b->composed = b->fields;
	b->composed.address = "OTRA CALLE";
}

static const struct table {
	const char *rule;
	void (*before)(struct breaking *);
	void (*after)(X509 *);
} table[] = {
	{ "version", NULL, b_version }, { "serial", NULL, b_serial }, { "issuer", NULL, b_issuer },
	{ "organization", c_organization, NULL }, { "validity", NULL, b_validity }, { "key", NULL, b_key },
	{ "extension-order", NULL, b_order }, { "critical", NULL, b_critical }, { "aia", c_aia, NULL },
	{ "ski", NULL, b_ski }, { "aki", c_aki, NULL }, { "basic-constraints", NULL, b_basic },
	{ "policy", c_policy, NULL }, { "crl-dp", c_crl_dp, NULL }, { "key-usage", NULL, b_key_usage },
	{ "eku", NULL, b_eku }, { "fields", c_fields, NULL }, { "subject", c_subject, NULL },
	{ "upper-case", c_upper, NULL }, { "characters", c_characters, NULL }, { "email", c_email, NULL },
	{ "san", c_san, NULL }, { "container", c_container, NULL },
};
#define TABLE (sizeof(table) / sizeof(table[0]))

/* Rules that need bytes which OpenSSL would not write; each has a test below. */
static const char *const apart[] = { "der", "algorithm", "unique-ids", "ca-subject", "signed-bytes", "signature" };
#define APART (sizeof(apart) / sizeof(apart[0]))

static void
tbs_of(X509 *x, struct buf *tbs)
{
	unsigned char *p = NULL;
	int n = i2d_re_X509_tbs(x, &p);

	assert_true(n > 0);
	buf_reset(tbs);
	buf_put(tbs, p, (size_t)n);
	OPENSSL_free(p);
}

static void
der_of(X509 *x, struct buf *der)
{
	unsigned char *p = NULL;
	int n = i2d_X509(x, &p);

	assert_true(n > 0);
	buf_reset(der);
	buf_put(der, p, (size_t)n);
	OPENSSL_free(p);
}

static void
start(struct breaking *b)
{
	memset(b, 0, sizeof(*b));
	b->fields = f.fields;
	b->issuer = f.issuer;
	memset(&b->issuer.key_id, 0, sizeof(b->issuer.key_id));
	buf_put(&b->issuer.key_id, f.issuer.key_id.p, f.issuer.key_id.len);
	b->expect = fixture_expect(&f);
	b->expect.fields = &b->fields;
}

static void
break_rule(const struct table *t)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	struct lint_finding finding;
	struct breaking b;
	X509 *x;

	start(&b);
	if (t->before != NULL)
		t->before(&b);
	assert_int_equal(profile_person(&b.issuer, b.differs ? &b.composed : &b.fields, f.serial, FIXTURE_NOW, f.spki.p,
	    f.spki.len, &tbs), 0);
	fixture_sign(f.ca_key, &tbs, &der);
	if (t->after != NULL) {
		x = fixture_parse(&der);
		t->after(x);
		tbs_of(x, &tbs);
		fixture_sign(f.ca_key, &tbs, &der);
		X509_free(x);
	}
	assert_int_equal(lint_tbs(&b.expect, tbs.p, tbs.len, &finding), ICERT_E_LINT);
	if (strcmp(finding.rule, t->rule) != 0)
		fail_msg("%s is broken, but the lint says %s: %s", t->rule, finding.rule, finding.detail);
	assert_true(strlen(finding.source) > 0);
	assert_int_equal(lint_certificate(&b.expect, tbs.p, tbs.len, der.p, der.len, &finding), ICERT_E_LINT);
	assert_string_equal(finding.rule, t->rule);
	buf_free(&tbs);
	buf_free(&der);
	buf_free(&b.issuer.key_id);
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < TABLE; i++)
		break_rule(&table[i]);
}

static void
test_no_rule_left_out(void **state)
{
	const char *name, *source;
	unsigned kinds;
	size_t i, k;
	int found;

	(void)state;
	for (i = 0; (name = lint_rule_name(i, &source, &kinds)) != NULL; i++) {
		found = 0;
		for (k = 0; k < TABLE; k++)
			found |= strcmp(table[k].rule, name) == 0;
		for (k = 0; k < APART; k++)
			found |= strcmp(apart[k], name) == 0;
		if (!found)
			fail_msg("no test breaks the rule %s (%s)", name, source);
	}
	assert_int_equal(i, TABLE + APART);
}

static void
good(struct buf *tbs, struct buf *der)
{
	assert_int_equal(profile_person(&f.issuer, &f.fields, f.serial, FIXTURE_NOW, f.spki.p, f.spki.len, tbs), 0);
	fixture_sign(f.ca_key, tbs, der);
}

static void
expect_broken(const struct buf *tbs, const struct buf *der, const char *rule)
{
	struct lint_expect expect = fixture_expect(&f);
	struct lint_finding finding;

	assert_int_equal(lint_certificate(&expect, tbs->p, tbs->len, der->p, der->len, &finding), ICERT_E_LINT);
	assert_string_equal(finding.rule, rule);
}

/* The same certificate with a length in one octet more than DER allows. */
static void
test_der(void **state)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT, ber = BUF_INIT;

	(void)state;
	good(&tbs, &der);
	assert_int_equal(der.p[1], 0x82);
	buf_putc(&ber, 0x30);
	buf_putc(&ber, 0x83);
	buf_putc(&ber, 0);
	buf_put(&ber, der.p + 2, der.len - 2);
	expect_broken(&tbs, &ber, "der");
	buf_putc(&der, 0);
	expect_broken(&tbs, &der, "parse");
	buf_free(&tbs);
	buf_free(&der);
	buf_free(&ber);
}

static void
test_algorithm(void **state)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	X509 *x;

	(void)state;
	good(&tbs, &der);
	x = fixture_parse(&der);
	assert_true(X509_sign(x, f.ca_key, EVP_sha384()) > 0);
	tbs_of(x, &tbs);
	der_of(x, &der);
	expect_broken(&tbs, &der, "algorithm");
	X509_free(x);
	buf_free(&tbs);
	buf_free(&der);
}

/* issuerUniqueID, [1] IMPLICIT BIT STRING, before the extensions. */
static void
test_unique_ids(void **state)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT, with = BUF_INIT;
	const uint8_t *after;
	size_t mark;

	(void)state;
	good(&tbs, &der);
	after = memmem(tbs.p, tbs.len, f.spki.p, f.spki.len);
	assert_non_null(after);
	after += f.spki.len;
	mark = der_open(&with, DER_SEQUENCE);
	buf_put(&with, tbs.p + 4, (size_t)(after - tbs.p) - 4);
	der_value(&with, DER_CONTEXT(1), "\0\1", 2);
	buf_put(&with, after, (size_t)(tbs.p + tbs.len - after));
	der_close(&with, mark);
	fixture_sign(f.ca_key, &with, &der);
	expect_broken(&with, &der, "unique-ids");
	buf_free(&tbs);
	buf_free(&der);
	buf_free(&with);
}

static void
test_signature(void **state)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT;

	(void)state;
	good(&tbs, &der);
	der.p[der.len - 1] ^= 1;
	expect_broken(&tbs, &der, "signature");
	der.p[der.len - 1] ^= 1;
	tbs.p[tbs.len - 1] ^= 1;
	expect_broken(&tbs, &der, "signed-bytes");
	buf_free(&tbs);
	buf_free(&der);
}

/* CA and responder: good ones pass (with keys of their sizes), each kind's own faults do not. */
static void
test_ca_and_responder(void **state)
{
	struct profile_name name = fixture_name("OTRA RAIZ");
	struct buf spki = BUF_INIT, tbs = BUF_INIT, der = BUF_INIT;
	EVP_PKEY *key = EVP_RSA_gen(4096), *small = EVP_EC_gen("P-256");
	int64_t until = FIXTURE_NOW + 86400;
	struct lint_expect e = { .kind = LINT_ROOT, .serial = f.serial, .not_before = FIXTURE_NOW, .not_after = until,
	    .organization = FIXTURE_O, .ocsp_url = "", .issuer_url = "", .crl_url = "", .cps_url = "http://x/dpc" };
	struct lint_finding finding;

	(void)state;
	fixture_spki(key, &spki);
	e.spki = spki.p;
	e.spki_len = spki.len;
	assert_int_equal(profile_root(&name, "http://x/dpc", f.serial, FIXTURE_NOW, until, spki.p, spki.len, &tbs), 0);
	fixture_sign(key, &tbs, &der);
	assert_int_equal(lint_certificate(&e, tbs.p, tbs.len, der.p, der.len, &finding), 0);
	name.organizational_unit = "";
	buf_reset(&tbs);
	assert_int_equal(profile_root(&name, "http://x/dpc", f.serial, FIXTURE_NOW, until, spki.p, spki.len, &tbs), 0);
	assert_int_equal(lint_tbs(&e, tbs.p, tbs.len, &finding), ICERT_E_LINT);
	assert_string_equal(finding.rule, "ca-subject");

	name = fixture_name("RESPONDEDOR");
	fixture_spki(small, &spki);
	e = (struct lint_expect){ .kind = LINT_RESPONDER, .issuer = f.ca_der.p, .issuer_len = f.ca_der.len, .serial = f.serial,
	    .not_before = FIXTURE_NOW, .not_after = until, .spki = spki.p, .spki_len = spki.len, .organization = FIXTURE_O,
	    .ocsp_url = "", .issuer_url = "", .crl_url = "", .cps_url = "" };
	buf_reset(&tbs);
	assert_int_equal(profile_responder(&f.issuer, &name, f.serial, FIXTURE_NOW, until, spki.p, spki.len, &tbs), 0);
	fixture_sign(f.ca_key, &tbs, &der);
	assert_int_equal(lint_certificate(&e, tbs.p, tbs.len, der.p, der.len, &finding), 0);
	e.not_after = FIXTURE_NOW + 31 * 86400;
	buf_reset(&tbs);
	assert_int_equal(profile_responder(&f.issuer, &name, f.serial, FIXTURE_NOW, e.not_after, spki.p, spki.len, &tbs), 0);
	assert_int_equal(lint_tbs(&e, tbs.p, tbs.len, &finding), ICERT_E_LINT);
	assert_string_equal(finding.rule, "validity");
	EVP_PKEY_free(key);
	EVP_PKEY_free(small);
	buf_free(&spki);
	buf_free(&tbs);
	buf_free(&der);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_no_rule_left_out), cmocka_unit_test(test_der),
		cmocka_unit_test(test_algorithm), cmocka_unit_test(test_unique_ids), cmocka_unit_test(test_signature),
		cmocka_unit_test(test_ca_and_responder),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
