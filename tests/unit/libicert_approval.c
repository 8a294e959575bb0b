/* The canonical fields of a certificate, and statements over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libicert/approval.h"
#include "libicert/error.h"

#include <string.h>

static struct cert_fields
sample(void)
{
	struct cert_fields f;

	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++)
		*cert_fields_at(&f, i) = "";
	f.country = "EC";
	f.locality = "LATACUNGA";
	f.serial_number = "1710034065";
	f.common_name = "MARÍA JOSÉ ÑANDÚ";
	f.email = "maria@example.ec";
	f.identification = "1710034065";
	f.policy_oid = "1.3.6.1.4.1.43745.1.2.1.1.2.1";
	f.years = "2";
	return f;
}

static void
canonical_form(void **state)
{
	static const uint8_t start[] = { 0, 0, 0, 2, 'E', 'C', 0, 0, 0, 9, 'L', 'A', 'T', 'A', 'C', 'U', 'N', 'G', 'A' };
	struct cert_fields f = sample(), g;
	struct buf b = BUF_INIT, store = BUF_INIT;

	(void)state;
	assert_int_equal(cert_fields_encode(&f, &b), 0);
	assert_memory_equal(b.p, start, sizeof(start));
	assert_int_equal(cert_fields_decode(&g, b.p, b.len, &store), 0);
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++)
		assert_string_equal(cert_fields_get(&f, i), cert_fields_get(&g, i));
	assert_string_equal(g.years, "2");
	assert_string_equal(cert_fields_name(19), "years");
	assert_null(cert_fields_name(CERT_FIELDS_COUNT));
	/* one byte less, one more */
	assert_int_equal(cert_fields_decode(&g, b.p, b.len - 1, &store), ICERT_E_MALFORMED);
	buf_putc(&b, 0);
	assert_int_equal(cert_fields_decode(&g, b.p, b.len, &store), ICERT_E_MALFORMED);
	buf_free(&b);
	buf_free(&store);
}

/* The hash of 21 empty fields is that of 84 zero octets: computed with `head -c 84 /dev/zero | sha256sum`. */
static void
known_hash(void **state)
{
	struct cert_fields f;
	uint8_t hash[32];
	char hex[65];

	(void)state;
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++)
		*cert_fields_at(&f, i) = "";
	assert_int_equal(cert_fields_hash(&f, hash), 0);
	bytes_to_hex(hex, hash, 32);
	assert_string_equal(hex, "4fea5e6a3ec5f5474a26d858bc77b6d7bd3ab864ea02d988683fdc648602b248");
}

/* Moving a letter from one field to the next, or changing any one, changes the hash. */
static void
hash_binds_every_field(void **state)
{
	uint8_t first[32], other[32];
	struct cert_fields f = sample();

	(void)state;
	assert_int_equal(cert_fields_hash(&f, first), 0);
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++) {
		f = sample();
		*cert_fields_at(&f, i) = "OTRO";
		assert_int_equal(cert_fields_hash(&f, other), 0);
		assert_memory_not_equal(first, other, 32);
	}
	f = sample();
	f.surname1 = "AB";
	f.surname2 = "C";
	cert_fields_hash(&f, first);
	f.surname1 = "A";
	f.surname2 = "BC";
	cert_fields_hash(&f, other);
	assert_memory_not_equal(first, other, 32);
}

static void
fields_refused(void **state)
{
	static const char *const bad[] = { "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "abc\x80" };
	struct cert_fields f = sample();
	char big[CERT_FIELD_MAX + 2];
	struct buf b = BUF_INIT, store = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f.address = bad[i];
		assert_int_equal(cert_fields_encode(&f, &b), ICERT_E_INVALID);
	}
	f.address = NULL;
	assert_int_equal(cert_fields_encode(&f, &b), ICERT_E_INVALID);
	memset(big, 'A', sizeof(big));
	big[sizeof(big) - 1] = 0;
	f.address = big;
	assert_int_equal(cert_fields_encode(&f, &b), ICERT_E_TOO_LARGE);
	/* a NUL inside a field of the wire */
	buf_reset(&b);
	f = sample();
	assert_int_equal(cert_fields_encode(&f, &b), 0);
	b.p[4] = 0;
	assert_int_equal(cert_fields_decode(&f, b.p, b.len, &store), ICERT_E_MALFORMED);
	buf_free(&b);
	buf_free(&store);
}

static struct approval
sample_approval(void)
{
	struct approval a = { .kind = APPROVAL_ISSUE, .time = 1795600000 };

	memset(a.case_id, 1, sizeof(a.case_id));
	memset(a.fields_hash, 2, sizeof(a.fields_hash));
	memset(a.person_hash, 3, sizeof(a.person_hash));
	return a;
}

static void
statement_round_trip(void **state)
{
	static const uint8_t start[] = "\0\0\0\x11icert-approval-v1\0\0\0\x05issue\0\0\0\x10\1\1\1\1";
	const uint8_t private_key[32] = { 9 };
	uint8_t public_key[32];
	struct approval a = sample_approval(), b;
	struct statement s, t;
	struct buf stored = BUF_INIT;

	(void)state;
	assert_int_equal(approval_build(&a, &s), 0);
	assert_memory_equal(s.bytes, start, sizeof(start) - 1);
	assert_int_equal(statement_sign(&s, private_key), 0);
	assert_int_equal(statement_public(private_key, public_key), 0);
	assert_int_equal(statement_verify(&s, public_key), 0);
	statement_encode(&s, &stored);
	assert_int_equal(statement_decode(&t, stored.p, stored.len), 0);
	assert_int_equal(statement_verify(&t, public_key), 0);
	assert_int_equal(approval_parse(&t, &b), 0);
	assert_memory_equal(&a.case_id, &b.case_id, ID_RAW);
	assert_memory_equal(a.person_hash, b.person_hash, 32);
	assert_int_equal(b.kind, APPROVAL_ISSUE);
	assert_true(a.time == b.time);
	buf_free(&stored);
}

static void
statement_forged(void **state)
{
	const uint8_t private_key[32] = { 9 }, other_key[32] = { 8 };
	uint8_t public_key[32], other_public[32];
	struct approval a = sample_approval();
	struct statement s;

	(void)state;
	approval_build(&a, &s);
	statement_sign(&s, private_key);
	statement_public(private_key, public_key);
	statement_public(other_key, other_public);
	assert_int_equal(statement_verify(&s, other_public), ICERT_E_FORGED);
	for (uint32_t i = 0; i < s.len; i += 7) {
		s.bytes[i] ^= 1;
		assert_int_equal(statement_verify(&s, public_key), ICERT_E_FORGED);
		s.bytes[i] ^= 1;
	}
	s.sig[10] ^= 1;
	assert_int_equal(statement_verify(&s, public_key), ICERT_E_FORGED);
	s.len = STATEMENT_MAX + 1;
	assert_int_equal(statement_verify(&s, public_key), ICERT_E_INVALID);
}

/* RFC 8032, section 7.1, test 2: the key pair is what the standard says. */
static void
ed25519_known_pair(void **state)
{
	uint8_t private_key[32], public_key[32];
	char hex[65];

	(void)state;
	bytes_from_hex(private_key, 32, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
	assert_int_equal(statement_public(private_key, public_key), 0);
	bytes_to_hex(hex, public_key, 32);
	assert_string_equal(hex, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
}

static void
one_kind_is_not_another(void **state)
{
	struct key_word w = { .time = 5 }, back;
	struct approval a = sample_approval();
	struct statement s;

	(void)state;
	memset(w.spki_sha256, 7, 32);
	assert_int_equal(key_word_build(&w, &s), 0);
	assert_int_equal(key_word_parse(&s, &back), 0);
	assert_memory_equal(back.spki_sha256, w.spki_sha256, 32);
	assert_int_equal(approval_parse(&s, &a), ICERT_E_MALFORMED);
	a = sample_approval();
	approval_build(&a, &s);
	assert_int_equal(key_word_parse(&s, &back), ICERT_E_MALFORMED);
	s.len--;
	assert_int_equal(approval_parse(&s, &a), ICERT_E_MALFORMED);
	s.len += 2;
	assert_int_equal(approval_parse(&s, &a), ICERT_E_MALFORMED);
	a.kind = (enum approval_kind)9;
	assert_int_equal(approval_build(&a, &s), ICERT_E_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_form),
		cmocka_unit_test(known_hash),
		cmocka_unit_test(hash_binds_every_field),
		cmocka_unit_test(fields_refused),
		cmocka_unit_test(statement_round_trip),
		cmocka_unit_test(statement_forged),
		cmocka_unit_test(ed25519_known_pair),
		cmocka_unit_test(one_kind_is_not_another)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
