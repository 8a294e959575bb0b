/* Fields under a data key, and boxes that only the month's key opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypt/seal.h"
#include "libicert/error.h"

static void
fields(void **state)
{
	const uint8_t key[32] = { 5 };
	struct buf sealed = BUF_INIT, plain = BUF_INIT;

	(void)state;
	assert_int_equal(seal_field(key, "contact|email|1", "a@b.ec", 6, &sealed), 0);
	assert_int_equal(open_field(key, "contact|email|1", sealed.p, sealed.len, &plain), 0);
	assert_string_equal(buf_str(&plain), "a@b.ec");
	assert_int_equal(open_field(key, "contact|email|2", sealed.p, sealed.len, &plain), ICERT_E_FORGED);
	buf_free(&sealed);
	buf_free(&plain);
}

static void
boxes(void **state)
{
	const uint8_t key[32] = { 5 }, other[32] = { 6 };
	uint8_t public_key[SEAL_BOX_PUBLIC], other_public[SEAL_BOX_PUBLIC];
	struct buf box = BUF_INIT, plain = BUF_INIT;

	(void)state;
	assert_int_equal(seal_box_public(key, public_key), 0);
	assert_int_equal(seal_box_public(other, other_public), 0);
	assert_memory_not_equal(public_key, other_public, SEAL_BOX_PUBLIC);
	assert_int_equal(seal_box(public_key, "{\"paid\":1}", 10, &box), 0);
	assert_int_equal(box.len, 10 + SEAL_BOX_OVERHEAD);
	assert_int_equal(open_box(key, box.p, box.len, &plain), 0);
	assert_string_equal(buf_str(&plain), "{\"paid\":1}");
	assert_int_equal(open_box(other, box.p, box.len, &plain), ICERT_E_FORGED);
	box.p[40] ^= 1;
	assert_int_equal(open_box(key, box.p, box.len, &plain), ICERT_E_FORGED);
	assert_int_equal(open_box(key, box.p, SEAL_BOX_OVERHEAD - 1, &plain), ICERT_E_MALFORMED);
	assert_int_equal(plain.len, 10);
	buf_free(&box);
	buf_free(&plain);
}

/* By a sender that seals many: each another box, told apart from the other kind, and nothing else opens them. */
static void
boxes_by(void **state)
{
	const uint8_t key[32] = { 5 }, other[32] = { 6 };
	uint8_t public_key[SEAL_BOX_PUBLIC];
	struct buf first = BUF_INIT, second = BUF_INIT, plain = BUF_INIT;
	struct seal_sender sender, next;

	(void)state;
	assert_int_equal(seal_box_public(key, public_key), 0);
	assert_int_equal(seal_sender_init(public_key, &sender), 0);
	assert_int_equal(seal_sender_init(public_key, &next), 0);
	assert_memory_not_equal(sender.shared, next.shared, sizeof(sender.shared));
	assert_int_equal(seal_box_by(&sender, "{\"paid\":1}", 10, &first), 0);
	assert_int_equal(seal_box_by(&sender, "{\"paid\":1}", 10, &second), 0);
	assert_int_equal(first.len, second.len);
	assert_memory_not_equal(first.p + 36, second.p + 36, first.len - 36);
	assert_int_equal(open_box(key, first.p, first.len, &plain), 0);
	assert_string_equal(buf_str(&plain), "{\"paid\":1}");
	assert_int_equal(open_box(other, first.p, first.len, &plain), ICERT_E_FORGED);
	for (size_t i = 0; i < first.len; i++) {
		first.p[i] ^= 1;
		assert_int_equal(open_box(key, first.p, first.len, &plain), ICERT_E_FORGED);
		first.p[i] ^= 1;
	}
	for (size_t n = SEAL_BOX_OVERHEAD; n < second.len; n++)
		assert_int_equal(open_box(key, second.p, n, &plain), ICERT_E_FORGED);
	assert_int_equal(plain.len, 10);
	buf_free(&first);
	buf_free(&second);
	buf_free(&plain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(boxes),
		cmocka_unit_test(boxes_by)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
