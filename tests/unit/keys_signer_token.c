/*
 * What the signer believes of a key that was made in a token: its own request, and the approvals that name it.
 */
#include "pki_fixture.h"
#include "keys/signer.h"
#include "pki/oid.h"

static struct fixture f;
static struct signer s;
static struct buf csr = BUF_INIT, other_csr = BUF_INIT;
static uint8_t keeper_key[32] = { 1 }, keymaker_key[32] = { 2 };
static uint8_t holder[32] = { 0xA1 }, operator[32] = { 0xB2 };
static char hex[65];

static void
make_csr(EVP_PKEY *key, struct buf *out)
{
	X509_REQ *r = X509_REQ_new();
	unsigned char *der = NULL;
	int n;

	assert_int_equal(X509_REQ_set_pubkey(r, key), 1);
	assert_true(X509_REQ_sign(r, key, EVP_sha256()) > 0);
	assert_true((n = i2d_X509_REQ(r, &der)) > 0);
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	X509_REQ_free(r);
}

static int
setup(void **state)
{
	uint8_t hash[32];

	(void)state;
	fixture_make(&f);
	statement_public(keeper_key, s.keeper);
	statement_public(keymaker_key, s.keymaker);
	make_csr(f.key, &csr);
	make_csr(f.ca_key, &other_csr);
	EVP_Digest(f.spki.p, f.spki.len, hash, NULL, EVP_sha256(), NULL);
	bytes_to_hex(hex, hash, sizeof(hash));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_free(&f);
	buf_free(&csr);
	buf_free(&other_csr);
	return 0;
}

static void
approve(struct signer_request *r, enum approval_kind kind, const uint8_t person[32])
{
	struct approval a = { .kind = kind, .time = FIXTURE_NOW };
	struct statement *statement = &r->statements[r->statements_n++];

	memcpy(a.case_id, r->case_id, sizeof(a.case_id));
	memcpy(a.fields_hash, r->fields_hash, sizeof(a.fields_hash));
	memcpy(a.person_hash, person, sizeof(a.person_hash));
	assert_int_equal(approval_build(&a, statement), 0);
	assert_int_equal(statement_sign(statement, keeper_key), 0);
}

/* Approved with these fields, whatever they are. */
static void
approved(struct signer_request *r, const char *policy, const char *key_hex)
{
	memset(r, 0, sizeof(*r));
	memset(r->case_id, 7, sizeof(r->case_id));
	r->fields = f.fields;
	r->fields.policy_oid = policy;
	r->fields.spki_sha256_hex = key_hex;
	assert_int_equal(cert_fields_hash(&r->fields, r->fields_hash), 0);
	r->spki = f.spki.p;
	r->spki_len = f.spki.len;
	EVP_Digest(f.spki.p, f.spki.len, r->spki_hash, NULL, EVP_sha256(), NULL);
	approve(r, APPROVAL_ACCEPT, holder);
	approve(r, APPROVAL_ISSUE, operator);
	r->csr = csr.p;
	r->csr_len = csr.len;
}

static void
vouch(struct signer_request *r)
{
	struct key_word word = { .time = FIXTURE_NOW };

	memcpy(word.case_id, r->case_id, sizeof(word.case_id));
	memcpy(word.spki_sha256, r->spki_hash, sizeof(word.spki_sha256));
	assert_int_equal(key_word_build(&word, &r->word), 0);
	assert_int_equal(statement_sign(&r->word, keymaker_key), 0);
	r->csr = NULL;
}

static void
answers(const struct signer_request *r, int error)
{
	const char *why = "";

	assert_int_equal(signer_approved(&s, r, FIXTURE_NOW, &why), error);
	assert_int_equal(why[0] == '\0', error == 0);
}

static void
a_token(void **state)
{
	struct signer_request r;

	(void)state;
	approved(&r, OID_POLICY_TOKEN, hex);
	answers(&r, 0);
}

static void
the_key_was_not_approved(void **state)
{
	struct signer_request r;

	(void)state;
	/* Approved without a key, or with another one. */
	approved(&r, OID_POLICY_TOKEN, "");
	answers(&r, ICERT_E_MISMATCH);
	approved(&r, OID_POLICY_TOKEN, "00");
	answers(&r, ICERT_E_MISMATCH);
	/* Another request, also with the hash of the approved one. */
	approved(&r, OID_POLICY_TOKEN, hex);
	r.csr = other_csr.p;
	r.csr_len = other_csr.len;
	answers(&r, ICERT_E_MISMATCH);
	EVP_Digest(s.keeper, 32, r.spki_hash, NULL, EVP_sha256(), NULL);
	answers(&r, ICERT_E_MISMATCH);
}

static void
no_possession(void **state)
{
	struct signer_request r;

	(void)state;
	approved(&r, OID_POLICY_TOKEN, hex);
	csr.p[csr.len - 1] ^= 1;
	answers(&r, ICERT_E_FORGED);
	csr.p[csr.len - 1] ^= 1;
	r.csr_len--;
	answers(&r, ICERT_E_MALFORMED);
}

/* A token's policy is for keys from a token, every other for keys from the keymaker. */
static void
policy_and_origin(void **state)
{
	struct signer_request r;

	(void)state;
	approved(&r, OID_POLICY_FILE, hex);
	answers(&r, ICERT_E_MISMATCH);
	approved(&r, OID_POLICY_TOKEN, hex);
	vouch(&r);
	answers(&r, ICERT_E_MISMATCH);
	approved(&r, OID_POLICY_FILE, "");
	vouch(&r);
	answers(&r, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token), cmocka_unit_test(the_key_was_not_approved), cmocka_unit_test(no_possession),
		cmocka_unit_test(policy_and_origin),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
