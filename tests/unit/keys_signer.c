/*
 * The signer with SoftHSM2 in a folder of its own: what it refuses, what it signs, what it remembers.
 */
#include "pki_fixture.h"
#include "keys/responder_word.h"
#include "keys/signer.h"
#include "keys/status_signer.h"
#include "libicert/status.h"
#include "libicert/clock.h"
#include "libicert/id.h"
#include "libicert/keyproto.h"
#include "pki/crl.h"
#include "pki/keyfile.h"
#include "pki/ocsp_answer.h"

#include <fcntl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DETAIL 256

static char folder[] = "/tmp/icert-unit-XXXXXX";
static char journal_path[64];
static struct fixture f;			/* its fields, and a holder's key */
static struct signer s;
static uint8_t keeper_key[32] = { 1 }, keymaker_key[32] = { 2 }, status_key[32] = { 3 }, other_key[32] = { 9 };
static uint8_t holder[32] = { 0xA1 }, operator[32] = { 0xB2 }, second[32] = { 0xC3 };
static int64_t now;

static const char *
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

static void
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
static void
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

static int
setup(void **state)
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

static int
teardown(void **state)
{
	char command[64];

	(void)state;
	signer_close(&s);
	fixture_free(&f);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void
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

static void
vouch(struct signer_request *r, const uint8_t key[32])
{
	struct key_word word = { .time = now };

	memcpy(word.case_id, r->case_id, sizeof(word.case_id));
	memcpy(word.spki_sha256, r->spki_hash, sizeof(word.spki_sha256));
	assert_int_equal(key_word_build(&word, &r->word), 0);
	assert_int_equal(statement_sign(&r->word, key), 0);
}

static void
set_key(struct signer_request *r, const struct buf *spki)
{
	r->spki = spki->p;
	r->spki_len = spki->len;
	assert_int_equal(EVP_Digest(spki->p, spki->len, r->spki_hash, NULL, EVP_sha256(), NULL), 1);
}

/* A request with everything but its statements. */
static void
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

static void
good(struct signer_request *r)
{
	begin(r);
	approve(r, APPROVAL_ACCEPT, holder, now - 600);
	approve(r, APPROVAL_ISSUE, operator, now);
	vouch(r, keymaker_key);
}

static void
refuses(const struct signer_request *r, int error)
{
	const char *why = "";
	char detail[DETAIL] = "";
	struct buf der = BUF_INIT;

	assert_int_equal(signer_approved(&s, r, now, &why), error);
	assert_true(strlen(why) > 0);
	assert_int_equal(signer_issue(&s, r, now, &der, detail), error);
	assert_int_equal(der.len, 0);
	assert_string_equal(detail, why);
	buf_free(&der);
}

static void
test_missing(void **state)
{
	struct signer_request r;

	(void)state;
	begin(&r);
	vouch(&r, keymaker_key);
	refuses(&r, ICERT_E_MISSING);
	approve(&r, APPROVAL_ACCEPT, holder, now);
	refuses(&r, ICERT_E_MISSING);
	begin(&r);
	vouch(&r, keymaker_key);
	approve(&r, APPROVAL_ISSUE, operator, now);
	refuses(&r, ICERT_E_MISSING);
	approve(&r, APPROVAL_SECOND, second, now);
	refuses(&r, ICERT_E_MISSING);

	s.require_second = 1;
	good(&r);
	refuses(&r, ICERT_E_MISSING);
	s.require_second = 0;
}

static void
test_stale(void **state)
{
	static const int64_t ages[][2] = { { 86401, 0 }, { 0, 86401 }, { -61, 0 }, { 0, -61 }, { INT64_MAX / 2, 0 } };
	struct signer_request r;

	(void)state;
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		begin(&r);
		vouch(&r, keymaker_key);
		approve(&r, APPROVAL_ACCEPT, holder, ages[i][0] > now ? 0 : now - ages[i][0]);
		approve(&r, APPROVAL_ISSUE, operator, now - ages[i][1]);
		refuses(&r, ICERT_E_STALE);
	}
}

static void
test_forged(void **state)
{
	struct signer_request r;

	(void)state;
	for (int which = 0; which < 2; which++) {
		good(&r);
		assert_int_equal(statement_sign(&r.statements[which], other_key), 0);
		refuses(&r, ICERT_E_FORGED);
		good(&r);
		r.statements[which].sig[7] ^= 1;
		refuses(&r, ICERT_E_FORGED);
		good(&r);
		r.statements[which].bytes[r.statements[which].len - 1] ^= 1;	/* another time */
		refuses(&r, ICERT_E_FORGED);
	}
	good(&r);
	vouch(&r, keeper_key);
	refuses(&r, ICERT_E_FORGED);
	/* The keymaker's key says nothing about approvals. */
	good(&r);
	assert_int_equal(statement_sign(&r.statements[1], keymaker_key), 0);
	refuses(&r, ICERT_E_FORGED);
	/* The keeper's statement is not the keymaker's word. */
	good(&r);
	r.word = r.statements[0];
	refuses(&r, ICERT_E_FORGED);
}

static void
test_other(void **state)
{
	struct signer_request r, other;

	(void)state;
	/* Other fields than those approved: each one counts. */
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++) {
		good(&r);
		*cert_fields_at(&r.fields, i) = "OTRO";
		assert_int_equal(cert_fields_hash(&r.fields, r.fields_hash), 0);
		refuses(&r, ICERT_E_MISMATCH);
	}
	/* Statements of another case. */
	good(&r);
	good(&other);
	r.statements[0] = other.statements[0];
	refuses(&r, ICERT_E_MISMATCH);
	good(&r);
	r.statements[1] = other.statements[1];
	refuses(&r, ICERT_E_MISMATCH);
	good(&r);
	r.word = other.word;
	refuses(&r, ICERT_E_MISMATCH);
	/* A word for another key. */
	good(&r);
	r.spki_hash[0] ^= 1;
	refuses(&r, ICERT_E_MISMATCH);
	/* Another key than a token's that was approved. */
	begin(&r);
	r.fields.spki_sha256_hex = "00";
	assert_int_equal(cert_fields_hash(&r.fields, r.fields_hash), 0);
	approve(&r, APPROVAL_ACCEPT, holder, now);
	approve(&r, APPROVAL_ISSUE, operator, now);
	vouch(&r, keymaker_key);
	refuses(&r, ICERT_E_MISMATCH);
	/* The same kind twice. */
	good(&r);
	r.statements[1] = r.statements[0];
	refuses(&r, ICERT_E_MALFORMED);
}

static void
test_holder(void **state)
{
	struct signer_request r;

	(void)state;
	begin(&r);
	vouch(&r, keymaker_key);
	approve(&r, APPROVAL_ACCEPT, holder, now);
	approve(&r, APPROVAL_ISSUE, holder, now);
	refuses(&r, ICERT_E_OWN_CASE);
	good(&r);
	approve(&r, APPROVAL_SECOND, operator, now);
	refuses(&r, ICERT_E_OWN_CASE);
	good(&r);
	approve(&r, APPROVAL_SECOND, holder, now);
	refuses(&r, ICERT_E_OWN_CASE);
}

static int
issue(const struct signer_request *r, struct buf *der, char *detail)
{
	detail[0] = '\0';
	buf_reset(der);
	return signer_issue(&s, r, now, der, detail);
}

/* Weak keys and fields outside the profile stop at the lint, whatever was approved. */
static void
test_lint(void **state)
{
	struct buf spki = BUF_INIT, der = BUF_INIT;
	EVP_PKEY *weak = EVP_RSA_gen(1024), *curve = EVP_EC_gen("P-256");
	struct signer_request r;
	char detail[DETAIL];

	(void)state;
	begin(&r);
	fixture_spki(weak, &spki);
	set_key(&r, &spki);
	approve(&r, APPROVAL_ACCEPT, holder, now);
	approve(&r, APPROVAL_ISSUE, operator, now);
	vouch(&r, keymaker_key);
	assert_int_equal(issue(&r, &der, detail), ICERT_E_LINT);
	assert_non_null(strstr(detail, "key ("));
	fixture_spki(curve, &spki);
	set_key(&r, &spki);
	vouch(&r, keymaker_key);
	assert_int_equal(issue(&r, &der, detail), ICERT_E_LINT);

	begin(&r);
	r.fields.common_name = "María Muñoz";
	assert_int_equal(cert_fields_hash(&r.fields, r.fields_hash), 0);
	approve(&r, APPROVAL_ACCEPT, holder, now);
	approve(&r, APPROVAL_ISSUE, operator, now);
	vouch(&r, keymaker_key);
	assert_int_equal(issue(&r, &der, detail), ICERT_E_LINT);
	assert_non_null(strstr(detail, "upper-case"));
	good(&r);
	memset(r.serial, 0, 12);	/* short */
	assert_int_equal(issue(&r, &der, detail), ICERT_E_LINT);
	memset(r.serial, 0xFF, 16);	/* negative */
	assert_int_equal(issue(&r, &der, detail), ICERT_E_LINT);
	good(&r);
	r.not_before = now - 86401;
	assert_int_equal(issue(&r, &der, detail), ICERT_E_STALE);
	r.not_before = now + 61;
	assert_int_equal(issue(&r, &der, detail), ICERT_E_STALE);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(curve);
	buf_free(&spki);
	buf_free(&der);
}

/* Signed, given again, and nothing else for that case, serial or key: also after a restart. */
static void
test_issue(void **state)
{
	struct buf der = BUF_INIT, again = BUF_INIT, spki = BUF_INIT;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct signer_request r, other;
	char detail[DETAIL];
	X509 *x, *ca;

	(void)state;
	fixture_spki(key, &spki);
	begin(&r);
	set_key(&r, &spki);
	approve(&r, APPROVAL_ACCEPT, holder, now - 86000);
	approve(&r, APPROVAL_ISSUE, operator, now);
	approve(&r, APPROVAL_SECOND, second, now);
	vouch(&r, keymaker_key);
	assert_int_equal(issue(&r, &der, detail), 0);
	x = fixture_parse(&der);
	ca = fixture_parse(&s.ca[0].der);
	assert_int_equal(X509_verify(x, X509_get0_pubkey(ca)), 1);
	X509_free(x);
	X509_free(ca);

	for (int restart = 0; restart < 2; restart++) {
		assert_int_equal(issue(&r, &again, detail), 0);
		assert_int_equal(again.len, der.len);
		assert_memory_equal(again.p, der.p, der.len);
		/* The same case with another serial. */
		other = r;
		assert_int_equal(profile_serial(other.serial), 0);
		assert_int_equal(issue(&other, &again, detail), ICERT_E_EXISTS);
		/* Another case with the same key, or the same serial. */
		good(&other);
		set_key(&other, &spki);
		vouch(&other, keymaker_key);
		assert_int_equal(issue(&other, &again, detail), ICERT_E_EXISTS);
		assert_string_equal(detail, "the key was certified before");
		good(&other);
		memcpy(other.serial, r.serial, sizeof(r.serial));
		assert_int_equal(issue(&other, &again, detail), ICERT_E_EXISTS);
		assert_string_equal(detail, "the serial number was used before");
		journal_close(s.ca[0].journal);
		assert_int_equal(journal_open(&s.ca[0].journal, journal_path), 0);
	}
	EVP_PKEY_free(key);
	buf_free(&der);
	buf_free(&again);
	buf_free(&spki);
}

static void
test_ceiling(void **state)
{
	size_t ceiling = s.ceiling;
	struct signer_request r;
	struct buf der = BUF_INIT;
	char detail[DETAIL];

	(void)state;
	good(&r);
	s.ceiling = journal_certificates_since(s.ca[0].journal, now - 3600);
	assert_true(s.ceiling > 0);
	assert_int_equal(issue(&r, &der, detail), ICERT_E_CEILING);
	s.ceiling = ceiling;
	buf_free(&der);
}

/* The journal refuses to be opened when a byte of it was changed, and mends a torn last line alone. */
static void
test_journal(void **state)
{
	struct buf bytes = BUF_INIT, changed = BUF_INIT;
	struct journal *j;
	uint8_t last[32], found[32];
	uint64_t lines;
	char path[96];
	size_t at;

	(void)state;
	assert_int_equal(journal_append(s.ca[0].journal, JOURNAL_REFUSED, now, "what=test\n"), ICERT_E_INVALID);
	assert_int_equal(journal_open(&j, journal_path), ICERT_E_BUSY);
	assert_int_equal(keyfile_read(journal_path, 1 << 20, &bytes), 0);
	snprintf(path, sizeof(path), "%s/copy", folder);
	for (at = 0; at < bytes.len; at += 1 + bytes.len / 40) {
		if (bytes.p[at] == '\n')
			continue;
		buf_reset(&changed);
		buf_put(&changed, bytes.p, bytes.len);
		changed.p[at] ^= 1;
		assert_int_equal(keyfile_write(path, changed.p, changed.len, 0600), 0);
		assert_int_equal(journal_open(&j, path), ICERT_E_FORGED);
	}
	/* A line taken out. */
	at = (size_t)((uint8_t *)memchr(bytes.p, '\n', bytes.len) - bytes.p) + 1;
	assert_int_equal(keyfile_write(path, bytes.p + at, bytes.len - at, 0600), 0);
	assert_int_equal(journal_open(&j, path), ICERT_E_FORGED);
	/* Nothing left of it. */
	assert_int_equal(keyfile_write(path, "", 0, 0600), 0);
	assert_int_equal(journal_open(&j, path), ICERT_E_FORGED);
	/* Cut back to a whole line it opens; who has kept how far it went sees it, also when it has grown again since. */
	assert_int_equal(keyfile_write(path, bytes.p, bytes.len, 0600), 0);
	assert_int_equal(journal_open(&j, path), 0);
	lines = journal_state(j, last);
	assert_true(lines > 2);
	assert_int_equal(journal_hash(j, lines, found), 0);
	assert_memory_equal(found, last, 32);
	assert_int_equal(journal_hash(j, lines + 1, found), ICERT_E_NOT_FOUND);
	assert_int_equal(journal_hash(j, 0, found), ICERT_E_NOT_FOUND);
	journal_close(j);
	for (at = bytes.len - 1; bytes.p[at - 1] != '\n';)
		at--;
	assert_int_equal(keyfile_write(path, bytes.p, at, 0600), 0);
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(journal_hash(j, lines, found), ICERT_E_NOT_FOUND);
	assert_int_equal(journal_append(j, JOURNAL_BEGIN, now + 1, ""), 0);
	assert_int_equal(journal_hash(j, lines, found), 0);
	assert_memory_not_equal(found, last, 32);
	assert_int_equal(journal_state(j, found), lines);
	journal_close(j);
	/* A torn last line. */
	assert_int_equal(keyfile_write(path, bytes.p, bytes.len - 3, 0600), 0);
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(journal_append(j, JOURNAL_BEGIN, now, ""), 0);
	journal_close(j);
	assert_int_equal(journal_open(&j, path), 0);
	journal_close(j);
	buf_free(&bytes);
	buf_free(&changed);
}

/* One operation through the server's own table. */
static int
ask(const struct serve_op *ops, size_t n, void *ctx, const char *socket, const struct buf *request, int fd, struct message *reply,
    struct buf *packet, int *fd_out)
{
	struct serve serve = { .ops = ops, .n = n, .ctx = ctx };

	buf_reset(packet);
	assert_int_equal(serve_once(&serve, socket, request->p, request->len, fd, packet, fd_out), 0);
	assert_int_equal(message_parse(reply, packet->p, packet->len, NULL), 0);
	return -(int)reply->status;
}

static int
ask_list(const char *socket, unsigned partition, uint64_t number, int64_t this_update, int64_t next_update,
    const struct crl_entry *entries, size_t n_entries, struct buf *crl)
{
	static struct message reply;
	struct buf request = BUF_INIT, packet = BUF_INIT;
	uint8_t bytes[CRL_ENTRY], read_back[4096];
	int error, fd = memfd_create("entries", MFD_CLOEXEC), fd_out = -1;
	ssize_t n;

	for (size_t i = 0; i < n_entries; i++) {
		crl_entry_encode(&entries[i], bytes);
		assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	}
	message_begin(&request, OP_SIGN_CRL, 0, 7);
	if (partition != 0)
		message_put_number(&request, TAG_PARTITION, partition);
	message_put_number(&request, TAG_NUMBER, number);
	message_put_number(&request, TAG_TIME, (uint64_t)this_update);
	message_put_number(&request, TAG_TIME_NEXT, (uint64_t)next_update);
	error = ask(signer_ops, signer_ops_n, &s, socket, &request, fd, &reply, &packet, &fd_out);
	if (fd_out >= 0) {
		n = pread(fd_out, read_back, sizeof(read_back), 0);
		assert_true(n > 0);
		buf_put(crl, read_back, (size_t)n);
		close(fd_out);
	}
	buf_free(&request);
	buf_free(&packet);
	return error;
}

static int
ask_crl_of(const char *socket, uint64_t number, int64_t this_update, const uint8_t *serials, size_t n, struct buf *crl)
{
	struct crl_entry entries[8];

	for (size_t i = 0; i < n; i++)
		entries[i] = (struct crl_entry){ .serial = { serials[i] }, .revoked_at = now - 100, .reason = 1 };
	return ask_list(socket, 0, number, this_update, this_update + 86400, entries, n, crl);
}

static int
ask_crl(const char *socket, uint64_t number, int64_t this_update, struct buf *crl)
{
	return ask_crl_of(socket, number, this_update, (const uint8_t[]){ 0x44 }, 1, crl);
}

static void
test_crl(void **state)
{
	struct buf crl = BUF_INIT;
	const uint8_t *p;
	X509_CRL *list;
	X509 *ca;

	(void)state;
	assert_int_equal(ask_crl("signer-issuer", 5, now, &crl), ICERT_E_DENIED);
	assert_int_equal(ask_crl("signer-publisher", 5, now, &crl), 0);
	p = crl.p;
	list = d2i_X509_CRL(NULL, &p, (long)crl.len);
	ca = fixture_parse(&s.ca[0].der);
	assert_non_null(list);
	assert_int_equal(X509_CRL_verify(list, X509_get0_pubkey(ca)), 1);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list)), 1);
	X509_CRL_free(list);
	X509_free(ca);
	/* Numbers grow, times are of now. */
	assert_int_equal(ask_crl("signer-publisher", 5, now, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_crl("signer-publisher", 6, now - 7200, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_crl("signer-publisher", 6, now + 3600, &crl), ICERT_E_INVALID);
	assert_int_equal(journal_crl_number(s.ca[0].journal), 5);
	buf_free(&crl);
}

/* Whoever has taken the publisher over cannot have a revocation forgotten, nor after a restart of the signer. */
static void
test_crl_forgets_nothing(void **state)
{
	static const uint8_t serials[] = { 0x50, 0x44, 0x30 };
	struct buf crl = BUF_INIT;
	uint64_t number = journal_crl_number(s.ca[0].journal);

	(void)state;
	assert_int_equal(ask_crl_of("signer-publisher", ++number, now, serials, 3, &crl), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(journal_revocations(s.ca[0].journal)->n, 3);
		assert_int_equal(ask_crl_of("signer-publisher", number + 1, now, serials, 2, &crl), ICERT_E_MISMATCH);
		assert_int_equal(ask_crl_of("signer-publisher", number + 1, now, NULL, 0, &crl), ICERT_E_MISMATCH);
		assert_int_equal(ask_crl_of("signer-publisher", number + 1, now, (const uint8_t[]){ 0x30, 0x45, 0x50, 0x60 }, 4, &crl),
		    ICERT_E_MISMATCH);
		journal_close(s.ca[0].journal);
		assert_int_equal(journal_open(&s.ca[0].journal, journal_path), 0);
	}
	assert_int_equal(ask_crl_of("signer-publisher", ++number, now, serials, 3, &crl), 0);
	buf_free(&crl);
}

/* The octets of a distribution point's name, as the certificate and the list of its partition both have them. */
static void
put_point(struct buf *b, const char *url)
{
	size_t n = strlen(url);

	buf_putc(b, 0xA0);
	buf_putc(b, (int)n + 4);
	buf_putc(b, 0xA0);
	buf_putc(b, (int)n + 2);
	buf_putc(b, 0x86);
	buf_putc(b, (int)n);
	buf_puts(b, url);
}

/* A certificate names its partition; the partition's list is of that scope, critically, and forgets nothing of it. */
static void
test_partition(void **state)
{
	struct buf der = BUF_INIT, spki = BUF_INIT, crl = BUF_INIT, point = BUF_INIT;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	char detail[DETAIL], url[ISSUER_URL];
	struct crl_entry e = { .revoked_at = now - 5, .reason = 4 }, all[4];
	uint64_t number = journal_crl_number(s.ca[0].journal);
	struct signer_request r;
	unsigned part, named = 99;
	const uint8_t *p;
	X509_CRL *list;
	X509 *x;
	int critical = -1;
	ISSUING_DIST_POINT *idp;

	(void)state;
	fixture_spki(key, &spki);
	begin(&r);
	set_key(&r, &spki);
	approve(&r, APPROVAL_ACCEPT, holder, now - 600);
	approve(&r, APPROVAL_ISSUE, operator, now);
	vouch(&r, keymaker_key);
	s.ca[0].partitions = 4;
	part = issuer_partition_of(r.serial, 4);
	assert_in_range(part, 1, 4);
	assert_int_equal(issue(&r, &der, detail), 0);
	s.ca[0].partitions = 0;
	x = fixture_parse(&der);
	assert_int_equal(crl_point_partition(x, s.ca[0].crl_url, &named), 0);
	assert_int_equal(named, part);
	assert_int_equal(crl_point_partition(x, "http://another/list.crl", &named), ICERT_E_NOT_FOUND);
	X509_free(x);
	assert_int_equal(issuer_name(url, sizeof(url), s.ca[0].crl_url, ISSUER_FIRST, part), 0);
	put_point(&point, url);
	assert_non_null(memmem(der.p, der.len, point.p, point.len));

	/* Named in the complete list; then no list of its partition may leave it out, nor after a restart. */
	memcpy(e.serial, r.serial, 16);
	for (int i = 0; i < 3; i++)
		all[i] = (struct crl_entry){ .serial = { (const uint8_t[]){ 0x30, 0x44, 0x50 }[i] }, .revoked_at = now - 100, .reason = 1 };
	all[3] = e;
	assert_int_equal(ask_list("signer-publisher", 0, ++number, now, now + 86400, all, 4, &crl), 0);
	assert_null(memmem(crl.p, crl.len, point.p, point.len));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(ask_list("signer-publisher", part, number + 1, now, now + 86400, NULL, 0, &crl), ICERT_E_MISMATCH);
		journal_close(s.ca[0].journal);
		assert_int_equal(journal_open(&s.ca[0].journal, journal_path), 0);
	}
	/* Another's list is empty, and its own has it alone. */
	buf_reset(&crl);
	assert_int_equal(ask_list("signer-publisher", part % 4 + 1, ++number, now, now + 86400, NULL, 0, &crl), 0);
	buf_reset(&crl);
	assert_int_equal(ask_list("signer-publisher", part, ++number, now, now + 86400, &e, 1, &crl), 0);
	assert_non_null(memmem(crl.p, crl.len, point.p, point.len));
	p = crl.p;
	assert_non_null(list = d2i_X509_CRL(NULL, &p, (long)crl.len));
	assert_non_null(idp = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, NULL));
	assert_int_equal(critical, 1);
	assert_true(idp->onlyuser);
	ISSUING_DIST_POINT_free(idp);
	X509_CRL_free(list);
	/* Numbers grow over all of a CA's lists; there is no seventeenth. */
	assert_int_equal(ask_list("signer-publisher", part, number, now, now + 86400, &e, 1, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_list("signer-publisher", 17, number + 1, now, now + 86400, &e, 1, &crl), ICERT_E_NOT_FOUND);
	buf_free(&der);
	buf_free(&spki);
	buf_free(&crl);
	buf_free(&point);
	EVP_PKEY_free(key);
}

/* A CA that only answers certifies nobody; one that has ended signs its last list, which has no next. */
static void
test_states_of_a_ca(void **state)
{
	struct crl_entry all[4];
	const struct revoked_list *revoked = journal_revocations(s.ca[0].journal);
	uint64_t number = journal_crl_number(s.ca[0].journal);
	char detail[DETAIL];
	struct buf crl = BUF_INIT, der = BUF_INIT, spki = BUF_INIT;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct signer_request r;

	(void)state;
	assert_int_equal(revoked->n, 4);
	for (size_t i = 0; i < 4; i++) {
		all[i] = (struct crl_entry){ .revoked_at = revoked->item[i].revoked_at, .reason = 1 };
		memcpy(all[i].serial, revoked->item[i].serial, 16);
	}
	fixture_spki(key, &spki);
	begin(&r);
	set_key(&r, &spki);
	approve(&r, APPROVAL_ACCEPT, holder, now - 600);
	approve(&r, APPROVAL_ISSUE, operator, now);
	vouch(&r, keymaker_key);
	s.issuing = NULL;
	s.ca[0].state = ISSUER_ANSWERS;
	assert_int_equal(issue(&r, &der, detail), ICERT_E_STATE);
	assert_int_equal(ask_list("signer-publisher", 0, number + 1, now, STATUS_NEVER, all, 4, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_list("signer-publisher", 0, ++number, now, now + 86400, all, 4, &crl), 0);
	s.ca[0].state = ISSUER_ENDED;
	assert_int_equal(ask_list("signer-publisher", 0, number + 1, now, now + 86400, all, 4, &crl), ICERT_E_INVALID);
	buf_reset(&crl);
	assert_int_equal(ask_list("signer-publisher", 0, ++number, now, STATUS_NEVER, all, 4, &crl), 0);
	assert_non_null(memmem(crl.p, crl.len, "99991231235959Z", 15));
	s.ca[0].state = ISSUER_ISSUES;
	s.issuing = &s.ca[0];
	assert_int_equal(issue(&r, &der, detail), 0);
	buf_free(&crl);
	buf_free(&der);
	buf_free(&spki);
	EVP_PKEY_free(key);
}

/* What ended before the list before this one may go; nothing else. */
static void
test_revoked_missing(void **state)
{
	struct revoked_list l = { 0 };
	struct revoked r = { .serial = { 9 }, .not_after = 1000 };
	struct crl_entry e = { .serial = { 7 } };
	struct buf b = BUF_INIT;
	struct revoked back;

	(void)state;
	assert_int_equal(revoked_add(&l, &r), 0);
	r.serial[0] = 7;
	assert_int_equal(revoked_add(&l, &r), 0);
	revoked_sort(&l);
	assert_int_equal(revoked_missing(&l, &e, 1, 999)->serial[0], 9);
	assert_null(revoked_missing(&l, &e, 1, 1000));
	assert_int_equal(revoked_missing(&l, NULL, 0, 0)->serial[0], 7);
	revoked_put(&b, &r);
	assert_int_equal(b.len, REVOKED_ENTRY);
	revoked_decode(&back, b.p);
	assert_memory_equal(back.serial, r.serial, sizeof(r.serial));
	assert_int_equal(back.revoked_at, r.revoked_at);
	assert_int_equal(back.not_after, r.not_after);
	assert_int_equal(back.partition, REVOKED_PARTITION_UNREAD);
	buf_free(&b);
	revoked_free(&l);
}

/* The status signer's key, its certificate from the signer, and digests signed with it. */
static void
test_responder(void **state)
{
	static struct message reply;
	static const char here[] = "status-signer-publisher";
	struct buf request = BUF_INIT, packet = BUF_INIT, spki = BUF_INIT, proof = BUF_INIT, certificate = BUF_INIT;
	const struct message_field *field;
	struct ocsp_template template;
	struct status_signer status;
	char path[96];
	X509 *x;

	(void)state;
	snprintf(path, sizeof(path), "%s/status", folder);
	assert_int_equal(status_signer_open(&status, path, NULL), ICERT_E_NOT_FOUND);
	assert_int_equal(status_signer_init(path), 0);
	assert_int_equal(status_signer_init(path), 0);
	assert_int_equal(status_signer_open(&status, path, NULL), 0);
	assert_int_equal(status_signer_threads(&status), 0);

	/* No key, no certificate: nothing is signed. */
	message_begin(&request, OP_STATUS_SIGN, 0, 1);
	message_put(&request, TAG_DIGEST, holder, 32);
	assert_int_equal(ask(status_signer_ops, status_signer_ops_n, &status, here, &request, -1, &reply, &packet, NULL), ICERT_E_STATE);
	message_begin(&request, OP_STATUS_NEW_KEY, 0, 2);
	assert_int_equal(ask(status_signer_ops, status_signer_ops_n, &status, here, &request, -1, &reply, &packet, NULL), 0);
	field = message_get(&reply, TAG_SPKI, 0);
	buf_put(&spki, field->p, field->len);
	field = message_get(&reply, TAG_PROOF, 0);
	buf_put(&proof, field->p, field->len);

	/* Its identity is not the pinned one yet; then it is, but the proof is for that key alone. */
	message_begin(&request, OP_SIGN_RESPONDER, 0, 3);
	message_put(&request, TAG_SPKI, spki.p, spki.len);
	message_put(&request, TAG_PROOF, proof.p, proof.len);
	assert_int_equal(ask(signer_ops, signer_ops_n, &s, "signer-publisher", &request, -1, &reply, &packet, NULL), ICERT_E_FORGED);
	snprintf(path, sizeof(path), "%s/status/public.key", folder);
	assert_int_equal(keyfile_read_exact(path, s.status_signer, 32), 0);
	spki.p[spki.len - 1] ^= 1;
	message_begin(&request, OP_SIGN_RESPONDER, 0, 3);
	message_put(&request, TAG_SPKI, spki.p, spki.len);
	message_put(&request, TAG_PROOF, proof.p, proof.len);
	assert_int_equal(ask(signer_ops, signer_ops_n, &s, "signer-publisher", &request, -1, &reply, &packet, NULL), ICERT_E_MISMATCH);
	spki.p[spki.len - 1] ^= 1;
	message_begin(&request, OP_SIGN_RESPONDER, 0, 3);
	message_put(&request, TAG_SPKI, spki.p, spki.len);
	message_put(&request, TAG_PROOF, proof.p, proof.len);
	assert_int_equal(ask(signer_ops, signer_ops_n, &s, "signer-issuer", &request, -1, &reply, &packet, NULL), ICERT_E_DENIED);
	assert_int_equal(ask(signer_ops, signer_ops_n, &s, "signer-publisher", &request, -1, &reply, &packet, NULL), 0);
	field = message_get(&reply, TAG_CERT, 0);
	buf_put(&certificate, field->p, field->len);
	x = fixture_parse(&certificate);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_OCSP_SIGN);
	assert_true(X509_get_ext_by_NID(x, NID_id_pkix_OCSP_noCheck, -1) >= 0);
	X509_free(x);

	/* A certificate for another key is not taken. */
	message_begin(&request, OP_STATUS_INSTALL, 0, 4);
	message_put(&request, TAG_CERT, s.ca[0].der.p, s.ca[0].der.len);
	assert_int_equal(ask(status_signer_ops, status_signer_ops_n, &status, here, &request, -1, &reply, &packet, NULL), ICERT_E_MISMATCH);
	message_begin(&request, OP_STATUS_INSTALL, 0, 4);
	message_put(&request, TAG_CERT, certificate.p, certificate.len);
	assert_int_equal(ask(status_signer_ops, status_signer_ops_n, &status, here, &request, -1, &reply, &packet, NULL), 0);

	/* After a restart the same key signs. */
	status_signer_close(&status);
	snprintf(path, sizeof(path), "%s/status", folder);
	assert_int_equal(status_signer_open(&status, path, NULL), 0);
	assert_int_equal(status_signer_threads(&status), 0);
	/* As many as a message holds, by all threads: each signature in the place of its digest. */
	message_begin(&request, OP_STATUS_SIGN, 0, 5);
	for (size_t i = 0; i < STATUS_BATCH; i++)
		message_put(&request, TAG_DIGEST, i % 2 == 0 ? holder : operator, 32);
	assert_int_equal(ask(status_signer_ops, status_signer_ops_n, &status, here, &request, -1, &reply, &packet, NULL), 0);
	assert_int_equal(message_count(&reply, TAG_SIGNATURE), STATUS_BATCH);
	assert_int_equal(ocsp_template_init(&template, s.ca[0].der.p, s.ca[0].der.len, certificate.p, certificate.len), 0);
	x = fixture_parse(&certificate);
	for (size_t i = 0; i < STATUS_BATCH; i++) {
		EVP_PKEY_CTX *key = EVP_PKEY_CTX_new(X509_get0_pubkey(x), NULL);

		field = message_get(&reply, TAG_SIGNATURE, i);
		assert_int_equal(EVP_PKEY_verify_init(key), 1);
		assert_int_equal(EVP_PKEY_verify(key, field->p, field->len, i % 2 == 0 ? holder : operator, 32), 1);
		EVP_PKEY_CTX_free(key);
	}
	X509_free(x);
	ocsp_template_free(&template);
	status_signer_close(&status);
	buf_free(&request);
	buf_free(&packet);
	buf_free(&spki);
	buf_free(&proof);
	buf_free(&certificate);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing), cmocka_unit_test(test_stale), cmocka_unit_test(test_forged),
		cmocka_unit_test(test_other), cmocka_unit_test(test_holder), cmocka_unit_test(test_lint),
		cmocka_unit_test(test_issue), cmocka_unit_test(test_ceiling), cmocka_unit_test(test_crl),
		cmocka_unit_test(test_crl_forgets_nothing), cmocka_unit_test(test_partition),
		cmocka_unit_test(test_states_of_a_ca), cmocka_unit_test(test_revoked_missing),
		cmocka_unit_test(test_responder), cmocka_unit_test(test_journal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
