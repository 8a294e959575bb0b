/* The person's certificate as composed, read back with OpenSSL. */
#include "pki_fixture.h"
#include "pki/crl.h"
#include "pki/der_write.h"
#include "pki/lint_crl.h"
#include "pki/oid.h"
#include "pki/spki.h"

#include <openssl/asn1t.h>
#include <stdio.h>
#include <time.h>

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

static void
compose(const struct cert_fields *fields, int64_t not_before, struct buf *tbs, struct buf *der)
{
	buf_reset(tbs);
	assert_int_equal(profile_person(&f.issuer, fields, f.serial, not_before, f.spki.p, f.spki.len, tbs), 0);
	fixture_sign(f.ca_key, tbs, der);
}

static void
text_is(const ASN1_STRING *s, int type, const char *text)
{
	assert_int_equal(ASN1_STRING_type(s), type);
	assert_int_equal(ASN1_STRING_length(s), (int)strlen(text));
	assert_memory_equal(ASN1_STRING_get0_data(s), text, strlen(text));
}

static void
check_subject(X509 *x, const struct cert_fields *fields)
{
	X509_NAME *name = X509_get_subject_name(x);

	assert_int_equal(X509_NAME_entry_count(name), 4);
	text_is(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, 0)), V_ASN1_PRINTABLESTRING, "EC");
	text_is(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, 1)), V_ASN1_UTF8STRING, fields->locality);
	text_is(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, 2)), V_ASN1_PRINTABLESTRING, fields->serial_number);
	text_is(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, 3)), V_ASN1_UTF8STRING, fields->common_name);
}

static void
check_other_names(X509 *x, const struct cert_fields *fields)
{
	const char *const wanted[][2] = { { "1", fields->identification }, { "2", fields->given_names },
		{ "3", fields->surname1 }, { "4", fields->surname2 }, { "7", fields->address }, { "8", fields->telephone },
		{ "9", fields->city }, { "11", fields->ruc }, { "12", "ECUADOR" }, { "50", "PERSONA NATURAL" },
		{ "51", "ARCHIVO PKCS#12" }, { "52", "" }, { "53", "" } };
	GENERAL_NAMES *san = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	char oid[80], full[80];
	GENERAL_NAME *name;
	int at = 0;

	assert_non_null(san);
	name = sk_GENERAL_NAME_value(san, at++);
	assert_int_equal(name->type, GEN_EMAIL);
	text_is(name->d.rfc822Name, V_ASN1_IA5STRING, fields->email);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (strcmp(wanted[i][0], "11") == 0 && fields->ruc[0] == '\0')
			continue;
		name = sk_GENERAL_NAME_value(san, at++);
		assert_non_null(name);
		assert_int_equal(name->type, GEN_OTHERNAME);
		OBJ_obj2txt(oid, sizeof(oid), name->d.otherName->type_id, 1);
		snprintf(full, sizeof(full), OID_PERSONAL ".%s", wanted[i][0]);
		assert_string_equal(oid, full);
		text_is(name->d.otherName->value->value.utf8string, V_ASN1_UTF8STRING, wanted[i][1]);
	}
	assert_int_equal(sk_GENERAL_NAME_num(san), at);
	GENERAL_NAMES_free(san);
}

static void
test_person(void **state)
{
	static const char *const order[] = { "subjectAltName", "authorityInfoAccess", "subjectKeyIdentifier",
		"basicConstraints", "authorityKeyIdentifier", "certificatePolicies", "crlDistributionPoints", "keyUsage",
		"extendedKeyUsage" };
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	struct lint_finding finding;
	struct lint_expect expect = fixture_expect(&f);
	X509 *x, *ca = fixture_parse(&f.ca_der);

	(void)state;
	compose(&f.fields, FIXTURE_NOW, &tbs, &der);
	x = fixture_parse(&der);
	assert_int_equal(X509_verify(x, X509_get0_pubkey(ca)), 1);
	assert_int_equal(X509_get_version(x), X509_VERSION_3);
	assert_int_equal(X509_get_ext_count(x), 9);
	for (int i = 0; i < 9; i++)
		assert_string_equal(OBJ_nid2sn(OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(x, i)))), order[i]);
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_CLIENT | XKU_SMIME);
	check_subject(x, &f.fields);
	check_other_names(x, &f.fields);
	assert_int_equal(lint_tbs(&expect, tbs.p, tbs.len, &finding), 0);
	assert_int_equal(lint_certificate(&expect, tbs.p, tbs.len, der.p, der.len, &finding), 0);
	X509_free(x);
	X509_free(ca);
	buf_free(&tbs);
	buf_free(&der);
}

/* A single surname leaves .4 empty, no RUC leaves .11 out. */
static void
test_single_surname(void **state)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	struct cert_fields fields = f.fields;
	X509 *x;

	(void)state;
	fields.surname2 = "";
	fields.ruc = "";
	fields.common_name = "ÍÑIGO MUÑOZ";
	fields.given_names = "ÍÑIGO";
	compose(&fields, FIXTURE_NOW, &tbs, &der);
	x = fixture_parse(&der);
	check_subject(x, &fields);
	check_other_names(x, &fields);
	X509_free(x);
	buf_free(&tbs);
	buf_free(&der);
}

static int64_t
at(int year, int month, int day)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 13, .tm_sec = 7 };

	return (int64_t)timegm(&tm);
}

static void
test_years(void **state)
{
	(void)state;
	assert_int_equal(profile_years(at(2026, 11, 25), 2), at(2028, 11, 25));
	assert_int_equal(profile_years(at(2028, 2, 29), 2), at(2030, 2, 28));
	assert_int_equal(profile_years(at(2028, 2, 29), 4), at(2032, 2, 29));
}

/* UTCTime until 2049, GeneralizedTime from 2050. */
static void
test_times(void **state)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	X509 *x;

	(void)state;
	compose(&f.fields, at(2049, 12, 31), &tbs, &der);
	x = fixture_parse(&der);
	assert_int_equal(ASN1_STRING_type(X509_get0_notBefore(x)), V_ASN1_UTCTIME);
	assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(x)), V_ASN1_GENERALIZEDTIME);
	X509_free(x);
	buf_free(&tbs);
	buf_free(&der);
}

static void
test_invalid_fields(void **state)
{
	struct cert_fields fields = f.fields;
	struct buf tbs = BUF_INIT;

	(void)state;
	fields.years = "0";
	assert_int_equal(profile_person(&f.issuer, &fields, f.serial, FIXTURE_NOW, f.spki.p, f.spki.len, &tbs), ICERT_E_INVALID);
	fields.years = "2x";
	buf_reset(&tbs);
	assert_int_equal(profile_person(&f.issuer, &fields, f.serial, FIXTURE_NOW, f.spki.p, f.spki.len, &tbs), ICERT_E_INVALID);
	fields = f.fields;
	fields.policy_oid = "1.3.x";
	buf_reset(&tbs);
	assert_int_equal(profile_person(&f.issuer, &fields, f.serial, FIXTURE_NOW, f.spki.p, f.spki.len, &tbs), ICERT_E_INVALID);
	buf_reset(&tbs);
	assert_int_equal(profile_person(&f.issuer, &f.fields, f.serial, FIXTURE_NOW, f.spki.p, f.spki.len - 1, &tbs),
	    ICERT_E_MALFORMED);
	buf_free(&tbs);
}

static const char *
rsa_fault(unsigned bits, unsigned long exponent)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	struct buf spki = BUF_INIT;
	BIGNUM *e = BN_new();
	EVP_PKEY *key = NULL;
	const char *why = NULL;
	int result;

	BN_set_word(e, exponent);
	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
	fixture_spki(key, &spki);
	result = spki_check_rsa(spki.p, spki.len, 2048, &why);
	assert_int_equal(result, why == NULL ? 0 : ICERT_E_INVALID);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	BN_free(e);
	buf_free(&spki);
	return why;
}

/* An RSA SubjectPublicKeyInfo with any modulus. */
static void
spki_of_modulus(const BIGNUM *n, struct buf *out)
{
	uint8_t modulus[512];
	int len = BN_bn2bin(n, modulus);
	size_t seq, algorithm, bits, key;

	buf_reset(out);
	seq = der_open(out, DER_SEQUENCE);
	algorithm = der_open(out, DER_SEQUENCE);
	der_oid(out, "1.2.840.113549.1.1.1");
	der_null(out);
	der_close(out, algorithm);
	bits = der_open(out, DER_BIT_STRING);
	buf_putc(out, 0);
	key = der_open(out, DER_SEQUENCE);
	der_unsigned(out, DER_INTEGER, modulus, (size_t)len);
	der_number(out, DER_INTEGER, 65537);
	der_close(out, key);
	der_close(out, bits);
	der_close(out, seq);
}

static void
test_weak_keys(void **state)
{
	BIGNUM *p = BN_new(), *q = BN_new(), *n = BN_new();
	BN_CTX *ctx = BN_CTX_new();
	struct buf spki = BUF_INIT;
	const char *why = NULL;

	(void)state;
	assert_null(rsa_fault(2048, 65537));
	assert_non_null(strstr(rsa_fault(1024, 65537), "size"));
	assert_non_null(strstr(rsa_fault(3072, 65537), "size"));
	assert_non_null(strstr(rsa_fault(2048, 3), "exponent"));

	/* Two primes next to each other. */
	BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL);
	BN_copy(q, p);
	do
		BN_add_word(q, 2);
	while (BN_check_prime(q, ctx, NULL) != 1);
	BN_mul(n, p, q, ctx);
	if (BN_num_bits(n) == 2048) {
		spki_of_modulus(n, &spki);
		assert_int_equal(spki_check_rsa(spki.p, spki.len, 2048, &why), ICERT_E_INVALID);
		assert_non_null(strstr(why, "Fermat"));
	}

	/* A multiple of 3. */
	BN_rand(n, 2048, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD);
	while (BN_mod_word(n, 3) != 0)
		BN_add_word(n, 2);
	spki_of_modulus(n, &spki);
	assert_int_equal(spki_check_rsa(spki.p, spki.len, 2048, &why), ICERT_E_INVALID);
	assert_non_null(strstr(why, "small factor"));

	/* A power of 65537 modulo the product of the first primes: what RSALib's keys are. */
	BN_set_word(n, 1);
	BN_set_word(p, 65537);
	BN_set_word(q, 1);
	for (unsigned d = 2; d <= 1000; d++) {
		int prime = 1;
		for (unsigned k = 2; k * k <= d; k++)
			prime &= d % k != 0;
		if (prime)
			BN_mul_word(q, d);
	}
	BN_exp(n, p, BN_value_one(), ctx);
	BN_mod(n, n, q, ctx);
	/* n + k * q has the residues of 65537; choose k so that it has 2048 bits. */
	BN_lshift(p, BN_value_one(), 2047);
	BN_div(p, NULL, p, q, ctx);
	BN_add_word(p, 2);
	BN_mul(p, p, q, ctx);
	BN_add(n, n, p);
	if (BN_is_odd(n) && BN_num_bits(n) == 2048) {
		spki_of_modulus(n, &spki);
		assert_int_equal(spki_check_rsa(spki.p, spki.len, 2048, &why), ICERT_E_INVALID);
		assert_non_null(strstr(why, "ROCA"));
	} else {
		fail_msg("the sample has %d bits", BN_num_bits(n));
	}

	assert_int_equal(spki_check_rsa(f.spki.p, f.spki.len - 1, 2048, &why), ICERT_E_INVALID);
	assert_int_equal(spki_check_p256(f.spki.p, f.spki.len, &why), ICERT_E_INVALID);
	BN_free(p);
	BN_free(q);
	BN_free(n);
	BN_CTX_free(ctx);
	buf_free(&spki);
}

static void
test_crl(void **state)
{
	struct crl_entry entries[] = {
		{ { 0x55, 1 }, FIXTURE_NOW - 10, 1 }, { { 0x41, 2 }, FIXTURE_NOW - 20, 0 }, { { 0x7f, 3 }, FIXTURE_NOW, 9 },
	};
	struct crl crl = { .issuer = &f.issuer, .number = 300, .this_update = FIXTURE_NOW,
	    .next_update = FIXTURE_NOW + 86400, .entries = entries, .n = 3 };
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	struct lint_finding finding;

	(void)state;
	assert_int_equal(crl_compose(&crl, &tbs), 0);
	fixture_sign(f.ca_key, &tbs, &der);
	assert_int_equal(lint_crl(f.ca_der.p, f.ca_der.len, &crl, der.p, der.len, &finding), 0);
	assert_int_equal(entries[0].serial[0], 0x41);	/* in the order of their serials */
	crl.number++;
	assert_int_equal(lint_crl(f.ca_der.p, f.ca_der.len, &crl, der.p, der.len, &finding), ICERT_E_LINT);
	assert_string_equal(finding.rule, "crl-number");
	crl.number--;
	entries[1].reason = 4;
	assert_int_equal(lint_crl(f.ca_der.p, f.ca_der.len, &crl, der.p, der.len, &finding), ICERT_E_LINT);
	assert_string_equal(finding.rule, "crl-reason");
	der.p[der.len - 1] ^= 1;
	assert_int_equal(lint_crl(f.ca_der.p, f.ca_der.len, &crl, der.p, der.len, &finding), ICERT_E_LINT);
	assert_string_equal(finding.rule, "crl-signature");

	buf_reset(&tbs);
	crl.n = 0;
	assert_int_equal(crl_compose(&crl, &tbs), 0);
	fixture_sign(f.ca_key, &tbs, &der);
	assert_int_equal(lint_crl(f.ca_der.p, f.ca_der.len, &crl, der.p, der.len, &finding), 0);
	buf_free(&tbs);
	buf_free(&der);
}

static void
test_crl_refused(void **state)
{
	struct crl_entry entries[] = { { { 0x41, 2 }, FIXTURE_NOW - 20, 0 }, { { 0x55, 1 }, FIXTURE_NOW - 10, 1 } };
	struct crl crl = { .issuer = &f.issuer, .number = 1, .this_update = FIXTURE_NOW,
	    .next_update = FIXTURE_NOW + 86400, .entries = entries, .n = 2 };
	struct buf tbs = BUF_INIT;

	(void)state;
	for (int reason = -1; reason < 12; reason++) {
		entries[1].reason = (uint8_t)reason;
		assert_int_equal(crl_compose(&crl, &tbs), crl_reason_valid((uint8_t)reason) ? 0 : ICERT_E_INVALID);
	}
	entries[1].reason = 1;
	entries[1].revoked_at = FIXTURE_NOW + 1;
	assert_int_equal(crl_compose(&crl, &tbs), ICERT_E_INVALID);
	entries[1] = entries[0];
	assert_int_equal(crl_compose(&crl, &tbs), ICERT_E_INVALID);
	crl.n = 1;
	crl.next_update = crl.this_update;
	assert_int_equal(crl_compose(&crl, &tbs), ICERT_E_INVALID);
	buf_free(&tbs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_person), cmocka_unit_test(test_single_surname), cmocka_unit_test(test_years),
		cmocka_unit_test(test_times), cmocka_unit_test(test_invalid_fields), cmocka_unit_test(test_weak_keys),
		cmocka_unit_test(test_crl), cmocka_unit_test(test_crl_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
