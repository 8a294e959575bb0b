/*
 * Certification requests as OpenSSL makes them: which keys pass, and that the request is signed with its own.
 */
#include "pki_fixture.h"
#include "pki/possession.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

static EVP_PKEY *key, *other;

static int
setup(void **state)
{
	(void)state;
	key = EVP_RSA_gen(2048);
	other = EVP_RSA_gen(2048);
	return key == NULL || other == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	return 0;
}

static X509_REQ *
request(EVP_PKEY *with)
{
	X509_REQ *r = X509_REQ_new();

	assert_int_equal(X509_REQ_set_version(r, 0), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(r), "CN", MBSTRING_UTF8,
	    (const unsigned char *)"OTRA PERSONA", -1, -1, 0), 1);
	assert_int_equal(X509_REQ_set_pubkey(r, with), 1);
	return r;
}

static void
request_der(EVP_PKEY *with, EVP_PKEY *signer, const EVP_MD *md, struct buf *out)
{
	X509_REQ *r = request(with);
	unsigned char *der = NULL;
	int n;

	assert_true(X509_REQ_sign(r, signer, md) > 0);
	assert_true((n = i2d_X509_REQ(r, &der)) > 0);
	buf_reset(out);
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	X509_REQ_free(r);
}

static int
check(const struct buf *der, struct possession *p)
{
	int error = possession_check(p, der->p, der->len);

	assert_int_equal(error == 0, p->why == NULL);
	return error;
}

static void
a_good_one(void **state)
{
	static const int sizes[] = { 2048, 3072, 4096 };
	struct buf der = BUF_INIT, spki = BUF_INIT;
	struct possession p;

	(void)state;
	for (int i = 0; i < 3; i++) {
		EVP_PKEY *k = i == 0 ? key : EVP_RSA_gen((unsigned)sizes[i]);

		request_der(k, k, i == 0 ? EVP_sha256() : i == 1 ? EVP_sha384() : EVP_sha512(), &der);
		assert_int_equal(check(&der, &p), 0);
		assert_int_equal(p.bits, sizes[i]);
		fixture_spki(k, &spki);
		assert_int_equal(p.csr.spki.len, spki.len);
		assert_memory_equal(p.csr.spki.p, spki.p, spki.len);
		if (i > 0)
			EVP_PKEY_free(k);
	}
	buf_free(&der);
	buf_free(&spki);
}

static void
not_the_holder(void **state)
{
	struct buf der = BUF_INIT;
	struct possession p;

	(void)state;
	request_der(key, other, EVP_sha256(), &der);
	assert_int_equal(check(&der, &p), ICERT_E_FORGED);
	/* The name is covered by the proof: it cannot be changed on the way. */
	request_der(key, key, EVP_sha256(), &der);
	for (size_t i = 0; i + 4 < der.len; i++)
		if (memcmp(der.p + i, "OTRA", 4) == 0)
			der.p[i] = 'A';
	assert_int_equal(check(&der, &p), ICERT_E_FORGED);
	buf_free(&der);
}

static EVP_PKEY *
rsa(unsigned bits, unsigned long exponent)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *k = NULL;

	BN_set_word(e, exponent);
	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &k), 1);
	EVP_PKEY_CTX_free(ctx);
	BN_free(e);
	return k;
}

static void
refused_key(EVP_PKEY *k, int error, const char *why)
{
	struct buf der = BUF_INIT;
	struct possession p;

	request_der(k, k, EVP_sha256(), &der);
	assert_int_equal(check(&der, &p), error);
	assert_non_null(strstr(p.why, why));
	EVP_PKEY_free(k);
	buf_free(&der);
}

/* The pair of two primes, so that its request is signed as any other. */
static EVP_PKEY *
of_primes(const BIGNUM *p, const BIGNUM *q, BN_CTX *ctx)
{
	EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_new(), *e = BN_new(), *d = BN_new(), *p1 = BN_dup(p), *q1 = BN_dup(q);
	OSSL_PARAM *params;
	EVP_PKEY *k = NULL;

	BN_mul(n, p, q, ctx);
	BN_set_word(e, 65537);
	BN_sub_word(p1, 1);
	BN_sub_word(q1, 1);
	BN_mul(p1, p1, q1, ctx);
	assert_non_null(BN_mod_inverse(d, e, p1, ctx));
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_D, d);
	params = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(make), 1);
	assert_int_equal(EVP_PKEY_fromdata(make, &k, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(make);
	BN_free(n);
	BN_free(e);
	BN_free(d);
	BN_free(p1);
	BN_free(q1);
	return k;
}

/* A prime of 1024 bits with its two highest set: k * m + r for random k of the right size. */
static void
prime_like(BIGNUM *out, const BIGNUM *m, const BIGNUM *r, BN_CTX *ctx)
{
	BIGNUM *k = BN_new(), *top = BN_new();

	do {
		BN_rand(top, 1024, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY);
		BN_div(k, NULL, top, m, ctx);
		BN_mul(out, k, m, ctx);
		BN_add(out, out, r);
	} while (BN_num_bits(out) != 1024 || !BN_is_bit_set(out, 1022) || BN_check_prime(out, ctx, NULL) != 1);
	BN_free(k);
	BN_free(top);
}

/* Keys that work, and whose private half anybody can find. */
static void
broken_keys(void **state)
{
	BIGNUM *p = BN_new(), *q = BN_new(), *m = BN_new(), *r = BN_new();
	BN_CTX *ctx = BN_CTX_new();
	int primes = 0;

	(void)state;
	/* Infineon's RSALib: p = k * M + (65537^a mod M) for the product M of the first 126 primes (CVE-2017-15361). */
	BN_one(m);
	for (unsigned n = 2; primes < 126; n++) {
		unsigned d = 2;

		while (d * d <= n && n % d != 0)
			d++;
		if (d * d > n) {
			BN_mul_word(m, n);
			primes++;
		}
	}
	BN_set_word(p, 65537);
	BN_set_word(q, 123456789);
	BN_mod_exp(r, p, q, m, ctx);
	prime_like(p, m, r, ctx);
	BN_set_word(q, 65537);
	BN_mod_mul(r, r, q, m, ctx);
	prime_like(q, m, r, ctx);
	refused_key(of_primes(p, q, ctx), ICERT_E_INVALID, "ROCA");
	/* Two primes beside each other. */
	do {
		BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL);
		BN_copy(q, p);
		do
			BN_add_word(q, 2);
		while (BN_check_prime(q, ctx, NULL) != 1);
	} while (!BN_is_bit_set(p, 1022));
	refused_key(of_primes(p, q, ctx), ICERT_E_INVALID, "Fermat");
	BN_free(p);
	BN_free(q);
	BN_free(m);
	BN_free(r);
	BN_CTX_free(ctx);
}

static void
weak_keys(void **state)
{
	struct buf der = BUF_INIT;
	struct possession p;

	(void)state;
	refused_key(rsa(1024, 65537), ICERT_E_INVALID, "size");
	refused_key(rsa(2056, 65537), ICERT_E_INVALID, "size");
	refused_key(rsa(2048, 3), ICERT_E_INVALID, "exponent");
	refused_key(EVP_EC_gen("P-256"), ICERT_E_UNSUPPORTED, "not an RSA key");
	request_der(key, key, EVP_sha1(), &der);
	assert_int_equal(check(&der, &p), ICERT_E_UNSUPPORTED);
	buf_free(&der);
}

static void
garbage(void **state)
{
	struct buf der = BUF_INIT;
	struct possession p;

	(void)state;
	request_der(key, key, EVP_sha256(), &der);
	for (size_t n = 0; n < der.len; n++) {
		/* A copy of its own, so that reading one octet too far is seen. */
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, der.p, n);
		assert_int_equal(possession_check(&p, cut, n), ICERT_E_MALFORMED);
		free(cut);
	}
	buf_putc(&der, 0);
	assert_int_equal(check(&der, &p), ICERT_E_MALFORMED);
	for (int i = 0; i < CSR_MAX; i++)
		buf_putc(&der, 0);
	assert_int_equal(check(&der, &p), ICERT_E_TOO_LARGE);
	buf_free(&der);
}

/* What pem says, behind and before text, decoded. */
static int
unarmour(const char *before, const char *pem, const char *after, struct buf *out)
{
	struct buf text = BUF_INIT;
	int error;

	buf_puts(&text, before);
	buf_puts(&text, pem);
	buf_puts(&text, after);
	buf_reset(out);
	error = csr_unarmour(text.p, text.len, out);
	buf_free(&text);
	return error;
}

static void
pem(void **state)
{
	struct buf der = BUF_INIT, out = BUF_INIT;
	X509_REQ *r = request(key);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long n;

	(void)state;
	assert_true(X509_REQ_sign(r, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_REQ(bio, r), 1);
	n = BIO_get_mem_data(bio, &text);
	copy = strndup(text, (size_t)n);
	assert_int_equal(unarmour("", copy, "", &out), 0);
	assert_int_equal(unarmour("Certificate Request:\r\n  Data:\r\n", copy, "\n", &out), 0);
	buf_put(&der, out.p, out.len);
	assert_int_equal(csr_unarmour(der.p, der.len, &out), 0);	/* DER is taken as it is, behind what is there */
	assert_int_equal(out.len, 2 * der.len);
	assert_int_equal(unarmour("", copy, copy, &out), ICERT_E_MALFORMED);
	assert_int_equal(unarmour("x", copy, "", &out), ICERT_E_MALFORMED);
	*strstr(copy, "-----END") = '\0';
	assert_int_equal(unarmour("", copy, "", &out), ICERT_E_MALFORMED);
	assert_int_equal(unarmour("", copy, "%\n-----END CERTIFICATE REQUEST-----\n", &out), ICERT_E_MALFORMED);
	assert_int_equal(unarmour("", "-----BEGIN CERTIFICATE REQUEST-----\n", "-----END CERTIFICATE REQUEST-----\n", &out),
	    ICERT_E_MALFORMED);
	assert_int_equal(unarmour("", "", "", &out), ICERT_E_MALFORMED);
	free(copy);
	BIO_free(bio);
	X509_REQ_free(r);
	buf_free(&der);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one), cmocka_unit_test(not_the_holder), cmocka_unit_test(weak_keys), cmocka_unit_test(broken_keys),
		cmocka_unit_test(garbage), cmocka_unit_test(pem),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
