/* Buffers, ids, normal forms, sealed bytes, error codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "libicert/normalise.h"
#include "libicert/sealed.h"

#include <string.h>

static void
buffers_grow(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%03d", i);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.len, 3000);
	assert_int_equal(strlen(buf_str(&b)), 3000);
	assert_memory_equal(b.p + 2997, "999", 3);
	buf_reset(&b);
	buf_u32be(&b, 0x01020304);
	buf_u16le(&b, 0x0102);
	assert_memory_equal(b.p, "\1\2\3\4\2\1", 6);
	assert_int_equal(get_u32be(b.p), 0x01020304);
	assert_int_equal(get_u16le(b.p + 4), 0x0102);
	buf_free(&b);
	buf_free(NULL);
}

static void
failure_is_sticky(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "x");
	assert_null(buf_room(&b, BUF_MAX));
	assert_int_equal(buf_error(&b), ICERT_E_TOO_LARGE);
	buf_puts(&b, "y");
	assert_int_equal(b.len, 1);
	buf_fail(&b, ICERT_E_SYSTEM);
	assert_int_equal(buf_error(&b), ICERT_E_TOO_LARGE);
	buf_reset(&b);
	buf_puts(&b, "z");
	assert_string_equal(buf_str(&b), "z");
	buf_free(&b);
}

static void
ids(void **state)
{
	char a[ID_TEXT], b[ID_TEXT];
	uint8_t raw[ID_RAW];

	(void)state;
	assert_int_equal(id_new(a), 0);
	assert_int_equal(id_new(b), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_int_equal(id_raw(a, raw), 0);
	id_text(raw, b);
	assert_string_equal(a, b);
	assert_true(id_valid("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"));
	assert_false(id_valid("f81d4fae-7dec-11d0-a765-00a0c91e6bf"));
	assert_false(id_valid("f81d4fae07dec-11d0-a765-00a0c91e6bf6"));
	assert_false(id_valid("f81d4fae-7dec-11d0-a765-00a0c91e6bg6"));
	assert_false(id_valid("f81d4fae-7dec-11d0-a765-00a0c91e6bf6 "));
	assert_false(id_valid(""));
	assert_false(id_valid(NULL));
}

static void
normal_forms(void **state)
{
	char out[NORMALISED_MAX];

	(void)state;
	assert_int_equal(normalise_person(" 171003406-5 ", out, sizeof(out)), 0);
	assert_string_equal(out, "1710034065");
	assert_int_equal(normalise_person("ab12.cd", out, sizeof(out)), 0);
	assert_string_equal(out, "AB12CD");
	assert_int_equal(normalise_person(" -. ", out, sizeof(out)), ICERT_E_INVALID);
	assert_int_equal(normalise_person("17100ñ", out, sizeof(out)), ICERT_E_INVALID);
	assert_int_equal(normalise_person("1710034065", out, 10), ICERT_E_TOO_LARGE);
	assert_int_equal(normalise_email(" Maria.Lopez@Example.EC\r\n", out, sizeof(out)), 0);
	assert_string_equal(out, "maria.lopez@example.ec");
	assert_int_equal(normalise_email("a@b@c", out, sizeof(out)), ICERT_E_INVALID);
	assert_int_equal(normalise_email("@b", out, sizeof(out)), ICERT_E_INVALID);
	assert_int_equal(normalise_email("a@", out, sizeof(out)), ICERT_E_INVALID);
	assert_int_equal(normalise_email("a b@c", out, sizeof(out)), ICERT_E_INVALID);
	assert_int_equal(normalise_email("abc", out, sizeof(out)), ICERT_E_INVALID);
}

static void
sealed_bytes(void **state)
{
	const uint8_t key[32] = { 1 }, other[32] = { 2 };
	struct buf sealed = BUF_INIT, again = BUF_INIT, plain = BUF_INIT;

	(void)state;
	assert_int_equal(sealed_make(key, "t|c|1", "secreto", 7, &sealed), 0);
	assert_int_equal(sealed.len, 7 + SEALED_OVERHEAD);
	assert_int_equal(sealed_make(key, "t|c|1", "secreto", 7, &again), 0);
	assert_memory_not_equal(sealed.p, again.p, sealed.len);
	buf_puts(&plain, "+");
	assert_int_equal(sealed_open(key, "t|c|1", sealed.p, sealed.len, &plain), 0);
	assert_string_equal(buf_str(&plain), "+secreto");
	/* another row, another key, a changed byte anywhere, a shorter one: refused, and nothing is appended */
	assert_int_equal(sealed_open(key, "t|c|2", sealed.p, sealed.len, &plain), ICERT_E_FORGED);
	assert_int_equal(sealed_open(other, "t|c|1", sealed.p, sealed.len, &plain), ICERT_E_FORGED);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.p[i] ^= 0x80;
		assert_int_equal(sealed_open(key, "t|c|1", sealed.p, sealed.len, &plain), i == 0 ? ICERT_E_MALFORMED : ICERT_E_FORGED);
		sealed.p[i] ^= 0x80;
	}
	assert_int_equal(sealed_open(key, "t|c|1", sealed.p, sealed.len - 1, &plain), ICERT_E_FORGED);
	assert_int_equal(sealed_open(key, "t|c|1", sealed.p, SEALED_OVERHEAD - 1, &plain), ICERT_E_MALFORMED);
	assert_string_equal(buf_str(&plain), "+secreto");
	/* nothing at all can be sealed too */
	buf_reset(&sealed);
	buf_reset(&plain);
	assert_int_equal(sealed_make(key, "", NULL, 0, &sealed), 0);
	assert_int_equal(sealed_open(key, "", sealed.p, sealed.len, &plain), 0);
	assert_int_equal(plain.len, 0);
	buf_free(&sealed);
	buf_free(&again);
	buf_free(&plain);
}

static void
error_codes(void **state)
{
	(void)state;
	assert_string_equal(icert_err_code(0), "ok");
	assert_string_equal(icert_err_code(ICERT_E_OWN_CASE), "own-case");
	assert_string_equal(icert_err_code(-9999), "unknown");
	assert_true(icert_err_known(ICERT_E_CRASHED));
	assert_false(icert_err_known(1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_grow),
		cmocka_unit_test(failure_is_sticky),
		cmocka_unit_test(ids),
		cmocka_unit_test(normal_forms),
		cmocka_unit_test(sealed_bytes),
		cmocka_unit_test(error_codes)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
