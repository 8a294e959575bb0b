/* payments/: what Payphone is asked and told, and what is believed of its answers. */
#include "payments_server.h"

#define PAYPHONE "token = t\nstore_id = s\nreference_key = aa2b1d7c9e0f4a55\n"
#define REF "0jgx6zk3m9qzn2f"
#define SALE(status, word, amount, currency, more) "{\"statusCode\":" status ",\"transactionStatus\":\"" word "\",\"clientTransactionId\":\"" REF \
	"\",\"transactionId\":77,\"amount\":" amount ",\"currency\":\"" currency "\",\"optionalParameter1\":\"" ORDER "\"" more "}"
#define PAID_SALE SALE("3", "Approved", "3105", "USD", "")
#define CONFIRM "POST /api/button/V2/Confirm "
#define NO_SALE "{\"message\":\"La transacción no existe\",\"errorCode\":20}"

static void
states(void **state)
{
	static const struct { struct answer script[3]; size_t n; int error; enum gateway_state state; int checking; int64_t cents; int times; } cases[] = {
		{ { { "GET /api/Sale/client/" REF " ", 200, NULL, PAID_SALE } }, 1, 0, GATEWAY_APPROVED, 0, 3105, 1 },
		{ { { "Authorization: Bearer t\r\n", 200, NULL, "[" SALE("3", "Approved", "3104", "EUR", "") "]" } }, 1, 0, GATEWAY_APPROVED, 0, 3104, 1 },
		/* paid, and waiting for our word */
		{ { { NULL, 200, NULL, SALE("1", "Pending", "3105", "USD", "") }, { "{\"id\":77,\"clientTxId\":\"" REF "\"}", 200, NULL, PAID_SALE } }, 2, 0,
		  GATEWAY_APPROVED, 0, 3105, 1 },
		{ { { NULL, 200, NULL, SALE("1", "Pending", "3105", "USD", "") }, { CONFIRM, 503, NULL, "" }, { CONFIRM, 200, NULL, PAID_SALE } }, 3, 0,
		  GATEWAY_APPROVED, 0, 3105, 1 },
		/* begun years ago, and not paid */
		{ { { NULL, 200, NULL, SALE("1", "Pending", "3105", "USD", "") }, { CONFIRM, 200, NULL, SALE("1", "Pending", "3105", "USD", "") } }, 2, 0,
		  GATEWAY_EXPIRED, 0, 3105, 0 },
		/* too late: it went back */
		{ { { NULL, 200, NULL, SALE("1", "Pending", "3105", "USD", "") }, { CONFIRM, 200, NULL, SALE("2", "Canceled", "3105", "USD", "") } }, 2, 0,
		  GATEWAY_REJECTED, 0, 3105, 0 },
		{ { { NULL, 200, NULL, SALE("2", "Reversed", "3105", "USD", "") } }, 1, 0, GATEWAY_REFUNDED, 0, 3105, 0 },
		{ { { NULL, 200, NULL, "[" SALE("2", "Canceled", "3105", "USD", "") "," PAID_SALE "]" } }, 1, 0, GATEWAY_APPROVED, 0, 3105, 1 },
		{ { { NULL, 200, NULL, "[" PAID_SALE "," PAID_SALE "]" } }, 1, 0, GATEWAY_APPROVED, 0, 3105, 2 },
		/* nobody has paid in a form of years ago */
		{ { { NULL, 404, NULL, NO_SALE } }, 1, 0, GATEWAY_EXPIRED, 0, -1, 0 },
		{ { { NULL, 400, NULL, NO_SALE } }, 1, 0, GATEWAY_EXPIRED, 0, -1, 0 },
		{ { { NULL, 200, NULL, "[]" } }, 1, 0, GATEWAY_EXPIRED, 0, -1, 0 },
		/* of another store, of another reference: none of ours */
		{ { { NULL, 200, NULL, SALE("3", "Approved", "3105", "USD", ",\"storeId\":\"another\"") } }, 1, 0, GATEWAY_EXPIRED, 0, -1, 0 },
		{ { { NULL, 200, NULL, "{\"statusCode\":3,\"clientTransactionId\":\"x\",\"amount\":3105,\"currency\":\"USD\"}" } }, 1, 0, GATEWAY_EXPIRED, 0, -1, 0 },
		{ { { NULL, 200, NULL, SALE("7", "Splendid", "3105", "USD", "") } }, 1, ICERT_E_MALFORMED, 0, 0, 0, 0 },
		{ { { NULL, 200, NULL, SALE("3", "Approved", "31.05", "USD", "") } }, 1, ICERT_E_MALFORMED, 0, 0, 0, 0 },
		{ { { NULL, 200, NULL, SALE("3", "Approved", "-1", "USD", "") } }, 1, ICERT_E_MALFORMED, 0, 0, 0, 0 },
		{ { { NULL, 200, NULL, "true" } }, 1, ICERT_E_MALFORMED, 0, 0, 0, 0 },
		{ { { NULL, 401, NULL, "{}" } }, 1, ICERT_E_DENIED, 0, 0, 0, 0 },
	};
	struct gateway_payment p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gateway *g = begin("payphone", PAYPHONE, cases[i].script, cases[i].n);

		assert_int_equal(gateway_query(g, REF, &p), cases[i].error);
		if (cases[i].error == 0) {
			assert_int_equal(p.state, cases[i].state);
			assert_int_equal(p.checking, cases[i].checking);
			assert_int_equal(p.cents, cases[i].cents);
			assert_int_equal(p.times, cases[i].times);
			assert_string_equal(p.id, REF);
			assert_string_equal(p.order, p.cents < 0 ? "" : ORDER);
			/* of the minute that its first digits name */
			assert_int_equal(p.at, 1614265320);
		}
		/* an id that would be another path is not asked for */
		assert_int_equal(gateway_query(g, "0jgx6zk3m9qzn2/", &p), ICERT_E_INVALID);
		assert_int_equal(gateway_list(g, 1, 2, listed_add, NULL), ICERT_E_UNSUPPORTED);
		end(g);
	}
}

struct brought {
	const char *id, *reference;
};

static const char *
brought(const void *arg, const char *name)
{
	const struct brought *b = arg;

	return strcmp(name, "id") == 0 ? b->id : strcmp(name, "clientTransactionId") == 0 ? b->reference : NULL;
}

static void
returned(void **state)
{
	static const struct answer script[] = { { "{\"id\":77,\"clientTxId\":\"" REF "\"}", 200, NULL, PAID_SALE }, { CONFIRM, 404, NULL, NO_SALE } };
	static const struct brought backs[] = {
		{ "77", REF }, { "78", REF }, /* and what is not asked about */
		{ "77", "0jgx6zk3m9gxcjm" }, { NULL, REF }, { "77", NULL }, { "", REF }, { "0", REF }, { "7x", REF }, { "-7", REF }, { "1234567890123456789", REF },
	};
	static const int errors[] = { 0, ICERT_E_NOT_FOUND };
	struct gateway *g = BEGIN("payphone", PAYPHONE, script);

	(void)state;
	for (size_t i = 0; i < sizeof(backs) / sizeof(backs[0]); i++) {
		const struct gateway_return back = { brought, &backs[i] };

		assert_int_equal(gateway_returned(g, REF, &back), i < 2 ? errors[i] : 0);
	}
	end(g);
}

static void
prepared(void **state)
{
	static const struct answer script[] = {
		{ "\"amount\":3105,\"amountWithTax\":2700,\"amountWithoutTax\":0,\"tax\":405,\"service\":0,\"tip\":0,", 502, NULL, "" },
		{ "\"storeId\":\"s\",\"currency\":\"USD\"", 200, NULL, "{\"paymentId\":\"p\",\"payWithCard\":\"https://x.example/1\"}" },
		{ "\"amountWithTax\":0,\"amountWithoutTax\":3105,\"tax\":0,", 200, NULL, "{\"payWithCard\":\"https://x.example/2\"}" },
		{ "GET /api/Sale/client/", 404, NULL, NO_SALE },
	};
	struct gateway_checkout_request untaxed = request;
	struct gateway_payment p;
	struct gateway_checkout checkout, other;
	struct gateway *g = BEGIN("payphone", PAYPHONE, script);

	(void)state;
	assert_int_equal(gateway_checkout_create(g, &request, &checkout), 0);
	assert_string_equal(checkout.url, "https://x.example/1");
	assert_int_equal(strlen(checkout.id), 15);
	untaxed.net = 3105;
	untaxed.tax = 0;
	untaxed.once = ORDER ":2";
	assert_int_equal(gateway_checkout_create(g, &untaxed, &other), 0);
	assert_memory_not_equal(other.id + 5, checkout.id + 5, 10);
	/* a form of now in which nobody has paid yet */
	assert_int_equal(gateway_query(g, checkout.id, &p), 0);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_false(p.checking);
	end(g);
}

static void
refund(void **state)
{
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = REF, .cents = 3105, .currency = "USD" };
	static const struct answer script[] = {
		{ NULL, 200, NULL, PAID_SALE }, { "POST /api/Reverse ", 200, NULL, "true" },
		/* asked again after a crash: it went back already */
		{ NULL, 200, NULL, SALE("2", "Reversed", "3105", "USD", "") },
		/* after 20:00, of another amount, and of two */
		{ NULL, 200, NULL, PAID_SALE }, { "{\"id\":77}", 400, NULL, "{\"message\":\"No\",\"errorCode\":20}" },
		{ NULL, 200, NULL, PAID_SALE }, { NULL, 200, NULL, "false" },
		{ NULL, 200, NULL, SALE("3", "Approved", "3104", "USD", "") },
		{ NULL, 200, NULL, "[" PAID_SALE "," PAID_SALE "]" },
		{ NULL, 404, NULL, NO_SALE }, { NULL, 200, NULL, SALE("3", "Approved", "3105", "EUR", "") },
	};
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("payphone", PAYPHONE, script);

	(void)state;
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 0);
	assert_string_equal(id, "77");
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	end(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states),
		cmocka_unit_test(returned),
		cmocka_unit_test(prepared),
		cmocka_unit_test(refund),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
