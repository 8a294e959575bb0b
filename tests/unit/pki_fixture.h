#ifndef TESTS_PKI_FIXTURE_H
#define TESTS_PKI_FIXTURE_H

/*
 * A small authority in memory for tests: issuing CA with a software key, a holder's key, sample fields
 * with accents, Ñ and everything the profile can carry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libicert/error.h"
#include "pki/lint.h"
#include "pki/profile.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_NOW 1795600000		/* 2026-11-25 */
#define FIXTURE_O "CONSEJO DE LA JUDICATURA"

struct fixture {
	EVP_PKEY *ca_key, *key;
	struct buf ca_der, spki;
	struct profile_issuer issuer;
	struct cert_fields fields;
	uint8_t serial[PROFILE_SERIAL];
};

static inline void
fixture_spki(EVP_PKEY *key, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	assert_true(n > 0);
	buf_reset(out);
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
}

/* Signs a TBS with a software key: what the token does otherwise. */
static inline void
fixture_sign(EVP_PKEY *key, const struct buf *tbs, struct buf *der)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[1024];
	size_t n = sizeof(signature);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &n, tbs->p, tbs->len), 1);
	EVP_MD_CTX_free(ctx);
	buf_reset(der);
	assert_int_equal(profile_signed(tbs->p, tbs->len, signature, n, der), 0);
}

static inline struct profile_name
fixture_name(const char *common_name)
{
	return (struct profile_name){ "EC", "DM QUITO", FIXTURE_O, "PRUEBAS", common_name };
}

static inline struct cert_fields
fixture_fields(void)
{
	return (struct cert_fields){ .country = "EC", .locality = "SANTO DOMINGO", .serial_number = "1710034065",
	    .common_name = "MARÍA JOSÉ MUÑOZ PEÑAFIEL", .email = "maria@example.ec", .identification = "1710034065",
	    .given_names = "MARÍA JOSÉ", .surname1 = "MUÑOZ", .surname2 = "PEÑAFIEL",
	    .address = "CALLE ÁLVARO PÉREZ Nº 12", .telephone = "+593987654321", .city = "SANTO DOMINGO",
	    .ruc = "1710034065001", .country_name = "ECUADOR", .kind = "PERSONA NATURAL",
	    .container = "ARCHIVO PKCS#12", .rup = "", .profession = "",
	    .policy_oid = "1.3.6.1.4.1.43745.1.2.1.1.2.1", .years = "2", .spki_sha256_hex = "" };
}

static inline void
fixture_urls(struct profile_issuer *issuer)
{
	issuer->ocsp_url = "http://127.0.0.1:1/ocsp";
	issuer->issuer_url = "http://127.0.0.1:1/ca/emisora.cer";
	issuer->crl_url = "http://127.0.0.1:1/crl/icert.crl";
	issuer->cps_url = "http://127.0.0.1:1/ca/dpc.html";
}

static inline void
fixture_make(struct fixture *f)
{
	struct profile_name name = fixture_name("ENTIDAD DE CERTIFICACION ICERT PRUEBAS");
	struct buf ca_spki = BUF_INIT, tbs = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];

	memset(f, 0, sizeof(*f));
	f->ca_key = EVP_RSA_gen(2048);
	f->key = EVP_RSA_gen(2048);
	fixture_spki(f->ca_key, &ca_spki);
	fixture_spki(f->key, &f->spki);
	assert_int_equal(profile_serial(serial), 0);
	assert_int_equal(profile_root(&name, "http://x/dpc", serial, FIXTURE_NOW - 86400, FIXTURE_NOW + 20LL * 365 * 86400,
	    ca_spki.p, ca_spki.len, &tbs), 0);
	fixture_sign(f->ca_key, &tbs, &f->ca_der);
	assert_int_equal(profile_issuer_read(&f->issuer, f->ca_der.p, f->ca_der.len), 0);
	fixture_urls(&f->issuer);
	f->fields = fixture_fields();
	assert_int_equal(profile_serial(f->serial), 0);
	buf_free(&ca_spki);
	buf_free(&tbs);
}

static inline void
fixture_free(struct fixture *f)
{
	EVP_PKEY_free(f->ca_key);
	EVP_PKEY_free(f->key);
	buf_free(&f->ca_der);
	buf_free(&f->spki);
	profile_issuer_free(&f->issuer);
}

static inline struct lint_expect
fixture_expect(const struct fixture *f)
{
	return (struct lint_expect){ .kind = LINT_PERSON, .issuer = f->ca_der.p, .issuer_len = f->ca_der.len,
	    .serial = f->serial, .not_before = FIXTURE_NOW, .spki = f->spki.p, .spki_len = f->spki.len,
	    .organization = FIXTURE_O, .ocsp_url = f->issuer.ocsp_url, .issuer_url = f->issuer.issuer_url,
	    .crl_url = f->issuer.crl_url, .cps_url = f->issuer.cps_url, .fields = &f->fields };
}

static inline X509 *
fixture_parse(const struct buf *der)
{
	const uint8_t *p = der->p;
	X509 *x = d2i_X509(NULL, &p, (long)der->len);

	assert_non_null(x);
	assert_ptr_equal(p, der->p + der->len);
	return x;
}

#endif
