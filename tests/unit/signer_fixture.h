/*
 * The signer with SoftHSM2 in a folder of its own, one issuing CA and the keys whose words it believes; for units about what it
 * refuses, signs and remembers.
 */
#include "pki_fixture.h"
#include "keys/signer.h"
#include "libicert/clock.h"
#include "libicert/id.h"
#include "libicert/keyproto.h"
#include "pki/keyfile.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DETAIL 256

static char folder[] = "/tmp/icert-unit-XXXXXX";
static char journal_path[64];
static struct fixture f;			/* its fields, and a holder's key */
static struct signer s;
static uint8_t keeper_key[32] = { 1 }, keymaker_key[32] = { 2 }, status_key[32] = { 3 };
static uint8_t holder[32] = { 0xA1 }, operator[32] = { 0xB2 };
static int64_t now;

static inline const char *
module_path(void)
{
	static const char *const known[] = { "/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (access(known[i], R_OK) == 0)
			return known[i];
	fail_msg("SoftHSM2 is not installed");
	return NULL;
}

static inline void
open_token(void)
{
	char path[128], conf[256];
	int n;

	snprintf(path, sizeof(path), "%s/tokens", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	n = snprintf(conf, sizeof(conf), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", path);
	snprintf(path, sizeof(path), "%s/softhsm2.conf", folder);
	assert_int_equal(keyfile_write(path, conf, (size_t)n, 0600), 0);
	assert_int_equal(pkcs11_load(&s.token, module_path(), path), 0);
	assert_int_equal(pkcs11_init_token(s.token, "unit", "123456"), 0);
	assert_int_equal(pkcs11_init_token(s.token, "unit", "123456"), ICERT_E_EXISTS);
	assert_int_equal(pkcs11_login(s.token, "none", "123456"), ICERT_E_NOT_FOUND);
	assert_int_equal(pkcs11_login(s.token, "unit", "123456"), 0);
	assert_int_equal(pkcs11_choose(s.token, ISSUER_KEY), ICERT_E_NOT_FOUND);
	assert_int_equal(pkcs11_make_rsa(s.token, ISSUER_KEY, 2048), 0);
	assert_int_equal(pkcs11_make_rsa(s.token, ISSUER_KEY, 2048), ICERT_E_EXISTS);
	assert_int_equal(pkcs11_choose(s.token, ISSUER_KEY), 0);
}

/* The issuing certificate for the token's key, signed by that key itself. */
static inline void
make_issuer(void)
{
	struct profile_name name = fixture_name("ENTIDAD DE CERTIFICACION ICERT PRUEBAS");
	struct buf spki = BUF_INIT, tbs = BUF_INIT, signature = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL], digest[32];

	assert_int_equal(pkcs11_spki(s.token, &spki), 0);
	assert_int_equal(profile_serial(serial), 0);
	assert_int_equal(profile_root(&name, "http://x/dpc", serial, now - 86400, now + 20LL * 365 * 86400, spki.p, spki.len, &tbs), 0);
	assert_int_equal(EVP_Digest(tbs.p, tbs.len, digest, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(pkcs11_sign(s.token, digest, &signature), 0);
	assert_int_equal(profile_signed(tbs.p, tbs.len, signature.p, signature.len, &s.ca[0].der), 0);
	assert_int_equal(profile_issuer_read(&s.ca[0].issuer, s.ca[0].der.p, s.ca[0].der.len), 0);
	fixture_urls(&s.ca[0].issuer);
	snprintf(s.ca[0].crl_url, sizeof(s.ca[0].crl_url), "%s", s.ca[0].issuer.crl_url);
	snprintf(s.ca[0].key, sizeof(s.ca[0].key), "%s", ISSUER_KEY);
	s.ca[0].number = ISSUER_FIRST;
	s.issuing = &s.ca[0];
	s.n = 1;
	buf_free(&spki);
	buf_free(&tbs);
	buf_free(&signature);
}

static inline int
signer_setup(void **state)
{
	(void)state;
	now = clock_real();
	fixture_make(&f);
	assert_non_null(mkdtemp(folder));
	open_token();
	make_issuer();
	s.organization = FIXTURE_O;
	s.responder_name = fixture_name("RESPONDEDOR");
	s.responder_days = 30;
	s.ceiling = 1000;
	statement_public(keeper_key, s.keeper);
	statement_public(keymaker_key, s.keymaker);
	statement_public(status_key, s.status_signer);
	snprintf(journal_path, sizeof(journal_path), "%s/journal", folder);
	/* Without the ceremony's first line there is nothing to work on. */
	assert_int_equal(journal_open(&s.ca[0].journal, journal_path), ICERT_E_NOT_FOUND);
	assert_int_equal(journal_make(journal_path, now), 0);
	assert_int_equal(journal_make(journal_path, now), ICERT_E_EXISTS);
	assert_int_equal(journal_open(&s.ca[0].journal, journal_path), 0);
	return 0;
}

static inline int
signer_teardown(void **state)
{
	char command[64];

	(void)state;
	signer_close(&s);
	fixture_free(&f);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static inline void
approve(struct signer_request *r, enum approval_kind kind, const uint8_t person[32], int64_t time)
{
	struct approval a = { .kind = kind, .time = time };

	memcpy(a.case_id, r->case_id, sizeof(a.case_id));
	memcpy(a.fields_hash, r->fields_hash, sizeof(a.fields_hash));
	memcpy(a.person_hash, person, sizeof(a.person_hash));
	assert_int_equal(approval_build(&a, &r->statements[r->statements_n]), 0);
	assert_int_equal(statement_sign(&r->statements[r->statements_n], keeper_key), 0);
	r->statements_n++;
}

static inline void
vouch(struct signer_request *r, const uint8_t key[32])
{
	struct key_word word = { .time = now };

	memcpy(word.case_id, r->case_id, sizeof(word.case_id));
	memcpy(word.spki_sha256, r->spki_hash, sizeof(word.spki_sha256));
	assert_int_equal(key_word_build(&word, &r->word), 0);
	assert_int_equal(statement_sign(&r->word, key), 0);
}

static inline void
set_key(struct signer_request *r, const struct buf *spki)
{
	r->spki = spki->p;
	r->spki_len = spki->len;
	assert_int_equal(EVP_Digest(spki->p, spki->len, r->spki_hash, NULL, EVP_sha256(), NULL), 1);
}

/* A request with everything but its statements. */
static inline void
begin(struct signer_request *r)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(bytes_random(r->case_id, sizeof(r->case_id)), 0);
	assert_int_equal(profile_serial(r->serial), 0);
	r->not_before = now;
	r->fields = f.fields;
	assert_int_equal(cert_fields_hash(&r->fields, r->fields_hash), 0);
	set_key(r, &f.spki);
}

static inline void
good(struct signer_request *r)
{
	begin(r);
	approve(r, APPROVAL_ACCEPT, holder, now - 600);
	approve(r, APPROVAL_ISSUE, operator, now);
	vouch(r, keymaker_key);
}

static inline int
issue(const struct signer_request *r, struct buf *der, char *detail)
{
	detail[0] = '\0';
	buf_reset(der);
	return signer_issue(&s, r, now, der, detail);
}

/* One operation through the server's own table. */
static inline int
ask(const struct serve_op *ops, size_t n, void *ctx, const char *socket, const struct buf *request, int fd, struct message *reply,
    struct buf *packet, int *fd_out)
{
	struct serve serve = { .ops = ops, .n = n, .ctx = ctx };

	buf_reset(packet);
	assert_int_equal(serve_once(&serve, socket, request->p, request->len, fd, packet, fd_out), 0);
	assert_int_equal(message_parse(reply, packet->p, packet->len, NULL), 0);
	return -(int)reply->status;
}
