#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

#define KEYS		40
#define ARRIVALS	1000000

/* The same rule told otherwise: a bucket of tokens, which GCRA never has. */
struct bucket {
	int64_t	level, at;	/* ns worth of requests, as of that time; at 0: never seen */
};

static uint64_t
random_next(uint64_t *seed)
{
	/* xorshift64* (Marsaglia; Vigna) */
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static int
bucket_ask(struct bucket *b, const struct gcra *g, int64_t now, uint32_t cost, struct gcra_answer *a)
{
	int64_t	full = g->interval * g->burst, price = g->interval * cost;

	if (b->at == 0)
		b->level = full;
	else if ((b->level += now - b->at) > full)
		b->level = full;
	b->at = now;
	memset(a, 0, sizeof(*a));
	a->never = cost > g->burst;
	a->allowed = !a->never && b->level >= price;
	if (!a->allowed && !a->never)
		a->retry = price - b->level;
	if (a->allowed)
		b->level -= price;
	a->remaining = (uint32_t)(b->level / g->interval);
	a->reset = full - b->level;
	return a->allowed;
}

/* A million arrivals at forty keys, each with a rule of its own, together and far apart, of every cost. */
static void
test_model(void **state)
{
	static struct gcra	rules[KEYS];
	static struct bucket	buckets[KEYS];
	static int64_t		tats[KEYS];
	struct gcra_answer	ours, model;
	const char		*given = getenv("GCRA_SEED");
	uint64_t		seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) | 1, r;
	int64_t			now = NOW, allowed = 0;
	uint32_t		cost, k;
	int			i;

	(void)state;
	print_message("GCRA_SEED=%llu\n", (unsigned long long)seed);
	for (k = 0; k < KEYS; k++)
		while (gcra_init(&rules[k], 1 + (uint32_t)(random_next(&seed) % 5000), (uint32_t[]){ 1, 1, 60, 3600 }[k % 4],
		    1 + (uint32_t)(random_next(&seed) % 300)) != 0)
			continue;
	for (i = 0; i < ARRIVALS; i++) {
		r = random_next(&seed);
		k = (uint32_t)(r % KEYS);
		/* Mostly close together, often at once, now and then hours later. */
		now += (r >> 8) % 100 < 30 ? 0 : (r >> 8) % 100000 == 99999 ? (int64_t)(7200 * GCRA_SECOND) :
		    (int64_t)(random_next(&seed) % (uint64_t)(4 * rules[k].interval / KEYS + 2));
		cost = (r >> 32) % 10 < 7 ? 1 : (uint32_t)((r >> 40) % (rules[k].burst + 2));
		gcra_ask(&rules[k], &tats[k], now, cost, &ours);
		allowed += bucket_ask(&buckets[k], &rules[k], now, cost, &model);
		assert_int_equal(ours.allowed, model.allowed);
		assert_int_equal(ours.never, model.never);
		assert_int_equal(ours.remaining, model.remaining);
		assert_int_equal(ours.retry, model.retry);
		assert_int_equal(ours.reset, model.reset);
	}
	/* Neither everything nor nothing: the rules were met. */
	assert_in_range(allowed, ARRIVALS / 20, ARRIVALS - ARRIVALS / 20);
}

/* The clock goes back and forth by up to a day: what was used is never given twice, nobody waits longer than for a whole burst, and once it goes
 * on evenly the rule holds again. */
static void
test_steps(void **state)
{
	struct gcra		g;
	struct gcra_answer	a;
	uint64_t		seed = 20261123;
	int64_t			tat = 0, now = NOW, steps;
	int			i, n, passed;

	(void)state;
	assert_int_equal(gcra_init(&g, 10, 1, 20), 0);
	for (steps = 0; steps < 1000; steps++) {
		now += (int64_t)(random_next(&seed) % (uint64_t)(2 * 86400 * GCRA_SECOND)) - 86400 * GCRA_SECOND;
		gcra_ask(&g, &tat, now, 1, &a);
		assert_true(a.allowed || a.retry <= g.tolerance);
		for (i = passed = 0; i < 300; i++, now += GCRA_SECOND / 100) {
			gcra_ask(&g, &tat, now, 1, &a);
			passed += a.allowed;
		}
		/* Three seconds: at most a burst and thirty, at least what is left after a burst's wait. */
		assert_in_range(passed, 9, 51);
		for (n = 0; n < 100; n++, now += GCRA_SECOND)
			gcra_ask(&g, &tat, now, 10, &a);
		assert_true(a.allowed);
	}
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
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
