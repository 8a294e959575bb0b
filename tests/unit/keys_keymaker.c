/* The keymaker, asked by its own client: a key, its word, the file of both profiles, the envelope. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypt/keymaker.h"
#include "crypt/seal.h"
#include "key_server.h"
#include "keys/keymaker.h"
#include "keys/keymaker_job.h"
#include "libicert/error.h"

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#define START 1795600000

static const char *const names[] = { "keymaker-issuer" };
#define ITERATIONS 1000

static const uint8_t private_key_key[32] = { 1 }, pkcs12_key[32] = { 2 }, envelope_key[32] = { 3 };

static struct key_server server;
static struct keymaker *keymaker;
static struct serve serve;
static struct keyclient client;
static char case_id[ID_TEXT];
static uint8_t case_raw[ID_RAW];
static struct buf sealed, spki;
static struct statement word;

static int
setup(void **state)
{
	char folder[96];

	(void)state;
	test_clock_start(START);
	bind_server(&server, names, 1);
	snprintf(folder, sizeof(folder), "%s/keymaker", server.folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(keymaker_open(&keymaker, folder, ITERATIONS), ICERT_E_NOT_FOUND);
	assert_int_equal(keymaker_init(folder), 0);
	assert_int_equal(keymaker_init(folder), 0);
	assert_int_equal(keymaker_open(&keymaker, folder, ITERATIONS), 0);
	keymaker_set_clock(keymaker, test_clock);
	keymaker_serve(keymaker, &serve);
	run_server(&server, &serve);
	keyclient_init(&client, server.path[0]);
	id_new(case_id);
	id_raw(case_id, case_raw);
	assert_int_equal(keymaker_make(&client, case_id, private_key_key, &sealed, &spki, &word), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	keyclient_close(&client);
	buf_free(&sealed);
	buf_free(&spki);
	assert_int_equal(stop_server(&server), 0);
	keymaker_close(keymaker);
	remove_server(&server);
	return 0;
}

static void
open_part(const char *label, const uint8_t key[32], const struct buf *from, struct buf *out)
{
	char context[DELIVERY_CONTEXT];

	delivery_context(context, case_raw, label);
	assert_int_equal(open_field(key, context, from->p, from->len, out), 0);
}

static EVP_PKEY *
private_key(void)
{
	struct buf plain = BUF_INIT;
	const uint8_t *p;
	EVP_PKEY *key;

	open_part(DELIVERY_PRIVATE, private_key_key, &sealed, &plain);
	p = plain.p;
	key = d2i_AutoPrivateKey(NULL, &p, (long)plain.len);
	assert_non_null(key);
	buf_free(&plain);
	return key;
}

static void
a_key_and_its_word(void **state)
{
	EVP_PKEY *key = private_key();
	struct key_word w;
	uint8_t hash[32];
	const uint8_t *p = spki.p;
	EVP_PKEY *public_key = d2i_PUBKEY(NULL, &p, (long)spki.len);

	(void)state;
	assert_int_equal(EVP_PKEY_get_bits(key), 2048);
	assert_int_equal(EVP_PKEY_eq(key, public_key), 1);
	assert_int_equal(statement_verify(&word, keymaker->word_public), 0);
	assert_int_equal(key_word_parse(&word, &w), 0);
	EVP_Digest(spki.p, spki.len, hash, NULL, EVP_sha256(), NULL);
	assert_memory_equal(w.spki_sha256, hash, 32);
	assert_memory_equal(w.case_id, case_raw, ID_RAW);
	assert_true(w.time == START);
	EVP_PKEY_free(key);
	EVP_PKEY_free(public_key);
}

static void
another_call_another_key(void **state)
{
	struct buf other_sealed = BUF_INIT, other_spki = BUF_INIT;
	struct statement other;

	(void)state;
	assert_int_equal(keymaker_make(&client, case_id, private_key_key, &other_sealed, &other_spki, &other), 0);
	assert_memory_not_equal(other_spki.p, spki.p, spki.len);
	assert_int_equal(keymaker_make(&client, "no-id", private_key_key, &other_sealed, &other_spki, &other), ICERT_E_INVALID);
	buf_free(&other_sealed);
	buf_free(&other_spki);
}

static int
certificate(EVP_PKEY *key, const char *name, uint8_t **der)
{
	X509 *x = X509_new();
	int len;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	*der = NULL;
	len = i2d_X509(x, der);
	X509_free(x);
	return len;
}

static void
fill_pack(struct keymaker_pack *pack, enum pkcs12_profile profile)
{
	memset(pack, 0, sizeof(*pack));
	memcpy(pack->key_private, private_key_key, 32);
	memcpy(pack->key_pkcs12, pkcs12_key, 32);
	memcpy(pack->key_envelope, envelope_key, 32);
	pack->sealed_private = sealed.p;
	pack->sealed_private_len = sealed.len;
	pack->friendly_name = "MARÍA ÑANDÚ";
	pack->profile = profile;
}

/* The value of a key in the envelope's JSON, whose two values never need an escape. */
static void
json_value(const char *json, const char *key, char *out, size_t size)
{
	char start[40];
	const char *at, *end;

	snprintf(start, sizeof(start), "\"%s\":\"", key);
	at = strstr(json, start);
	assert_non_null(at);
	at += strlen(start);
	end = strchr(at, '"');
	assert_true(end != NULL && (size_t)(end - at) < size);
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = 0;
}

static void
check_file(const struct buf *file, const char *password, EVP_PKEY *key)
{
	const uint8_t *p = file->p;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)file->len);
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *inside = NULL;
	X509 *cert = NULL;
	int len;

	assert_non_null(p12);
	assert_int_equal(PKCS12_verify_mac(p12, "wrong", -1), 0);
	assert_int_equal(PKCS12_parse(p12, password, &inside, &cert, &chain), 1);
	assert_int_equal(EVP_PKEY_eq(inside, key), 1);
	assert_int_equal(sk_X509_num(chain), 1);
	assert_memory_equal(X509_alias_get0(cert, &len), "MARÍA ÑANDÚ", 14);
	assert_int_equal(len, 14);
	sk_X509_pop_free(chain, X509_free);
	X509_free(cert);
	EVP_PKEY_free(inside);
	PKCS12_free(p12);
}

/* The vector of AES-256-CBC out of PBES2 parameters, and that the rest of them is what it must be. */
static void
take_vector(const X509_ALGOR *pbe, uint8_t vector[16])
{
	PBE2PARAM *params;
	PBKDF2PARAM *derivation;
	const ASN1_OBJECT *name;
	const void *value;
	int type;

	assert_int_equal(OBJ_obj2nid(pbe->algorithm), NID_pbes2);
	params = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), pbe->parameter);
	assert_non_null(params);
	X509_ALGOR_get0(&name, &type, &value, params->encryption);
	assert_int_equal(OBJ_obj2nid(name), NID_aes_256_cbc);
	assert_int_equal(ASN1_STRING_length(value), 16);
	memcpy(vector, ASN1_STRING_get0_data(value), 16);
	derivation = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), params->keyfunc->parameter);
	assert_non_null(derivation);
	assert_int_equal(ASN1_INTEGER_get(derivation->iter), ITERATIONS);
	assert_int_equal(OBJ_obj2nid(derivation->prf->algorithm), NID_hmacWithSHA256);
	assert_int_equal(ASN1_STRING_length(derivation->salt->value.octet_string), 16);
	PBKDF2PARAM_free(derivation);
	PBE2PARAM_free(params);
}

/* Key and certificates share a derived key, so their vectors must differ. */
static void
check_vectors(const struct buf *file)
{
	const uint8_t *p = file->p;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)file->len);
	STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
	uint8_t vector[2][16];

	assert_int_equal(sk_PKCS7_num(safes), 2);
	for (int i = 0; i < 2; i++) {
		PKCS7 *safe = sk_PKCS7_value(safes, i);
		STACK_OF(PKCS12_SAFEBAG) *bags;
		const X509_ALGOR *pbe;
		const ASN1_OCTET_STRING *octets;

		if (OBJ_obj2nid(safe->type) == NID_pkcs7_encrypted) {
			take_vector(safe->d.encrypted->enc_data->algorithm, vector[i]);
			continue;
		}
		bags = PKCS12_unpack_p7data(safe);
		X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(sk_PKCS12_SAFEBAG_value(bags, 0)), &pbe, &octets);
		take_vector(pbe, vector[i]);
		sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	}
	assert_memory_not_equal(vector[0], vector[1], 16);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	PKCS12_free(p12);
}

static void
pack_profile(enum pkcs12_profile profile)
{
	EVP_PKEY *key = private_key();
	EVP_PKEY *ca = EVP_RSA_gen(2048);
	struct buf sealed_file = BUF_INIT, sealed_envelope = BUF_INIT, file = BUF_INIT, envelope = BUF_INIT, code = BUF_INIT;
	struct keymaker_pack pack;
	uint8_t *der[2];
	uint8_t hash[32], want[32];
	char password[64], revocation[64];

	fill_pack(&pack, profile);
	pack.chain_n = 2;
	pack.chain[0].len = (size_t)certificate(key, "MARÍA ÑANDÚ", &der[0]);
	pack.chain[1].len = (size_t)certificate(ca, "CA", &der[1]);
	pack.chain[0].der = der[0];
	pack.chain[1].der = der[1];
	assert_int_equal(keymaker_pack(&client, case_id, &pack, &sealed_file, &sealed_envelope, hash), 0);
	open_part(DELIVERY_PKCS12, pkcs12_key, &sealed_file, &file);
	open_part(DELIVERY_ENVELOPE, envelope_key, &sealed_envelope, &envelope);
	json_value(buf_str(&envelope), "password", password, sizeof(password));
	json_value(buf_str(&envelope), "revocation_code", revocation, sizeof(revocation));
	assert_int_equal(strlen(password), 24);
	assert_int_equal(strspn(password, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ-"), 24);
	check_file(&file, password, key);
	if (profile == PKCS12_MODERN)
		check_vectors(&file);
	for (const char *c = revocation; *c != 0; c++)
		if (*c != '-')
			buf_putc(&code, *c);
	EVP_Digest(code.p, code.len, want, NULL, EVP_sha256(), NULL);
	assert_memory_equal(hash, want, 32);
	assert_int_equal(code.len, 16);
	/* the second certificate is not the key's */
	pack.chain[0] = pack.chain[1];
	assert_int_equal(keymaker_pack(&client, case_id, &pack, &sealed_file, &sealed_envelope, hash), ICERT_E_MISMATCH);
	OPENSSL_free(der[0]);
	OPENSSL_free(der[1]);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca);
	buf_free(&sealed_file);
	buf_free(&sealed_envelope);
	buf_free(&file);
	buf_free(&envelope);
	buf_free(&code);
}

static void
both_profiles(void **state)
{
	(void)state;
	pack_profile(PKCS12_MODERN);
	pack_profile(PKCS12_LEGACY);
}

static void
what_is_refused(void **state)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct keymaker_pack pack;
	uint8_t hash[32];
	char other[ID_TEXT];

	(void)state;
	fill_pack(&pack, PKCS12_MODERN);
	assert_int_equal(keymaker_pack(&client, case_id, &pack, &a, &b, hash), ICERT_E_INVALID);	/* no certificate */
	pack.chain_n = 1;
	pack.chain[0].der = (const uint8_t *)"0\x03\x02\x01\x01";
	pack.chain[0].len = 5;
	assert_int_equal(keymaker_pack(&client, case_id, &pack, &a, &b, hash), ICERT_E_MALFORMED);
	pack.profile = (enum pkcs12_profile)7;
	assert_int_equal(keymaker_pack(&client, case_id, &pack, &a, &b, hash), ICERT_E_INVALID);
	pack.profile = PKCS12_MODERN;
	pack.key_private[0] ^= 1;
	assert_int_equal(keymaker_pack(&client, case_id, &pack, &a, &b, hash), ICERT_E_FORGED);
	/* another case's private key does not open under this case's name */
	pack.key_private[0] ^= 1;
	id_new(other);
	assert_int_equal(keymaker_pack(&client, other, &pack, &a, &b, hash), ICERT_E_FORGED);
	assert_int_equal(a.len, 0);
	buf_free(&a);
	buf_free(&b);
}

/* Of a key in a token: a revocation code, and nothing that could be taken for a password. */
static void
an_envelope_alone(void **state)
{
	struct buf sealed_envelope = BUF_INIT, envelope = BUF_INIT, code = BUF_INIT;
	uint8_t hash[32], want[32];
	char revocation[64];

	(void)state;
	assert_int_equal(keymaker_envelope(&client, case_id, envelope_key, &sealed_envelope, hash), 0);
	open_part(DELIVERY_ENVELOPE, envelope_key, &sealed_envelope, &envelope);
	assert_null(strstr(buf_str(&envelope), "password"));
	json_value(buf_str(&envelope), "revocation_code", revocation, sizeof(revocation));
	for (const char *c = revocation; *c != 0; c++)
		if (*c != '-')
			buf_putc(&code, *c);
	assert_int_equal(code.len, 16);
	EVP_Digest(code.p, code.len, want, NULL, EVP_sha256(), NULL);
	assert_memory_equal(hash, want, 32);
	buf_free(&sealed_envelope);
	buf_free(&envelope);
	buf_free(&code);
}

static void
secrets_differ(void **state)
{
	char a[5 * PASSWORD_GROUPS], b[5 * PASSWORD_GROUPS];

	(void)state;
	assert_int_equal(secret_word(a, PASSWORD_GROUPS), 0);
	assert_int_equal(secret_word(b, PASSWORD_GROUPS), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(a[4], '-');
	assert_int_equal(strlen(a), 24);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_and_its_word),
		cmocka_unit_test(another_call_another_key),
		cmocka_unit_test(both_profiles),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(an_envelope_alone),
		cmocka_unit_test(secrets_differ)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
