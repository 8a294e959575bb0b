#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libicert/gcra.h"

#define NOW (INT64_C(1000) * GCRA_SECOND)

static void
test_burst_then_rate(void **state)
{
	struct gcra		g;
	struct gcra_answer	a;
	int64_t			tat = 0;

	(void)state;
	assert_int_equal(gcra_init(&g, 6, 60, 3), 0);	/* one in 10 s, three at once */
	for (uint32_t left = 3; left-- > 0;) {
		gcra_ask(&g, &tat, NOW, 1, &a);
		assert_true(a.allowed);
		assert_int_equal(a.remaining, left);
	}
	gcra_ask(&g, &tat, NOW, 1, &a);
	assert_false(a.allowed);
	assert_false(a.never);
	assert_int_equal(gcra_seconds(a.retry), 10);
	assert_int_equal(gcra_seconds(a.reset), 30);
	gcra_ask(&g, &tat, NOW + a.retry - 1, 1, &a);
	assert_false(a.allowed);
	gcra_ask(&g, &tat, NOW + 10 * GCRA_SECOND, 1, &a);
	assert_true(a.allowed);
	gcra_ask(&g, &tat, NOW + 10 * GCRA_SECOND, 1, &a);
	assert_false(a.allowed);
	/* After the whole span the whole burst is there again, and no more. */
	for (int i = 0; i < 3; i++) {
		gcra_ask(&g, &tat, NOW + 1000 * GCRA_SECOND, 1, &a);
		assert_true(a.allowed);
	}
	gcra_ask(&g, &tat, NOW + 1000 * GCRA_SECOND, 1, &a);
	assert_false(a.allowed);
}

/* In any window of w seconds at most burst + w * rate pass, at every edge. */
static void
test_no_double_burst(void **state)
{
	struct gcra		g;
	struct gcra_answer	a;
	int64_t			tat = 0;
	int			passed = 0;

	(void)state;
	assert_int_equal(gcra_init(&g, 10, 1, 10), 0);
	for (int64_t t = 0; t < 2 * GCRA_SECOND; t += GCRA_SECOND / 1000) {
		gcra_ask(&g, &tat, NOW + t, 1, &a);
		passed += a.allowed;
	}
	assert_in_range(passed, 28, 30);
}

static void
test_cost(void **state)
{
	struct gcra		g;
	struct gcra_answer	a;
	int64_t			tat = 0, before;

	(void)state;
	assert_int_equal(gcra_init(&g, 1, 1, 5), 0);
	gcra_ask(&g, &tat, NOW, 6, &a);
	assert_false(a.allowed);
	assert_true(a.never);
	assert_int_equal(tat, 0);
	gcra_ask(&g, &tat, NOW, 5, &a);
	assert_true(a.allowed);
	before = tat;
	gcra_ask(&g, &tat, NOW, 2, &a);
	assert_false(a.allowed);
	assert_int_equal(gcra_seconds(a.retry), 2);
	assert_int_equal(tat, before);
	gcra_ask(&g, &tat, NOW, 0, &a);
	assert_true(a.allowed);
	assert_int_equal(a.remaining, 0);
}

/* A timestamp from another boot cannot lock a key out for longer than the rule. */
static void
test_strange_times(void **state)
{
	struct gcra		g;
	struct gcra_answer	a;
	int64_t			tat = INT64_MAX;

	(void)state;
	assert_int_equal(gcra_init(&g, 1, 1, 5), 0);
	gcra_ask(&g, &tat, NOW, 1, &a);
	assert_false(a.allowed);
	assert_int_equal(gcra_seconds(a.retry), 1);
	tat = INT64_MIN;
	gcra_ask(&g, &tat, NOW, 1, &a);
	assert_true(a.allowed);
	assert_int_equal(a.remaining, 4);
}

static void
test_init(void **state)
{
	struct gcra	g;

	(void)state;
	assert_int_equal(gcra_init(&g, 0, 1, 1), ICERT_E_INVALID);
	assert_int_equal(gcra_init(&g, 1, 0, 1), ICERT_E_INVALID);
	assert_int_equal(gcra_init(&g, 1, 1, 0), ICERT_E_INVALID);
	assert_int_equal(gcra_init(&g, 1, 1, GCRA_BURST_MAX + 1), ICERT_E_INVALID);
	assert_int_equal(gcra_init(&g, 1, 3600, GCRA_BURST_MAX), ICERT_E_INVALID);
	assert_int_equal(gcra_init(&g, 1000000, 1, GCRA_BURST_MAX), 0);
	assert_int_equal(gcra_seconds(1), 1);
	assert_int_equal(gcra_seconds(0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_then_rate),
		cmocka_unit_test(test_no_double_burst),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_strange_times),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
