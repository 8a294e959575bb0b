/* payments/tariff: exact cents; payments/payment: every verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/error.h"
#include "payments/payment.h"
#include "payments/tariff.h"

static void
sellable(void **state)
{
	(void)state;
	assert_true(tariff_sellable("file", "new") && tariff_sellable("file", "renewal") && tariff_sellable("token", "new"));
	assert_false(tariff_sellable("token", "renewal") || tariff_sellable("remote", "new") || tariff_sellable("remote", "renewal") || tariff_sellable("", "new"));
}

static void
totals(void **state)
{
	/* net, hundredths of a percent, tax: halves go up. */
	static const struct { int64_t net; int bp; int64_t tax; } cases[] = {
		{ 0, 1500, 0 }, { 2750, 1500, 413 }, { 1830, 1500, 275 }, { 100, 1500, 15 }, { 3, 1500, 0 },
		{ 4, 1500, 1 }, { 10, 500, 1 }, { 9, 500, 0 }, { 12345, 0, 0 }, { 2196, 1200, 264 },
		{ TARIFF_CENTS_MAX, 10000, TARIFF_CENTS_MAX },
	};
	struct tariff_total t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(tariff_total(cases[i].net, cases[i].bp, &t), 0);
		assert_int_equal(t.net, cases[i].net);
		assert_int_equal(t.tax, cases[i].tax);
		assert_int_equal(t.total, cases[i].net + cases[i].tax);
	}
	assert_int_equal(tariff_total(-1, 1500, &t), ICERT_E_INVALID);
	assert_int_equal(tariff_total(TARIFF_CENTS_MAX + 1, 0, &t), ICERT_E_INVALID);
	assert_int_equal(tariff_total(1, -1, &t), ICERT_E_INVALID);
	assert_int_equal(tariff_total(1, 10001, &t), ICERT_E_INVALID);
}

/* Against the definition, without the division under test: tax is the one whole number with net * bp in [10000 tax - 5000, 10000 tax + 5000). */
static void
rounds_exactly(int64_t net, int bp)
{
	struct tariff_total t;
	int64_t product = net * bp;

	assert_int_equal(tariff_total(net, bp, &t), 0);
	assert_true(product >= 10000 * t.tax - 5000 && product < 10000 * t.tax + 5000);
	assert_int_equal(t.net, net);
	assert_int_equal(t.total, t.net + t.tax);
}

/* Every price to a thousand dollars at each rate that the law has had; every rate at prices where halves are; then anything. */
static void
totals_are_exact(void **state)
{
	static const int rates[] = { 0, 500, 800, 1000, 1200, 1300, 1400, 1500 };
	uint64_t seed = 0x9e3779b97f4a7c15;
	int64_t net;
	size_t i;
	int bp;

	(void)state;
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		for (net = 0; net <= 100000; net++)
			rounds_exactly(net, rates[i]);
	for (bp = 0; bp <= 10000; bp++)
		for (net = 2; net <= 5000; net = net * 2 + 1)
			rounds_exactly(net, bp);
	for (i = 0; i < 200000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		rounds_exactly((int64_t)((seed >> 20) % (TARIFF_CENTS_MAX + 1)), (int)((seed >> 3) % 10001));
	}
}

static void
percents(void **state)
{
	static const struct { int bp; const char *text; } cases[] = {
		{ 0, "0" }, { 1500, "15" }, { 1250, "12,5" }, { 1205, "12,05" }, { 1225, "12,25" }, { 5, "0,05" }, { 10000, "100" },
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tariff_percent(cases[i].bp, out, sizeof(out));
		assert_string_equal(out, cases[i].text);
	}
}

static void
formats(void **state)
{
	char out[24];

	(void)state;
	tariff_format(0, out, sizeof(out));
	assert_string_equal(out, "0,00");
	tariff_format(3163, out, sizeof(out));
	assert_string_equal(out, "31,63");
	tariff_format(100005, out, sizeof(out));
	assert_string_equal(out, "1.000,05");
	tariff_format(123456789, out, sizeof(out));
	assert_string_equal(out, "1.234.567,89");
	tariff_format(-2750, out, sizeof(out));
	assert_string_equal(out, "-27,50");
}

static void
parses(void **state)
{
	static const char *const bad[] = {
		"", ".", ".5", "1.", "1,50", "-1", "+1", " 1", "1 ", "1.005", "1e2", "0x1", "99999999999", "1000000.01",
		"99999999999999999999999999", "NaN",
	};
	int64_t cents;
	size_t i;

	(void)state;
	assert_int_equal(tariff_parse("31.63", &cents), 0);
	assert_int_equal(cents, 3163);
	assert_int_equal(tariff_parse("31.6", &cents), 0);
	assert_int_equal(cents, 3160);
	assert_int_equal(tariff_parse("31", &cents), 0);
	assert_int_equal(cents, 3100);
	assert_int_equal(tariff_parse("0.01", &cents), 0);
	assert_int_equal(cents, 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tariff_parse(bad[i], &cents), ICERT_E_INVALID);
}

static void
typed(void **state)
{
	static const struct { const char *text; int64_t cents; } good[] = {
		{ "27", 2700 }, { "27,5", 2750 }, { "27.50", 2750 }, { "27,00", 2700 }, { "1.234,56", 123456 }, { "1,234.56", 123456 },
		{ "1.000", 100000 }, { "12.345.678,9", -1 }, { "0", 0 }, { "12,50", 1250 },
	};
	static const char *const bad[] = { "", ",", ".", "27,005", "27.0.5", "1.23,45", ",5", "1,000", "1.2345", "2 7", "-3", "1,2,3",
		"1..000", "a", "27,", "99999999999999999999999999" };
	int64_t cents;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(tariff_typed(good[i].text, &cents), good[i].cents < 0 ? ICERT_E_INVALID : 0);
		if (good[i].cents >= 0)
			assert_int_equal(cents, good[i].cents);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tariff_typed(bad[i], &cents), ICERT_E_INVALID);
}

#define ORDER "11111111-1111-4111-8111-111111111111"

static enum payment_verdict
decide(const char *state, const char *paid_by, enum gateway_state what, int64_t cents, const char *currency, int sure)
{
	struct payment_order order = { .id = ORDER, .state = state, .total = 3163, .currency = "USD", .paid_by = paid_by };
	struct gateway_payment payment = { .id = "pay_1", .order = ORDER, .state = what, .cents = cents };

	strcpy(payment.currency, currency);
	return payment_decide(&order, &payment, sure);
}

static void
verdicts(void **state)
{
	struct payment_order order = { .id = ORDER, .state = "created", .total = 3163, .currency = "USD" };
	struct gateway_payment payment = { .id = "pay_1", .order = "another", .state = GATEWAY_APPROVED, .cents = 3163,
		.currency = "USD" };

	(void)state;
	assert_int_equal(decide("created", NULL, GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_PAY);
	assert_int_equal(decide("pending", NULL, GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_PAY);
	/* not covered by a signature, or not stated: ask before believing */
	assert_int_equal(decide("created", NULL, GATEWAY_APPROVED, 3163, "USD", 0), PAYMENT_QUERY);
	assert_int_equal(decide("created", NULL, GATEWAY_APPROVED, -1, "USD", 1), PAYMENT_QUERY);
	assert_int_equal(decide("created", NULL, GATEWAY_APPROVED, 3163, "", 1), PAYMENT_QUERY);
	/* a cent, or another money */
	assert_int_equal(decide("created", NULL, GATEWAY_APPROVED, 3162, "USD", 1), PAYMENT_MISMATCH);
	assert_int_equal(decide("created", NULL, GATEWAY_APPROVED, 3164, "USD", 1), PAYMENT_MISMATCH);
	assert_int_equal(decide("created", NULL, GATEWAY_APPROVED, 3163, "COP", 1), PAYMENT_MISMATCH);
	/* repeats and second payments */
	assert_int_equal(decide("paid", "pay_1", GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_NOTHING);
	assert_int_equal(decide("used", "pay_1", GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_NOTHING);
	assert_int_equal(decide("paid", "pay_0", GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_AGAIN);
	payment.times = 2;
	strcpy(payment.order, ORDER);
	order.state = "paid";
	order.paid_by = "pay_1";
	assert_int_equal(payment_decide(&order, &payment, 1), PAYMENT_AGAIN);
	assert_int_equal(decide("expired", NULL, GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_LATE);
	assert_int_equal(decide("refunded", NULL, GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_AGAIN);
	assert_int_equal(decide("refunded", "pay_1", GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_AGAIN);
	assert_int_equal(decide("refunded", "pay_1", GATEWAY_APPROVED, 3163, "USD", PAYMENT_SIGNED), PAYMENT_QUERY);
	assert_int_equal(decide("refunding", "pay_1", GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_NOTHING);
	/* money that went back, and money that a bank holds back: only of the payment that paid, and only when it is sure */
	assert_int_equal(decide("used", "pay_1", GATEWAY_REFUNDED, -1, "", 1), PAYMENT_REFUNDED);
	assert_int_equal(decide("refunding", "pay_1", GATEWAY_REFUNDED, -1, "", 1), PAYMENT_REFUNDED);
	assert_int_equal(decide("disputed", "pay_1", GATEWAY_REFUNDED, -1, "", 1), PAYMENT_REFUNDED);
	assert_int_equal(decide("refunded", "pay_1", GATEWAY_REFUNDED, -1, "", 1), PAYMENT_NOTHING);
	assert_int_equal(decide("used", "pay_2", GATEWAY_REFUNDED, -1, "", 1), PAYMENT_NOTHING);
	assert_int_equal(decide("used", "pay_1", GATEWAY_REFUNDED, -1, "", 0), PAYMENT_QUERY);
	assert_int_equal(decide("paid", "pay_1", GATEWAY_DISPUTED, 3163, "USD", 1), PAYMENT_DISPUTED);
	assert_int_equal(decide("paid", "pay_2", GATEWAY_DISPUTED, 3163, "USD", 1), PAYMENT_NOTHING);
	assert_int_equal(decide("refunding", "pay_1", GATEWAY_DISPUTED, 3163, "USD", 1), PAYMENT_DISPUTED);
	assert_int_equal(decide("refunded", "pay_1", GATEWAY_DISPUTED, 3163, "USD", 1), PAYMENT_DISPUTED);
	assert_int_equal(decide("refunded", "pay_1", GATEWAY_DISPUTED, 3163, "USD", 0), PAYMENT_QUERY);
	assert_int_equal(decide("disputed", "pay_1", GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_WON);
	assert_int_equal(decide("disputed", "pay_2", GATEWAY_APPROVED, 3163, "USD", 1), PAYMENT_AGAIN);
	/* too much, and back; not before it is sure */
	order.state = "expired";
	order.paid_by = NULL;
	order.owed = 3163;
	order.excess = 1;
	payment.state = GATEWAY_REFUNDED;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_REFUNDED);
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_SIGNED), PAYMENT_QUERY);
	payment.state = GATEWAY_DISPUTED;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_DISPUTED);
	/* it went back, and its bank wants it again */
	order.owed = 0;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_DISPUTED);
	order.excess = 0;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_NOTHING);
	payment.state = GATEWAY_REFUNDED;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_NOTHING);
	/* given back, and lost to its bank after that: with the dispute heard of, and without */
	order.gone = 3163;
	payment.refunded = 3163;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_NOTHING);
	payment.refunded = 6326;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_DISPUTED);
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_SIGNED), PAYMENT_QUERY);
	order.contested = 1;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_NOTHING);
	payment.refunded = 3163;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_WON);
	order.contested = 0;
	order.gone = 0;
	payment.refunded = 6326;
	assert_int_equal(payment_decide(&order, &payment, PAYMENT_ASKED), PAYMENT_NOTHING);
	payment.refunded = 0;
	/* signed, and not asked: it pays what is open, and leaves everything else to the answer */
	assert_int_equal(decide("pending", NULL, GATEWAY_APPROVED, 3163, "USD", PAYMENT_SIGNED), PAYMENT_PAY);
	assert_int_equal(decide("pending", NULL, GATEWAY_APPROVED, 3162, "USD", PAYMENT_SIGNED), PAYMENT_MISMATCH);
	assert_int_equal(decide("paid", "pay_1", GATEWAY_APPROVED, 3163, "USD", PAYMENT_SIGNED), PAYMENT_NOTHING);
	assert_int_equal(decide("disputed", "pay_1", GATEWAY_APPROVED, 3163, "USD", PAYMENT_SIGNED), PAYMENT_QUERY);
	assert_int_equal(decide("used", "pay_1", GATEWAY_REFUNDED, -1, "", PAYMENT_SIGNED), PAYMENT_QUERY);
	assert_int_equal(decide("pending", NULL, GATEWAY_REJECTED, 3163, "USD", PAYMENT_SIGNED), PAYMENT_QUERY);
	/* refusals never undo a payment */
	assert_int_equal(decide("created", NULL, GATEWAY_REJECTED, 3163, "USD", 1), PAYMENT_REJECT);
	assert_int_equal(decide("paid", "pay_1", GATEWAY_REJECTED, 3163, "USD", 1), PAYMENT_NOTHING);
	assert_int_equal(decide("pending", NULL, GATEWAY_PENDING, 3163, "USD", 1), PAYMENT_NOTHING);
	payment.state = GATEWAY_PENDING;
	payment.checking = 1;
	payment.times = 0;
	order.state = "pending";
	order.paid_by = NULL;
	assert_int_equal(payment_decide(&order, &payment, 1), PAYMENT_PENDING);
	order.state = "paid";
	assert_int_equal(payment_decide(&order, &payment, 1), PAYMENT_NOTHING);
	/* whose it is */
	strcpy(payment.order, "another");
	assert_int_equal(payment_decide(&order, &payment, 1), PAYMENT_STRANGE);
	assert_int_equal(payment_decide(NULL, &payment, 1), PAYMENT_STRANGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sellable),
		cmocka_unit_test(totals),
		cmocka_unit_test(totals_are_exact),
		cmocka_unit_test(percents),
		cmocka_unit_test(formats),
		cmocka_unit_test(parses),
		cmocka_unit_test(typed),
		cmocka_unit_test(verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
