#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/handover.h"

static size_t
stream_make(uint8_t *out, size_t room)
{
	static const uint8_t	sha256[HANDOVER_SHA256] = { 1, 2, 3 };
	struct handover_record	field = {
		.kind = HANDOVER_FIELD, .name = { "token", 5 }, .value = { "a\0b", 3 },
	};
	struct handover_record	file = {
		.kind = HANDOVER_FILE, .name = { "cedula", 6 }, .spool = { "12/abcd", 7 },
		.file_name = { "c\303\251dula.pdf", 11 }, .size = 5000000000, .sha256 = sha256,
		.type = SNIFF_PDF, .width = 600, .height = 500,
	};
	size_t			n;

	n = handover_start(out, room);
	n += handover_record(out + n, room - n, &field);
	n += handover_record(out + n, room - n, &file);
	n += handover_end(out + n, room - n, 2);
	return n;
}

static void
test_round_trip(void **state)
{
	uint8_t			bytes[512];
	struct handover_reader	h;
	struct handover_record	r;
	size_t			len = stream_make(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(handover_open(&h, bytes, len), 0);
	assert_int_equal(handover_next(&h, &r), 1);
	assert_int_equal(r.kind, HANDOVER_FIELD);
	assert_int_equal(r.name.len, 5);
	assert_memory_equal(r.name.p, "token", 5);
	assert_int_equal(r.value.len, 3);
	assert_memory_equal(r.value.p, "a\0b", 3);
	assert_int_equal(handover_next(&h, &r), 1);
	assert_int_equal(r.kind, HANDOVER_FILE);
	assert_memory_equal(r.spool.p, "12/abcd", 7);
	assert_int_equal(r.file_name.len, 11);
	assert_true(r.size == 5000000000);
	assert_int_equal(r.sha256[2], 3);
	assert_int_equal(r.type, SNIFF_PDF);
	assert_int_equal(r.width, 600);
	assert_int_equal(r.height, 500);
	assert_int_equal(handover_next(&h, &r), 0);
}

/* Writers say how much they need and write nothing when there is less. */
static void
test_room(void **state)
{
	uint8_t			bytes[64];
	struct handover_record	field = {
		.kind = HANDOVER_FIELD, .name = { "a", 1 }, .value = { "b", 1 },
	};
	size_t			need = handover_record(NULL, 0, &field);

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(handover_record(bytes, need - 1, &field), need);
	assert_int_equal(bytes[0], 0xee);
	assert_int_equal(handover_record(bytes, need, &field), need);
	assert_int_equal(bytes[need], 0xee);
}

/* No prefix and no flipped length is taken for a whole stream. */
static void
test_damage(void **state)
{
	uint8_t			bytes[512];
	struct handover_reader	h;
	struct handover_record	r;
	size_t			len = stream_make(bytes, sizeof(bytes));
	int			rc;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		rc = handover_open(&h, bytes, n);
		while (rc >= 0 && (rc = handover_next(&h, &r)) == 1)
			;
		assert_true(rc < 0);
	}
	bytes[len] = 0;
	assert_int_equal(handover_open(&h, bytes, len + 1), 0);
	while ((rc = handover_next(&h, &r)) == 1)
		;
	assert_int_equal(rc, ICERT_E_MALFORMED);
	bytes[HANDOVER_MAGIC_SIZE + 1]++;
	assert_int_equal(handover_open(&h, bytes, len), 0);
	assert_true(handover_next(&h, &r) < 0);
}

/* A name in the spool leads nowhere else. */
static void
test_spool_name(void **state)
{
	static const struct {
		const char	*name;
		long		 slash;
	} cases[] = {
		{ "12/abcd", 2 },
		{ "w-1/a.b_c", 3 },
		{ "12/a..b", 2 },
		{ "", -1 },
		{ "abcd", -1 },
		{ "/abcd", -1 },
		{ "12/", -1 },
		{ "12/a/b", -1 },
		{ "../abcd", -1 },
		{ "12/..", -1 },
		{ "12/.hidden", -1 },
		{ "12/a b", -1 },
		{ "12/a\x80", -1 },
	};
	char	longest[HANDOVER_SPOOL_PART + 3];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(handover_spool_slash(cases[i].name, strlen(cases[i].name)), cases[i].slash);
	assert_int_equal(handover_spool_slash("1/a\0b", 5), -1);
	memset(longest, 'a', sizeof(longest));
	longest[1] = '/';
	assert_int_equal(handover_spool_slash(longest, HANDOVER_SPOOL_PART + 1), 1);
	assert_int_equal(handover_spool_slash(longest, HANDOVER_SPOOL_PART + 2), -1);
}

static void
test_sniff_added(void **state)
{
	static const struct sniff_magic added[] = {
		{ "tar", (const uint8_t *)"ustar", 5, 40 },
		{ "two", (const uint8_t *)"\xff\xd8", 2, 0 },
		{ "late", (const uint8_t *)"x", 1, SNIFF_OCTETS - 1 },
	};
	uint8_t file[80];

	(void)state;
	memset(file, 'a', sizeof(file));
	assert_int_equal(sniff_added(file, 63, added, 3), SNIFF_MORE);
	assert_int_equal(sniff_added(file, 64, added, 3), SNIFF_OTHER);
	file[63] = 'x';
	assert_int_equal(sniff_added(file, 64, added, 3), SNIFF_ADDED + 2);
	memcpy(file + 40, "ustar", 5);
	assert_int_equal(sniff_added(file, 44, added, 3), SNIFF_MORE);
	for (size_t len = 45; len <= sizeof(file); len++)
		assert_int_equal(sniff_added(file, len, added, 3), SNIFF_ADDED);
	/* the fewest octets decide, however many there are */
	memcpy(file, "\xff\xd8\xff", 3);
	for (size_t len = 2; len <= sizeof(file); len++)
		assert_int_equal(sniff_added(file, len, added, 3), SNIFF_ADDED + 1);
	assert_int_equal(sniff_added(file, sizeof(file), added, 1), SNIFF_JPEG);
}

static void
test_sniff_text(void **state)
{
	uint8_t file[SNIFF_OCTETS];

	(void)state;
	memset(file, 'a', sizeof(file));
	memcpy(file, "D\xc3\xad" "a;\t\xed\r\n", 9);
	assert_int_equal(sniff_text(file, 0), SNIFF_MORE);
	assert_int_equal(sniff_text(file, SNIFF_OCTETS - 1), SNIFF_MORE);
	assert_int_equal(sniff_text(file, SNIFF_OCTETS), SNIFF_TEXT);
	for (unsigned c = 0; c < 256; c++) {
		file[20] = (uint8_t)c;
		assert_int_equal(sniff_text(file, 20), SNIFF_MORE);
		assert_int_equal(sniff_text(file, 21), (c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f ? SNIFF_OTHER : SNIFF_MORE);
	}
	assert_string_equal(sniff_name(SNIFF_TEXT), "text");
	assert_int_equal(sniff_by_name("text", 4), SNIFF_TEXT);
}

static void
test_sniff(void **state)
{
	static const struct {
		const char	*octets;
		size_t		 len;
		enum sniff_type	 type;
	} cases[] = {
		{ "", 0, SNIFF_MORE },
		{ "%PDF", 4, SNIFF_MORE },
		{ "%PDF-", 5, SNIFF_PDF },
		{ "%PDX", 4, SNIFF_OTHER },
		{ "\xff\xd8", 2, SNIFF_MORE },
		{ "\xff\xd8\xff", 3, SNIFF_JPEG },
		{ "\x89PNG\r\n\x1a", 7, SNIFF_MORE },
		{ "\x89PNG\r\n\x1a\n", 8, SNIFF_PNG },
		{ "\x89PNG\n", 5, SNIFF_OTHER },
		{ "MZ", 2, SNIFF_OTHER },
		{ " %PDF-1.7", 9, SNIFF_OTHER },
		{ "-----BEGIN CERTIFICATE REQUEST----", 34, SNIFF_MORE },
		{ "-----BEGIN CERTIFICATE REQUEST-----", 35, SNIFF_CSR_PEM },
		{ "-----BEGIN NEW CERTIFICATE REQUEST-----\n", 40, SNIFF_CSR_PEM },
		{ "-----BEGIN CERTIFICATE-----", 27, SNIFF_OTHER },
		/* RSA-2048: lengths of two octets; then Ed25519's of one, then of an empty subject */
		{ "\x30\x82\2\x5f\x30\x82\1\x47\2\1\0\x30\x1a\x31", 14, SNIFF_CSR_DER },
		{ "\x30\x82\2\x5f\x30\x82\1\x47\2\1\0\x30\x1a", 13, SNIFF_MORE },
		{ "\x30\x81\x98\x30\x4c\2\1\0\x30\x19\x31\x17", 12, SNIFF_CSR_DER },
		{ "\x30\x81\x98\x30\x4c\2\1\0\x30\0", 10, SNIFF_CSR_DER },
		/* a certificate numbered 0, a private key, lengths no DER has, an inside larger than its outside */
		{ "\x30\x82\2\x5f\x30\x82\1\x47\2\1\0\x30\x0d\6", 14, SNIFF_OTHER },
		{ "\x30\x82\4\xa2\2\1\0", 7, SNIFF_OTHER },
		{ "\x30\x81\x7f", 3, SNIFF_OTHER },
		{ "\x30\x82\0", 3, SNIFF_OTHER },
		{ "\x30\x80", 2, SNIFF_OTHER },
		{ "\x30\x83", 2, SNIFF_OTHER },
		{ "\x30\x20\x30\x20", 4, SNIFF_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(sniff((const uint8_t *)cases[i].octets, cases[i].len), cases[i].type);
	assert_int_equal(sniff_by_name("jpeg", 4), SNIFF_JPEG);
	assert_int_equal(sniff_by_name("csr-der", 7), SNIFF_CSR_DER);
	assert_string_equal(sniff_name(SNIFF_CSR_PEM), "csr-pem");
	assert_int_equal(sniff_by_name("jpegs", 5), SNIFF_OTHER);
	assert_string_equal(sniff_media_type(SNIFF_PNG), "image/png");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_spool_name),
		cmocka_unit_test(test_sniff),
		cmocka_unit_test(test_sniff_text),
		cmocka_unit_test(test_sniff_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
