#include "keys/status_signer.h"
#include "keys/responder_word.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/sealed.h"
#include "pki/keyfile.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 16384
#define CONTEXT_IDENTITY "status-signer|identity"
#define CONTEXT_KEY "status-signer|responder"

static void
path_of(char out[512], const char *folder, const char *name)
{
	snprintf(out, 512, "%s/%s", folder, name);
}

static int
write_sealed(const char *folder, const char *name, const uint8_t seal[32], const char *context, const void *p, size_t n)
{
	struct buf sealed = BUF_INIT;
	char path[512];
	int error;

	path_of(path, folder, name);
	if ((error = sealed_make(seal, context, p, n, &sealed)) == 0)
		error = keyfile_write(path, sealed.p, sealed.len, 0600);
	buf_free(&sealed);
	return error;
}

static int
read_sealed(const char *folder, const char *name, const uint8_t seal[32], const char *context, struct buf *out)
{
	struct buf sealed = BUF_INIT;
	char path[512];
	int error;

	path_of(path, folder, name);
	if ((error = keyfile_read(path, KEY_FILE_MAX, &sealed)) == 0)
		error = sealed_open(seal, context, sealed.p, sealed.len, out);
	buf_free(&sealed);
	return error;
}

int
status_signer_init(const char *folder)
{
	uint8_t seal[32], seed[32], public[32];
	char path[512], identity[512];
	int error;

	path_of(path, folder, "public.key");
	if (access(path, F_OK) == 0)
		return 0;
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return ICERT_E_SYSTEM;
	/* A former attempt without public.key was pinned by nobody: it begins again. */
	path_of(identity, folder, "seal.key");
	if ((error = bytes_random(seal, sizeof(seal))) == 0 && (error = bytes_random(seed, sizeof(seed))) == 0 &&
	    (error = statement_public(seed, public)) == 0 && (error = keyfile_write(identity, seal, sizeof(seal), 0400)) == 0 &&
	    (error = write_sealed(folder, "identity", seal, CONTEXT_IDENTITY, seed, sizeof(seed))) == 0)
		error = keyfile_write(path, public, sizeof(public), 0444);
	bytes_wipe(seal, sizeof(seal));
	bytes_wipe(seed, sizeof(seed));
	return error;
}

/* A key's file holds: u32 length of the private key (PKCS#8 DER), the key, its certificate. */
static int
save_key(const struct status_signer *s, const char *name, EVP_PKEY *key, const struct buf *certificate)
{
	struct buf plain = BUF_INIT;
	unsigned char *der = NULL;
	int n, error = ICERT_E_CRYPTO;

	if ((n = i2d_PrivateKey(key, &der)) > 0) {
		buf_u32be(&plain, (uint32_t)n);
		buf_put(&plain, der, (size_t)n);
		buf_put(&plain, certificate->p, certificate->len);
		if ((error = buf_error(&plain)) == 0)
			error = write_sealed(s->folder, name, s->seal, CONTEXT_KEY, plain.p, plain.len);
		bytes_wipe(der, (size_t)n);
	}
	OPENSSL_free(der);
	buf_free(&plain);
	return error;
}

static int
load_key(const struct status_signer *s, const char *name, EVP_PKEY **key, struct buf *certificate)
{
	struct buf plain = BUF_INIT;
	const unsigned char *p;
	uint32_t n;
	int error;

	if ((error = read_sealed(s->folder, name, s->seal, CONTEXT_KEY, &plain)) != 0)
		goto out;
	error = ICERT_E_MALFORMED;
	if (plain.len < 4 || (n = get_u32be(plain.p)) > plain.len - 4)
		goto out;
	p = plain.p + 4;
	if ((*key = d2i_AutoPrivateKey(NULL, &p, (long)n)) == NULL)
		goto out;
	buf_put(certificate, plain.p + 4 + n, plain.len - 4 - n);
	error = buf_error(certificate);
out:
	buf_free(&plain);
	return error == ICERT_E_NOT_FOUND ? 0 : error;
}

static int
hash_certificate(struct status_signer *s)
{
	return EVP_Digest(s->certificate.p, s->certificate.len, s->certificate_sha256, NULL, EVP_sha256(), NULL) == 1 ? 0
	    : ICERT_E_CRYPTO;
}

int
status_signer_open(struct status_signer *s, const char *folder)
{
	struct buf seed = BUF_INIT, none = BUF_INIT;
	char path[512];
	int error;

	memset(s, 0, sizeof(*s));
	snprintf(s->folder, sizeof(s->folder), "%s", folder);
	path_of(path, folder, "seal.key");
	if ((error = keyfile_read_exact(path, s->seal, sizeof(s->seal))) != 0 ||
	    (error = read_sealed(folder, "identity", s->seal, CONTEXT_IDENTITY, &seed)) != 0)
		goto out;
	if (seed.len != sizeof(s->identity)) {
		error = ICERT_E_MALFORMED;
		goto out;
	}
	memcpy(s->identity, seed.p, sizeof(s->identity));
	if ((error = load_key(s, "current", &s->current, &s->certificate)) == 0 && (error = hash_certificate(s)) == 0)
		error = load_key(s, "next", &s->next, &none);
out:
	buf_free(&seed);
	buf_free(&none);
	if (error != 0)
		status_signer_close(s);
	return error;
}

int
status_signer_threads(struct status_signer *s)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return sign_pool_open(&s->pool, cores > 1 ? (unsigned)cores - 1 : 0);
}

void
status_signer_close(struct status_signer *s)
{
	sign_pool_close(s->pool);
	EVP_PKEY_free(s->current);
	EVP_PKEY_free(s->next);
	buf_free(&s->certificate);
	bytes_wipe(s, sizeof(*s));
}

static int
put_spki(struct serve_reply *reply, EVP_PKEY *key, uint8_t hash[32])
{
	unsigned char *spki = NULL;
	int n = i2d_PUBKEY(key, &spki), error = ICERT_E_CRYPTO;

	if (n > 0 && EVP_Digest(spki, (size_t)n, hash, NULL, EVP_sha256(), NULL) == 1) {
		message_put(&reply->body, TAG_SPKI, spki, (size_t)n);
		error = 0;
	}
	OPENSSL_free(spki);
	return error;
}

/* The key in use; before the first certificate, the one that waits for it. */
static int
on_info(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	struct status_signer *s = ctx;
	EVP_PKEY *key = s->current != NULL ? s->current : s->next;
	uint8_t hash[32];

	(void)request;
	if (key == NULL) {
		snprintf(reply->detail, sizeof(reply->detail), "no key yet");
		return ICERT_E_STATE;
	}
	if (s->certificate.len > 0)
		message_put(&reply->body, TAG_CERT, s->certificate.p, s->certificate.len);
	return put_spki(reply, key, hash);
}

/* A key and the word for it; the key is used once its certificate is there. */
static int
on_new_key(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	struct status_signer *s = ctx;
	struct responder_word word = { .time = clock_real() };
	struct buf none = BUF_INIT, proof = BUF_INIT;
	struct statement statement;
	EVP_PKEY *key;
	int error;

	(void)request;
	if ((key = EVP_EC_gen("P-256")) == NULL)
		return ICERT_E_CRYPTO;
	if ((error = save_key(s, "next", key, &none)) != 0) {
		EVP_PKEY_free(key);
		return error;
	}
	EVP_PKEY_free(s->next);
	s->next = key;
	if ((error = put_spki(reply, key, word.spki_sha256)) == 0 &&
	    (error = responder_word_build(&word, &statement)) == 0 &&
	    (error = statement_sign(&statement, s->identity)) == 0) {
		statement_encode(&statement, &proof);
		if ((error = buf_error(&proof)) == 0)
			message_put(&reply->body, TAG_PROOF, proof.p, proof.len);
	}
	buf_free(&proof);
	return error;
}

static int
is_for(X509 *certificate, EVP_PKEY *key)
{
	return key != NULL && EVP_PKEY_eq(X509_get0_pubkey(certificate), key) == 1;
}

static int
install(struct status_signer *s, X509 *x, const struct message_field *f)
{
	EVP_PKEY *key = is_for(x, s->next) ? s->next : is_for(x, s->current) ? s->current : NULL;
	struct buf certificate = BUF_INIT;
	char path[512];
	int error;

	if (key == NULL)
		return ICERT_E_MISMATCH;
	buf_put(&certificate, f->p, f->len);
	if ((error = buf_error(&certificate)) != 0 || (error = save_key(s, "current", key, &certificate)) != 0) {
		buf_free(&certificate);
		return error;
	}
	buf_free(&s->certificate);
	s->certificate = certificate;
	if ((error = hash_certificate(s)) != 0)
		return error;
	if (key == s->next) {
		EVP_PKEY_free(s->current);
		s->current = s->next;
		s->next = NULL;
		path_of(path, s->folder, "next");
		unlink(path);
	}
	return 0;
}

static int
on_install(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	const struct message_field *f = message_get(request->message, TAG_CERT, 0);
	const uint8_t *p = f->p;
	X509 *x = d2i_X509(NULL, &p, (long)f->len);
	int error;

	(void)reply;
	if (x == NULL || p != f->p + f->len)
		error = ICERT_E_MALFORMED;
	else
		error = install(ctx, x, f);
	ERR_clear_error();
	X509_free(x);
	return error;
}

static int
on_sign(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	struct status_signer *s = ctx;
	const struct message_field *expected = message_get(request->message, TAG_HASH, 0);
	const uint8_t *digest[STATUS_BATCH];
	size_t i, n = message_count(request->message, TAG_DIGEST);
	int error;

	if (s->current == NULL || s->certificate.len == 0) {
		snprintf(reply->detail, sizeof(reply->detail), "no certificate for the responder's key yet");
		return ICERT_E_STATE;
	}
	/* Who asks knows a certificate: an answer must not carry one key's certificate and another's signature. */
	if (expected != NULL && memcmp(expected->p, s->certificate_sha256, 32) != 0)
		return ICERT_E_MISMATCH;
	for (i = 0; i < n; i++)
		digest[i] = message_get(request->message, TAG_DIGEST, i)->p;
	if ((error = sign_pool_sign(s->pool, s->current, n, digest, s->signature)) != 0)
		return error;
	for (i = 0; i < n; i++)
		message_put(&reply->body, TAG_SIGNATURE, s->signature[i].bytes, s->signature[i].len);
	return 0;
}

#define HERE "status-signer-publisher"
#define ANYWHERE HERE " status-signer-ocsp"

const struct serve_op status_signer_ops[] = {
	{ .op = OP_STATUS_INFO, .sockets = ANYWHERE, .handler = on_info },
	{ .op = OP_STATUS_SIGN, .sockets = ANYWHERE, .handler = on_sign },
	{ .op = OP_STATUS_NEW_KEY, .sockets = HERE, .handler = on_new_key },
	{ .op = OP_STATUS_INSTALL, .sockets = HERE, .handler = on_install },
};
const size_t status_signer_ops_n = sizeof(status_signer_ops) / sizeof(status_signer_ops[0]);
