#include "keys/status_signer.h"
#include "keys/responder_word.h"
#include "keys/token.h"
#include "libicert/clock.h"
#include "libicert/config.h"
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

/* "current", or for another CA than the first "current-2". */
static void
file_of(char out[32], const char *name, unsigned issuer)
{
	issuer_name(out, 32, name, issuer, 0);
}

/* A key's file holds: u32 length of what responder_key_put() wrote, that, its certificate. */
static int
save_key(const struct status_signer *s, const char *name, unsigned issuer, const struct responder_key *key,
    const struct buf *certificate)
{
	struct buf plain = BUF_INIT, kept = BUF_INIT;
	char file[32];
	int error;

	file_of(file, name, issuer);
	if ((error = responder_key_put(key, &kept)) == 0) {
		buf_u32be(&plain, (uint32_t)kept.len);
		buf_put(&plain, kept.p, kept.len);
		buf_put(&plain, certificate->p, certificate->len);
		if ((error = buf_error(&plain)) == 0)
			error = write_sealed(s->folder, file, s->seal, CONTEXT_KEY, plain.p, plain.len);
	}
	buf_free(&kept);
	buf_free(&plain);
	return error;
}

static int
load_key(struct status_signer *s, const char *name, unsigned issuer, struct responder_key *key, struct buf *certificate)
{
	struct buf plain = BUF_INIT;
	char file[32];
	uint32_t n;
	int error;

	file_of(file, name, issuer);
	if ((error = read_sealed(s->folder, file, s->seal, CONTEXT_KEY, &plain)) != 0)
		goto out;
	error = ICERT_E_MALFORMED;
	if (plain.len < 4 || (n = get_u32be(plain.p)) > plain.len - 4)
		goto out;
	if ((error = responder_key_get(&s->store, plain.p + 4, n, key)) != 0)
		goto out;
	buf_put(certificate, plain.p + 4 + n, plain.len - 4 - n);
	error = buf_error(certificate);
out:
	buf_free(&plain);
	return error == ICERT_E_NOT_FOUND ? 0 : error;
}

static int
hash_certificate(struct responder *r)
{
	return EVP_Digest(r->certificate.p, r->certificate.len, r->certificate_sha256, NULL, EVP_sha256(), NULL) == 1 ? 0
	    : ICERT_E_CRYPTO;
}

static int
load_responder(struct status_signer *s, unsigned issuer)
{
	struct responder *r = &s->responder[issuer - ISSUER_FIRST];
	struct buf none = BUF_INIT;
	int error;

	if ((error = load_key(s, "current", issuer, &r->current, &r->certificate)) == 0 && (error = hash_certificate(r)) == 0)
		error = load_key(s, "next", issuer, &r->next, &none);
	buf_free(&none);
	/* One that the token has no longer (a rotation was broken off there) is as if it never was: the publisher asks for another. */
	if (error != 0)
		log_error("responder_key", "of CA %u: %s", issuer, icert_err_code(error));
	return error;
}

int
status_signer_open(struct status_signer *s, const char *folder, const struct responder_store *store)
{
	struct buf seed = BUF_INIT;
	char path[512];
	unsigned i;
	int error;

	memset(s, 0, sizeof(*s));
	if (store != NULL)
		s->store = *store;
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
	for (i = ISSUER_FIRST; i < ISSUER_FIRST + ISSUERS_MAX && error == 0; i++)
		error = load_responder(s, i);
out:
	buf_free(&seed);
	if (error != 0)
		status_signer_close(s);
	return error;
}

int
status_signer_store(struct responder_store *store, const struct config *config)
{
	const char *key = config_get(config, "status_signer", "key"), *module = config_get(config, "status_signer", "module");

	memset(store, 0, sizeof(*store));
	if (key != NULL && strcmp(key, "rsa2048") == 0) {
		store->kind = RESPONDER_RSA2048;
	} else if (key != NULL && *key != '\0' && strcmp(key, "p256") != 0) {
		log_error("config_value", "[status_signer] key = %s: p256 or rsa2048", key);
		return ICERT_E_CONFIG;
	}
	if (module == NULL || *module == '\0')
		return 0;
	return token_open(&store->token, config, "status_signer", config_require(config, "paths", "status_signer_dir"));
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
	unsigned i;

	sign_pool_close(s->pool);
	for (i = 0; i < ISSUERS_MAX; i++) {
		responder_key_free(&s->responder[i].current);
		responder_key_free(&s->responder[i].next);
		buf_free(&s->responder[i].certificate);
	}
	pkcs11_free(s->store.token);
	bytes_wipe(s, sizeof(*s));
}

/* Which CA a request is about; without a word the first.  NULL: there is no such number. */
static struct responder *
responder_of(struct status_signer *s, const struct message *m, unsigned *issuer)
{
	uint64_t n = message_number(m, TAG_ISSUER, ISSUER_FIRST);

	if (n < ISSUER_FIRST || n >= ISSUER_FIRST + ISSUERS_MAX)
		return NULL;
	*issuer = (unsigned)n;
	return &s->responder[n - ISSUER_FIRST];
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
	struct responder *r;
	uint8_t hash[32];
	EVP_PKEY *key;
	unsigned issuer;

	if ((r = responder_of(ctx, request->message, &issuer)) == NULL)
		return ICERT_E_NOT_FOUND;
	if ((key = r->current.key != NULL ? r->current.key : r->next.key) == NULL) {
		snprintf(reply->detail, sizeof(reply->detail), "no key yet");
		return ICERT_E_STATE;
	}
	if (r->certificate.len > 0)
		message_put(&reply->body, TAG_CERT, r->certificate.p, r->certificate.len);
	message_put_number(&reply->body, TAG_NUMBER, ((struct status_signer *)ctx)->signatures);
	return put_spki(reply, key, hash);
}

/* Two names in a token take turns: what a broken-off rotation left is destroyed by the next. */
static void
slot_of(char out[RESPONDER_LABEL], unsigned issuer, const struct responder_key *current)
{
	snprintf(out, RESPONDER_LABEL, "icert-ocsp-%u-a", issuer);
	if (strcmp(out, current->label) == 0)
		out[strlen(out) - 1] = 'b';
}

static int
new_key(struct status_signer *s, struct responder *r, unsigned issuer)
{
	struct responder_key key;
	struct buf none = BUF_INIT;
	char slot[RESPONDER_LABEL];
	int error;

	slot_of(slot, issuer, &r->current);
	if ((error = responder_key_make(&s->store, slot, &key)) != 0 || (error = save_key(s, "next", issuer, &key, &none)) != 0) {
		responder_key_free(&key);
		return error;
	}
	responder_key_free(&r->next);
	r->next = key;
	return 0;
}

/* A key and the word for it; the key is used once its certificate is there. */
static int
on_new_key(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	struct status_signer *s = ctx;
	struct responder_word word = { .time = clock_real() };
	struct buf proof = BUF_INIT;
	struct statement statement;
	struct responder *r;
	unsigned issuer;
	int error;

	if ((r = responder_of(s, request->message, &issuer)) == NULL)
		return ICERT_E_NOT_FOUND;
	if ((error = new_key(s, r, issuer)) != 0) {
		if (s->store.token != NULL)
			snprintf(reply->detail, sizeof(reply->detail), "%s", pkcs11_detail(s->store.token));
		return error;
	}
	if ((error = put_spki(reply, r->next.key, word.spki_sha256)) == 0 &&
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
is_for(X509 *certificate, const struct responder_key *k)
{
	return k->key != NULL && EVP_PKEY_eq(X509_get0_pubkey(certificate), k->key) == 1;
}

static int
install(struct status_signer *s, struct responder *r, unsigned issuer, X509 *x, const struct message_field *f)
{
	struct responder_key *key = is_for(x, &r->next) ? &r->next : is_for(x, &r->current) ? &r->current : NULL;
	struct buf certificate = BUF_INIT;
	char path[512], file[32];
	int error;

	if (key == NULL)
		return ICERT_E_MISMATCH;
	buf_put(&certificate, f->p, f->len);
	if ((error = buf_error(&certificate)) != 0 || (error = save_key(s, "current", issuer, key, &certificate)) != 0) {
		buf_free(&certificate);
		return error;
	}
	buf_free(&r->certificate);
	r->certificate = certificate;
	if ((error = hash_certificate(r)) != 0)
		return error;
	if (key == &r->next) {
		responder_key_free(&r->current);
		r->current = r->next;
		memset(&r->next, 0, sizeof(r->next));
		file_of(file, "next", issuer);
		path_of(path, s->folder, file);
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
	struct responder *r;
	unsigned issuer;
	int error;

	(void)reply;
	if (x == NULL || p != f->p + f->len)
		error = ICERT_E_MALFORMED;
	else if ((r = responder_of(ctx, request->message, &issuer)) == NULL)
		error = ICERT_E_NOT_FOUND;
	else
		error = install(ctx, r, issuer, x, f);
	ERR_clear_error();
	X509_free(x);
	return error;
}

/* By its certificate, where the request names one: an answer must not carry one key's certificate and another's signature. */
static struct responder *
signing(struct status_signer *s, const struct message *m)
{
	const struct message_field *expected = message_get(m, TAG_HASH, 0);
	unsigned issuer;
	size_t i;

	if (expected == NULL)
		return responder_of(s, m, &issuer);
	for (i = 0; i < ISSUERS_MAX; i++)
		if (s->responder[i].certificate.len > 0 && memcmp(expected->p, s->responder[i].certificate_sha256, 32) == 0)
			return &s->responder[i];
	return NULL;
}

static int
on_sign(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	struct status_signer *s = ctx;
	struct responder *r = signing(s, request->message);
	const uint8_t *digest[STATUS_BATCH];
	const struct message *m = request->message;
	size_t i, n = 0;
	int error;

	if (r == NULL)
		return ICERT_E_MISMATCH;
	if (r->current.key == NULL || r->certificate.len == 0) {
		snprintf(reply->detail, sizeof(reply->detail), "no certificate for the responder's key yet");
		return ICERT_E_STATE;
	}
	for (i = 0; i < m->n; i++)
		if (m->field[i].tag == TAG_DIGEST)
			digest[n++] = m->field[i].p;
	error = responder_key_sign(&s->store, s->pool, &r->current, n, digest, s->signature);
	if (error != 0 && r->current.label[0] != '\0') {
		/* As with the issuing key: a token that has gone is opened again by the next process. */
		log_error("token_failed", "%s", pkcs11_detail(s->store.token));
		_exit(1);
	}
	if (error != 0)
		return error;
	s->signatures += n;
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
