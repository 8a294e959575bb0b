/*
 * The status signer's keys: P-256, RSA-2048 and in a token (SoftHSM2), one for each CA, and a rotation that is broken off.
 */
#include "pki_fixture.h"
#include "keys/status_signer.h"
#include "keys/serve.h"
#include "libicert/keyproto.h"
#include "pki/keyfile.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char publisher[] = "status-signer-publisher";
static char folder[] = "/tmp/icert-unit-XXXXXX";
static char softhsm[64], own[64];
static struct fixture f;
static struct status_signer s;
static const uint8_t digest[32] = { 7, 7, 7 };

static const char *
module_path(void)
{
	static const char *const known[] = { "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (access(known[i], R_OK) == 0)
			return known[i];
	fail_msg("SoftHSM2 is not installed");
	return NULL;
}

static int
setup(void **state)
{
	char text[256], path[96];
	int n;

	(void)state;
	fixture_make(&f);
	assert_non_null(mkdtemp(folder));
	snprintf(softhsm, sizeof(softhsm), "%s/softhsm2.conf", folder);
	snprintf(own, sizeof(own), "%s/status", folder);
	snprintf(path, sizeof(path), "%s/tokens", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	n = snprintf(text, sizeof(text), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", path);
	assert_int_equal(keyfile_write(softhsm, text, (size_t)n, 0600), 0);
	return status_signer_init(own);
}

static int
teardown(void **state)
{
	char command[64];

	(void)state;
	fixture_free(&f);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void
open_with(enum responder_kind kind, int token)
{
	struct responder_store store = { .kind = kind };

	if (token) {
		assert_int_equal(pkcs11_load(&store.token, module_path(), softhsm), 0);
		if (pkcs11_login(store.token, "status", "4321") != 0) {
			assert_int_equal(pkcs11_init_token(store.token, "status", "4321"), 0);
			assert_int_equal(pkcs11_login(store.token, "status", "4321"), 0);
		}
	}
	assert_int_equal(status_signer_open(&s, own, &store), 0);
	assert_int_equal(status_signer_threads(&s), 0);
}

static int
ask(struct buf *request, struct message *reply, struct buf *packet)
{
	struct serve serve = { .ops = status_signer_ops, .n = status_signer_ops_n, .ctx = &s };
	int fd_out = -1;

	buf_reset(packet);
	assert_int_equal(serve_once(&serve, publisher, request->p, request->len, -1, packet, &fd_out), 0);
	assert_int_equal(message_parse(reply, packet->p, packet->len, NULL), 0);
	return -(int)reply->status;
}

/* A new key for a CA: its SPKI. */
static void
new_key(unsigned issuer, struct buf *spki)
{
	static struct message reply;
	struct buf request = BUF_INIT, packet = BUF_INIT;

	message_begin(&request, OP_STATUS_NEW_KEY, 0, 1);
	message_put_number(&request, TAG_ISSUER, issuer);
	assert_int_equal(ask(&request, &reply, &packet), 0);
	buf_reset(spki);
	buf_put(spki, message_get(&reply, TAG_SPKI, 0)->p, message_get(&reply, TAG_SPKI, 0)->len);
	buf_free(&request);
	buf_free(&packet);
}

/* Its certificate, installed. */
static int
install(unsigned issuer, const struct buf *spki, struct buf *certificate)
{
	static struct message reply;
	struct profile_name name = fixture_name("RESPONDEDOR");
	struct buf request = BUF_INIT, packet = BUF_INIT, tbs = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];
	int error;

	assert_int_equal(profile_serial(serial), 0);
	assert_int_equal(profile_responder(&f.issuer, &name, serial, FIXTURE_NOW, FIXTURE_NOW + 86400, spki->p, spki->len, &tbs), 0);
	buf_reset(certificate);
	fixture_sign(f.ca_key, &tbs, certificate);
	message_begin(&request, OP_STATUS_INSTALL, 0, 2);
	message_put(&request, TAG_CERT, certificate->p, certificate->len);
	message_put_number(&request, TAG_ISSUER, issuer);
	error = ask(&request, &reply, &packet);
	buf_free(&request);
	buf_free(&packet);
	buf_free(&tbs);
	return error;
}

/* Three digests signed as the key of this certificate: 0 when each signature verifies with it. */
static int
signs(const struct buf *certificate)
{
	static struct message reply;
	struct buf request = BUF_INIT, packet = BUF_INIT;
	uint8_t hash[32];
	X509 *x = fixture_parse(certificate);
	EVP_PKEY_CTX *key = EVP_PKEY_CTX_new(X509_get0_pubkey(x), NULL);
	int error;

	EVP_Digest(certificate->p, certificate->len, hash, NULL, EVP_sha256(), NULL);
	message_begin(&request, OP_STATUS_SIGN, 0, 3);
	message_put(&request, TAG_HASH, hash, sizeof(hash));
	for (int i = 0; i < 3; i++)
		message_put(&request, TAG_DIGEST, digest, sizeof(digest));
	if ((error = ask(&request, &reply, &packet)) == 0) {
		assert_int_equal(message_count(&reply, TAG_SIGNATURE), 3);
		assert_int_equal(EVP_PKEY_verify_init(key), 1);
		if (EVP_PKEY_get_base_id(X509_get0_pubkey(x)) == EVP_PKEY_RSA)
			assert_int_equal(EVP_PKEY_CTX_set_signature_md(key, EVP_sha256()), 1);
		for (size_t i = 0; i < 3; i++) {
			const struct message_field *signature = message_get(&reply, TAG_SIGNATURE, i);

			assert_int_equal(EVP_PKEY_verify(key, signature->p, signature->len, digest, sizeof(digest)), 1);
		}
	}
	EVP_PKEY_CTX_free(key);
	X509_free(x);
	buf_free(&request);
	buf_free(&packet);
	return error;
}

/* The same life of a key for each kind and place: made, broken off, made again, certified, rotated, opened again. */
static void
life(enum responder_kind kind, int token)
{
	struct buf first = BUF_INIT, second = BUF_INIT, spki = BUF_INIT, other = BUF_INIT, lost = BUF_INIT;
	EVP_PKEY *key;
	const uint8_t *p;

	open_with(kind, token);
	new_key(1, &lost);
	new_key(1, &spki);
	p = spki.p;
	assert_non_null(key = d2i_PUBKEY(NULL, &p, (long)spki.len));
	assert_int_equal(EVP_PKEY_get_base_id(key), kind == RESPONDER_RSA2048 ? EVP_PKEY_RSA : EVP_PKEY_EC);
	assert_int_equal(EVP_PKEY_get_bits(key), kind == RESPONDER_RSA2048 ? 2048 : 256);
	EVP_PKEY_free(key);
	assert_int_equal(install(1, &lost, &first), ICERT_E_MISMATCH);
	assert_int_equal(install(1, &spki, &first), 0);
	assert_int_equal(signs(&first), 0);

	/* A second CA has a key of its own; neither is taken for the other. */
	new_key(2, &other);
	assert_int_equal(install(1, &other, &second), ICERT_E_MISMATCH);
	assert_int_equal(install(2, &other, &second), 0);
	assert_int_equal(signs(&second), 0);
	assert_int_equal(signs(&first), 0);

	/* Killed between key and certificate: the old one signs on, and the key that waits takes its certificate. */
	new_key(1, &spki);
	status_signer_close(&s);
	open_with(kind, token);
	assert_int_equal(signs(&first), 0);
	assert_int_equal(install(1, &spki, &lost), 0);
	assert_int_equal(signs(&first), ICERT_E_MISMATCH);
	assert_int_equal(signs(&lost), 0);
	status_signer_close(&s);
	open_with(kind, token);
	assert_int_equal(signs(&lost), 0);
	assert_int_equal(signs(&second), 0);
	status_signer_close(&s);
	buf_free(&first);
	buf_free(&second);
	buf_free(&spki);
	buf_free(&other);
	buf_free(&lost);
}

static void
test_software(void **state)
{
	(void)state;
	life(RESPONDER_P256, 0);
	life(RESPONDER_RSA2048, 0);
}

static void
test_token(void **state)
{
	struct responder_store none = { .kind = RESPONDER_P256 };
	char label[32];

	(void)state;
	life(RESPONDER_P256, 1);
	life(RESPONDER_RSA2048, 1);
	/* Two names a CA take turns in the token: nothing is left behind. */
	open_with(RESPONDER_P256, 1);
	for (int i = 0; i < 3; i++) {
		snprintf(label, sizeof(label), "icert-ocsp-1-%c", "abc"[i]);
		assert_int_equal(pkcs11_choose(s.store.token, label), i < 2 ? 0 : ICERT_E_NOT_FOUND);
	}
	status_signer_close(&s);
	/* Without its token the key in use cannot be opened, and nothing else is made in its place. */
	assert_int_equal(status_signer_open(&s, own, &none), ICERT_E_UNAVAILABLE);
}

static void
test_refused(void **state)
{
	static struct message reply;
	struct buf request = BUF_INIT, packet = BUF_INIT;

	(void)state;
	open_with(RESPONDER_P256, 1);
	for (uint64_t issuer = 0; issuer <= ISSUERS_MAX + 1; issuer += ISSUERS_MAX + 1) {
		message_begin(&request, OP_STATUS_NEW_KEY, 0, 1);
		message_put_number(&request, TAG_ISSUER, issuer);
		assert_int_equal(ask(&request, &reply, &packet), ICERT_E_NOT_FOUND);
	}
	message_begin(&request, OP_STATUS_INFO, 0, 1);
	message_put_number(&request, TAG_ISSUER, 3);
	assert_int_equal(ask(&request, &reply, &packet), ICERT_E_STATE);
	status_signer_close(&s);
	buf_free(&request);
	buf_free(&packet);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_software), cmocka_unit_test(test_token), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
