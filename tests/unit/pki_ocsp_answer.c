/* Answers composed from a template, verified as a relying party does: OpenSSL's OCSP_basic_verify. */
#include "pki_fixture.h"
#include "pki/ocsp_form.h"
#include "crypt/status_signer.h"
#include "libicert/status.h"

#include <fcntl.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct fixture f;
static EVP_PKEY *responder_key;
static struct buf responder;
static int64_t now;

static void
make_responder(EVP_PKEY *key)
{
	struct profile_name name = fixture_name("RESPONDEDOR");
	struct buf spki = BUF_INIT, tbs = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];

	fixture_spki(key, &spki);
	assert_int_equal(profile_serial(serial), 0);
	assert_int_equal(profile_responder(&f.issuer, &name, serial, now - 300, now + 10 * 86400, spki.p, spki.len, &tbs), 0);
	fixture_sign(f.ca_key, &tbs, &responder);
	buf_free(&spki);
	buf_free(&tbs);
}

static int
setup(void **state)
{
	(void)state;
	/* Verification knows no other clock than the real one. */
	now = (int64_t)time(NULL);
	fixture_make(&f);
	responder_key = EVP_EC_gen("P-256");
	make_responder(responder_key);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(responder_key);
	buf_free(&responder);
	fixture_free(&f);
	return 0;
}

static int
sign_digests(void *ctx, size_t n, const uint8_t digest[][32], struct status_signature *out)
{
	EVP_PKEY_CTX *key = EVP_PKEY_CTX_new(ctx, NULL);

	assert_int_equal(EVP_PKEY_sign_init(key), 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(key, EVP_sha256()), 1);
	for (size_t i = 0; i < n; i++) {
		size_t len = sizeof(out[i].bytes);

		assert_int_equal(EVP_PKEY_sign(key, out[i].bytes, &len, digest[i], 32), 1);
		out[i].len = (uint16_t)len;
	}
	EVP_PKEY_CTX_free(key);
	return 0;
}

/* What a relying party makes of an answer: V_OCSP_CERTSTATUS_…, or -1. */
static int
status_of(const struct buf *der, const EVP_MD *md, const uint8_t serial[16], int *reason)
{
	const uint8_t *p = der->p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der->len);
	OCSP_BASICRESP *basic = response == NULL ? NULL : OCSP_response_get1_basic(response);
	ASN1_GENERALIZEDTIME *revoked, *from, *until;
	X509 *ca = fixture_parse(&f.ca_der);
	X509_STORE *store = X509_STORE_new();
	BIGNUM *n = BN_bin2bn(serial, 16, NULL);
	ASN1_INTEGER *number = BN_to_ASN1_INTEGER(n, NULL);
	OCSP_CERTID *id = OCSP_cert_id_new(md, X509_get_subject_name(ca), X509_get0_pubkey_bitstr(ca), number);
	int status = -1;

	assert_non_null(basic);
	assert_ptr_equal(p, der->p + der->len);
	X509_STORE_add_cert(store, ca);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), FIXTURE_NOW > now ? FIXTURE_NOW : now);
	assert_int_equal(OCSP_basic_verify(basic, NULL, store, 0), 1);
	assert_int_equal(OCSP_resp_count(basic), 1);
	if (OCSP_resp_find_status(basic, id, &status, reason, &revoked, &from, &until) != 1)
		status = -1;
	OCSP_CERTID_free(id);
	ASN1_INTEGER_free(number);
	BN_free(n);
	X509_STORE_free(store);
	X509_free(ca);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return status;
}

static void
compose(struct ocsp_template *t, EVP_PKEY *key, enum ocsp_hash hash, const struct ocsp_single *single, struct buf *whole)
{
	struct status_signature signature;
	struct buf data = BUF_INIT;
	uint8_t digest[1][32];

	buf_reset(whole);
	assert_int_equal(ocsp_answer_data(t, hash, single, &data, digest[0]), 0);
	sign_digests(key, 1, (const uint8_t (*)[32])digest, &signature);
	assert_int_equal(ocsp_answer_head(t, data.p, data.len, signature.bytes, signature.len, whole), 0);
	buf_put(whole, t->tail.p, t->tail.len);
	buf_free(&data);
}

static void
test_answers(void **state)
{
	struct ocsp_single single = { .serial = f.serial, .serial_len = 16, .this_update = now, .next_update = now + 3600 };
	struct ocsp_template t;
	struct buf whole = BUF_INIT;
	int reason;

	(void)state;
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len, responder.p, responder.len), 0);
	compose(&t, responder_key, OCSP_SHA1, &single, &whole);
	assert_int_equal(status_of(&whole, EVP_sha1(), f.serial, &reason), V_OCSP_CERTSTATUS_GOOD);
	assert_int_equal(status_of(&whole, EVP_sha256(), f.serial, &reason), -1);	/* another CertID */
	compose(&t, responder_key, OCSP_SHA256, &single, &whole);
	assert_int_equal(status_of(&whole, EVP_sha256(), f.serial, &reason), V_OCSP_CERTSTATUS_GOOD);

	single.revoked = 1;
	single.revoked_at = now - 5;
	single.reason = 9;
	compose(&t, responder_key, OCSP_SHA1, &single, &whole);
	assert_int_equal(status_of(&whole, EVP_sha1(), f.serial, &reason), V_OCSP_CERTSTATUS_REVOKED);
	assert_int_equal(reason, 9);
	single.reason = 0;
	compose(&t, responder_key, OCSP_SHA256, &single, &whole);
	assert_int_equal(status_of(&whole, EVP_sha256(), f.serial, &reason), V_OCSP_CERTSTATUS_REVOKED);
	assert_int_equal(reason, -1);	/* "unspecified" is left out */
	ocsp_template_free(&t);
	buf_free(&whole);
}

/* A form gives the octets that composing gives, and takes no status that it does not say. */
static void
test_form(void **state)
{
	uint8_t serial[16] = { 0x7f, 1, 2, 3 }, digest[2][32];
	struct ocsp_single single = { .serial = serial, .serial_len = 16, .this_update = now, .next_update = now + 3600 }, other;
	struct buf composed = BUF_INIT, filled = BUF_INIT;
	struct ocsp_template t;
	struct ocsp_form form;

	(void)state;
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len, responder.p, responder.len), 0);
	for (int hash = 0; hash < OCSP_HASHES; hash++) {
		assert_int_equal(ocsp_form_init(&form, &t, hash, single.this_update, single.next_update), 0);
		for (serial[15] = 0; serial[15] < 3; serial[15]++) {
			buf_reset(&composed);
			buf_reset(&filled);
			assert_true(ocsp_form_fits(&single));
			assert_int_equal(ocsp_answer_data(&t, hash, &single, &composed, digest[0]), 0);
			assert_int_equal(ocsp_form_data(&form, serial, &filled, digest[1]), 0);
			assert_int_equal(composed.len, filled.len);
			assert_memory_equal(composed.p, filled.p, filled.len);
			assert_memory_equal(digest[0], digest[1], 32);
		}
	}
	other = single;
	other.revoked = 1;
	assert_false(ocsp_form_fits(&other));
	other = single;
	other.ended = 1;
	assert_false(ocsp_form_fits(&other));
	other = single;
	other.not_issued = 1;
	assert_false(ocsp_form_fits(&other));
	other = single;
	other.serial_len = 15;
	assert_false(ocsp_form_fits(&other));
	serial[0] = 0x80;	/* one octet more in DER */
	assert_false(ocsp_form_fits(&single));
	serial[0] = 0;
	assert_false(ocsp_form_fits(&single));
	assert_int_equal(ocsp_form_init(&form, &t, OCSP_SHA1, now, t.responder_not_after + 1), ICERT_E_INVALID);
	ocsp_template_free(&t);
	buf_free(&composed);
	buf_free(&filled);
}

static void
test_refused(void **state)
{
	struct ocsp_single single = { .serial = f.serial, .serial_len = 16, .this_update = now, .next_update = now };
	struct ocsp_template t;
	struct buf data = BUF_INIT;
	uint8_t digest[32];

	(void)state;
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len, responder.p, responder.len), 0);
	assert_int_equal(ocsp_answer_data(&t, OCSP_SHA1, &single, &data, digest), ICERT_E_INVALID);
	single.next_update = t.responder_not_after + 1;
	assert_int_equal(ocsp_answer_data(&t, OCSP_SHA1, &single, &data, digest), ICERT_E_INVALID);
	single.next_update = t.responder_not_after;
	single.revoked = 1;
	single.revoked_at = now + 1;
	assert_int_equal(ocsp_answer_data(&t, OCSP_SHA1, &single, &data, digest), ICERT_E_INVALID);
	ocsp_template_free(&t);
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len - 1, responder.p, responder.len), ICERT_E_MALFORMED);
	buf_free(&data);
}

static void
test_rsa_responder(void **state)
{
	struct ocsp_single single = { .serial = f.serial, .serial_len = 16, .this_update = now, .next_update = now + 60 };
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct ocsp_template t;
	struct buf whole = BUF_INIT;
	int reason;

	(void)state;
	make_responder(key);
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len, responder.p, responder.len), 0);
	assert_int_equal(t.signature, OCSP_SHA256_RSA);
	compose(&t, key, OCSP_SHA1, &single, &whole);
	assert_int_equal(status_of(&whole, EVP_sha1(), f.serial, &reason), V_OCSP_CERTSTATUS_GOOD);
	ocsp_template_free(&t);
	buf_free(&whole);
	EVP_PKEY_free(key);
	make_responder(responder_key);
}

/* One extension's value as a relying party reads it, of the response or of its single answer; NULL: not there. */
static void *
extension_of(const struct buf *der, int nid, int of_single)
{
	const uint8_t *p = der->p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der->len);
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
	OCSP_SINGLERESP *single = OCSP_resp_get0(basic, 0);
	int at = of_single ? OCSP_SINGLERESP_get_ext_by_NID(single, nid, -1) : OCSP_BASICRESP_get_ext_by_NID(basic, nid, -1);
	X509_EXTENSION *x = at < 0 ? NULL : of_single ? OCSP_SINGLERESP_get_ext(single, at) : OCSP_BASICRESP_get_ext(basic, at);
	ASN1_OCTET_STRING *value = x == NULL ? NULL : ASN1_OCTET_STRING_dup(X509_EXTENSION_get_data(x));

	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return value;
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	assert_int_equal(ASN1_TIME_to_tm(t, &tm), 1);
	return (int64_t)timegm(&tm);
}

/* After a certificate's end, and after the CA's: archive cutoff at the CA's beginning, nextUpdate never. */
static void
test_after_the_end(void **state)
{
	struct ocsp_single single = { .serial = f.serial, .serial_len = 16, .this_update = now, .next_update = STATUS_NEVER,
	    .ended = 1 };
	struct ocsp_template t;
	struct buf whole = BUF_INIT;
	X509 *ca = fixture_parse(&f.ca_der);
	ASN1_OCTET_STRING *value;
	ASN1_GENERALIZEDTIME *cutoff;
	const uint8_t *p;
	int reason;

	(void)state;
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len, responder.p, responder.len), 0);
	compose(&t, responder_key, OCSP_SHA1, &single, &whole);
	assert_int_equal(status_of(&whole, EVP_sha1(), f.serial, &reason), V_OCSP_CERTSTATUS_GOOD);
	assert_non_null(memmem(whole.p, whole.len, "99991231235959Z", 15));
	assert_non_null(value = extension_of(&whole, NID_id_pkix_OCSP_archiveCutoff, 1));
	p = ASN1_STRING_get0_data(value);
	assert_non_null(cutoff = d2i_ASN1_GENERALIZEDTIME(NULL, &p, ASN1_STRING_length(value)));
	assert_int_equal(seconds_of(cutoff), seconds_of(X509_get0_notBefore(ca)));
	ASN1_GENERALIZEDTIME_free(cutoff);
	ASN1_OCTET_STRING_free(value);

	single.ended = 0;
	single.next_update = now + 60;
	compose(&t, responder_key, OCSP_SHA1, &single, &whole);
	assert_null(extension_of(&whole, NID_id_pkix_OCSP_archiveCutoff, 1));
	ocsp_template_free(&t);
	buf_free(&whole);
	X509_free(ca);
}

/* One question about two CAs: one SingleResponse for each, in order; what is not this responder's is unknown, its CertID as it came. */
static void
test_foreign(void **state)
{
	static const uint8_t certid[] = "\x30\x09\x06\x05\x2B\x0E\x03\x02\x1A\x05\x00\x04\x01\x11\x04\x01\x22\x02\x01\x33";
	struct ocsp_question question[2] = {
		{ .foreign = certid, .foreign_len = sizeof(certid) - 1, .single = { .this_update = now, .next_update = now + 60 } },
		{ .hash = OCSP_SHA1, .single = { .serial = f.serial, .serial_len = 16, .this_update = now, .next_update = now + 60 } },
	};
	struct buf data = BUF_INIT;
	struct ocsp_template t;
	OCSP_RESPDATA *parsed;
	const uint8_t *p;
	uint8_t digest[32];

	(void)state;
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len, responder.p, responder.len), 0);
	assert_int_equal(ocsp_live_data(&t, question, 2, NULL, 0, &data, digest), 0);
	p = data.p;
	assert_non_null(parsed = d2i_OCSP_RESPDATA(NULL, &p, (long)data.len));
	assert_ptr_equal(p, data.p + data.len);
	OCSP_RESPDATA_free(parsed);
	/* Its CertID, unknown [2] IMPLICIT NULL, thisUpdate. */
	assert_non_null(memmem(data.p, data.len, "\x04\x01\x22\x02\x01\x33\x82\x00\x18\x0F", 10));
	ocsp_template_free(&t);
	buf_free(&data);
}

/* RFC 6960, 2.2 and 4.4.8: revoked, certificateHold, 1970-01-01, and the response says how to read it. */
static void
test_never_issued(void **state)
{
	struct ocsp_single single = { .serial = f.serial, .serial_len = 16, .this_update = now, .next_update = now + 60,
	    .not_issued = 1 };
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.48.1.9", 1);
	struct ocsp_template t;
	struct buf whole = BUF_INIT;
	ASN1_OCTET_STRING *value;
	int reason, nid = OBJ_obj2nid(oid) != NID_undef ? OBJ_obj2nid(oid) : OBJ_create("1.3.6.1.5.5.7.48.1.9", "extendedRevoke", "extended revoke");

	(void)state;
	assert_int_equal(ocsp_template_init(&t, f.ca_der.p, f.ca_der.len, responder.p, responder.len), 0);
	compose(&t, responder_key, OCSP_SHA1, &single, &whole);
	assert_int_equal(status_of(&whole, EVP_sha1(), f.serial, &reason), V_OCSP_CERTSTATUS_REVOKED);
	assert_int_equal(reason, 6);
	assert_non_null(memmem(whole.p, whole.len, "19700101000000Z", 15));
	assert_non_null(value = extension_of(&whole, nid, 0));
	assert_int_equal(ASN1_STRING_length(value), 2);
	assert_memory_equal(ASN1_STRING_get0_data(value), "\x05", 2);
	ASN1_OCTET_STRING_free(value);

	single.not_issued = 0;
	compose(&t, responder_key, OCSP_SHA1, &single, &whole);
	assert_null(extension_of(&whole, nid, 0));
	ocsp_template_free(&t);
	buf_free(&whole);
	ASN1_OBJECT_free(oid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_form),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_rsa_responder),
		cmocka_unit_test(test_after_the_end), cmocka_unit_test(test_foreign), cmocka_unit_test(test_never_issued),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
