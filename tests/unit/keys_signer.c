/*
 * The signer: which requests it refuses, what it certifies, and what its journal shows of that.
 */
#include "signer_fixture.h"
#include "keys/responder_word.h"
#include "keys/status_signer.h"
#include "pki/ocsp_answer.h"

#include <openssl/x509v3.h>

static uint8_t other_key[32] = { 9 };
static uint8_t second[32] = { 0xC3 };

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing), cmocka_unit_test(test_stale), cmocka_unit_test(test_forged),
		cmocka_unit_test(test_other), cmocka_unit_test(test_holder), cmocka_unit_test(test_lint),
		cmocka_unit_test(test_issue), cmocka_unit_test(test_ceiling), cmocka_unit_test(test_responder),
		cmocka_unit_test(test_journal),
	};

	return cmocka_run_group_tests(tests, signer_setup, signer_teardown);
}
