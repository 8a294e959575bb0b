/* payments/: what Nuvei is asked, and what is believed of its answers. */
#include "payments_server.h"

#define NUVEI "application_code = APP\napp_key = 0123456789abcdef\ncontact_email = a@b.example\n"
#define NREF "11111111111141118111111111111111-1000000000"
#define LINK NREF ":L:ltp7"
#define TX(id, detail, amount, more) "{\"transaction\":{\"status\":\"success\",\"status_detail\":" detail ",\"id\":\"" id "\",\"dev_reference\":\"" NREF \
	"\",\"amount\":" amount more "}}"
#define ASK_TX "GET /v2/transaction/CB-1 "

static void
states(void **state)
{
	static const struct { const char *body; int error; enum gateway_state state; int checking; int64_t cents; const char *currency; } cases[] = {
		{ TX("CB-1", "3", "31.05", ""), 0, GATEWAY_APPROVED, 0, 3105, "USD" },
		{ TX("CB-1", "\"3\"", "\"31.05\"", ""), 0, GATEWAY_APPROVED, 0, 3105, "USD" },
		{ TX("CB-1", "3", "31.04", ",\"currency\":\"COP\""), 0, GATEWAY_APPROVED, 0, 3104, "COP" },
		{ TX("CB-1", "0", "31.05", ""), 0, GATEWAY_PENDING, 0, 3105, "USD" },
		{ TX("CB-1", "1", "31.05", ""), 0, GATEWAY_PENDING, 1, 3105, "USD" },
		/* refused, and the link waits for another card; fraud that is about to go back; given back; annulled; charged back */
		{ TX("CB-1", "9", "31.05", ""), 0, GATEWAY_PENDING, 0, 3105, "USD" },
		{ TX("CB-1", "21", "31.05", ""), 0, GATEWAY_PENDING, 1, 3105, "USD" },
		{ TX("CB-1", "7", "31.05", ""), 0, GATEWAY_REFUNDED, 0, 3105, "USD" },
		{ TX("CB-1", "29", "31.05", ""), 0, GATEWAY_REFUNDED, 0, 3105, "USD" },
		{ TX("CB-1", "8", "31.05", ""), 0, GATEWAY_DISPUTED, 0, 3105, "USD" },
		{ TX("CB-1", "99", "31.05", ""), 0, GATEWAY_PENDING, 0, 3105, "USD" },
		/* another than was asked for, nothing of how much, nothing at all, and one that is no order of ours */
		{ TX("CB-2", "3", "31.05", ""), ICERT_E_MALFORMED, 0, 0, 0, NULL }, { TX("CB-1", "3", "null", ""), ICERT_E_MALFORMED, 0, 0, 0, NULL },
		{ TX("CB-1", "-3", "31.05", ""), ICERT_E_MALFORMED, 0, 0, 0, NULL }, { "{}", ICERT_E_MALFORMED, 0, 0, 0, NULL },
		{ "{\"transaction\":{\"status_detail\":3,\"id\":\"CB-1\",\"dev_reference\":\"shop-17\",\"amount\":31.05}}", ICERT_E_NOT_FOUND, 0, 0, 0, NULL },
	};
	struct gateway_payment p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer script[] = { { ASK_TX, 200, NULL, cases[i].body } };
		struct gateway *g = BEGIN("nuvei", NUVEI, script);

		assert_int_equal(gateway_query(g, "transaction:CB-1", &p), cases[i].error);
		end(g);
		if (cases[i].error != 0)
			continue;
		assert_string_equal(p.id, NREF ":T:CB-1");
		assert_string_equal(p.order, ORDER);
		assert_int_equal(p.state, cases[i].state);
		assert_int_equal(p.checking, cases[i].checking);
		assert_int_equal(p.cents, cases[i].cents);
		assert_string_equal(p.currency, cases[i].currency);
		assert_int_equal(p.times, p.state == GATEWAY_APPROVED);
		assert_int_equal(p.refunded, p.state == GATEWAY_REFUNDED ? 3105 : 0);
	}
}

/* The rest is there, and the order stays paid; that something is not there any more is what the day's comparison has to see. */
static void
part_back(void **state)
{
	static const struct answer script[] = {
		{ ASK_TX, 200, NULL, TX("CB-1", "34", "31.05", "") },
		{ NULL, 200, NULL, "{\"transaction\":{\"id\":\"CB-1\"}}" }, { ASK_TX, 200, NULL, TX("CB-1", "34", "31.05", "") },
	};
	struct gateway_payment p;
	struct gateway *g = BEGIN("nuvei", NUVEI, script);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(gateway_query(g, i == 0 ? NREF ":T:CB-1" : LINK, &p), 0);
		assert_string_equal(p.id, NREF ":T:CB-1");
		assert_int_equal(p.state, GATEWAY_APPROVED);
		assert_int_equal(p.cents, 3105);
		assert_int_equal(p.times, 1);
		assert_true(p.refunded > 0 && p.refunded < 3105);
	}
	end(g);
}

#define FOUR "{\"id\":\"CB-1\"},{\"id\":\"CB-1\"},{\"id\":\"CB-1\"},{\"id\":\"CB-1\"}"

/* A link is known by its transactions; each of them is asked about. */
static void
links(void **state)
{
	static const struct answer script[] = {
		{ "{\"order_id\":\"ltp7\"}", 200, NULL, "{\"data\":{\"transactions\":[{\"id\":\"CB-1\"},{\"id\":\"CB-2\"}]}}" },
		{ ASK_TX, 200, NULL, TX("CB-1", "9", "31.05", "") }, { "GET /v2/transaction/CB-2 ", 200, NULL, TX("CB-2", "3", "31.05", "") },
		{ "POST /linktopay/check_order/ ", 200, NULL, "{\"transaction\":{\"id\":\"CB-1\"}}" }, { ASK_TX, 200, NULL, TX("CB-1", "1", "31.05", "") },
		/* nobody has paid in a link of years ago; there is no such address; what cannot be read; and a key that is refused */
		{ NULL, 200, NULL, "{\"data\":{\"order\":{}}}" }, { NULL, 404, NULL, "<html>" }, { NULL, 405, NULL, "" },
		{ NULL, 200, NULL, "{\"data\":{\"transactions\":[7]}}" }, { NULL, 401, NULL, "{}" },
		/* more cards than anybody tries: not one of them is asked about */
		{ NULL, 200, NULL, "{\"data\":{\"transactions\":[" FOUR "," FOUR "," FOUR "," FOUR ",{\"id\":\"CB-1\"}]}}" },
		/* a transaction of another order */
		{ NULL, 200, NULL, "{\"transaction\":{\"id\":\"CB-1\"}}" },
		{ NULL, 200, NULL, "{\"transaction\":{\"status_detail\":3,\"id\":\"CB-1\",\"dev_reference\":\"21111111111141118111111111111111-1000000000\",\"amount\":31.05}}" },
		{ ASK_TX, 200, NULL, TX("CB-1", "3", "31.05", "") },
		{ ASK_TX, 200, NULL, "{\"transaction\":{\"status_detail\":3,\"id\":\"CB-1\",\"dev_reference\":\"21111111111141118111111111111111-1000000000\",\"amount\":31.05}}" },
	};
	static const char *const not_asked[] = { "", "x", NREF, NREF ":X:1", "x:L:1", NREF "x:L:1", "transaction:../x", NREF ":T:../x", NREF ":T:" };
	struct gateway_payment p;
	struct gateway *g = BEGIN("nuvei", NUVEI, script);

	(void)state;
	assert_int_equal(gateway_query(g, LINK, &p), 0);
	assert_string_equal(p.id, NREF ":T:CB-2");
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_int_equal(gateway_query(g, LINK, &p), 0);
	assert_string_equal(p.id, LINK);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_true(p.checking);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(gateway_query(g, LINK, &p), 0);
		assert_string_equal(p.id, LINK);
		assert_string_equal(p.order, ORDER);
		assert_int_equal(p.at, 1000000000);
		assert_int_equal(p.state, GATEWAY_EXPIRED);
	}
	assert_int_equal(gateway_query(g, LINK, &p), ICERT_E_MALFORMED);
	assert_int_equal(gateway_query(g, LINK, &p), ICERT_E_DENIED);
	assert_int_equal(gateway_query(g, LINK, &p), ICERT_E_MALFORMED);
	assert_int_equal(gateway_query(g, LINK, &p), ICERT_E_MALFORMED);
	assert_int_equal(gateway_query(g, NREF ":T:CB-1", &p), 0);
	assert_int_equal(gateway_query(g, NREF ":T:CB-1", &p), ICERT_E_NOT_FOUND);
	for (size_t i = 0; i < sizeof(not_asked) / sizeof(not_asked[0]); i++)
		assert_int_equal(gateway_query(g, not_asked[i], &p), ICERT_E_INVALID);
	assert_int_equal(gateway_list(g, 1, 2, listed_add, NULL), ICERT_E_UNSUPPORTED);
	end(g);
}

/* A card that paid and went back by itself, and then another that paid, in one link: what is there counts, in whatever order they stand. */
static void
one_card_back(void **state)
{
#define BOTH(a, b) { "{\"order_id\":\"ltp7\"}", 200, NULL, "{\"data\":{\"transactions\":[{\"id\":\"" a "\"},{\"id\":\"" b "\"}]}}" }
#define BACK { ASK_TX, 200, NULL, TX("CB-1", "7", "31.05", "") }
	static const struct answer script[] = {
		BOTH("CB-1", "CB-2"), BACK, { NULL, 200, NULL, TX("CB-2", "3", "31.05", "") },
		BOTH("CB-2", "CB-1"), { NULL, 200, NULL, TX("CB-2", "3", "31.05", "") },
		BOTH("CB-1", "CB-2"), BACK, { NULL, 200, NULL, TX("CB-2", "9", "31.05", "") },
	};
	static const struct { const char *id; enum gateway_state state; } wanted[] = {
		{ NREF ":T:CB-2", GATEWAY_APPROVED }, { NREF ":T:CB-2", GATEWAY_APPROVED }, { NREF ":T:CB-1", GATEWAY_REFUNDED },
	};
	struct gateway_payment p;
	struct gateway *g = BEGIN("nuvei", NUVEI, script);

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_int_equal(gateway_query(g, LINK, &p), 0);
		assert_string_equal(p.id, wanted[i].id);
		assert_int_equal(p.state, wanted[i].state);
		assert_int_equal(p.refunded, p.state == GATEWAY_REFUNDED ? 3105 : 0);
	}
	end(g);
}

static void
checkout_made(void **state)
{
	static const struct answer script[] = {
		{ "\"amount\":31.05,\"installments_type\":0,\"currency\":\"USD\",\"vat\":4.05,\"taxable_amount\":27,\"tax_percentage\":15}", 200, NULL,
		  "{\"success\":true,\"data\":{\"order\":{\"id\":\"ltp7\"},\"payment\":{\"payment_url\":\"https://x.example/1\"}}}" },
		/* a link of now that is open */
		{ "{\"order_id\":\"ltp7\"}", 404, NULL, "" },
		/* a second try would be a second link */
		{ "POST /linktopay/init_order/ ", 502, NULL, "" },
		{ NULL, 200, NULL, "{\"data\":{\"order\":{\"id\":\"a/b\"},\"payment\":{\"payment_url\":\"https://x.example/1\"}}}" },
	};
	struct gateway_checkout checkout;
	struct gateway_payment p;
	struct gateway *g = BEGIN("nuvei", NUVEI, script);

	(void)state;
	assert_int_equal(gateway_checkout_create(g, &request, &checkout), 0);
	assert_string_equal(checkout.url, "https://x.example/1");
	assert_int_equal(gateway_query(g, checkout.id, &p), 0);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_false(p.checking);
	assert_int_equal(gateway_checkout_create(g, &request, &checkout), ICERT_E_UNAVAILABLE);
	assert_int_equal(gateway_checkout_create(g, &request, &checkout), ICERT_E_MALFORMED);
	end(g);
}

static void
refund(void **state)
{
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = NREF ":T:CB-1", .cents = 3105, .currency = "USD" };
	static const struct gateway_refund_request part = { .refund = "r-2", .payment = NREF ":T:CB-1", .cents = 100, .currency = "USD" };
	static const char paid[] = TX("CB-1", "3", "31.05", "");
	static const struct answer script[] = {
		{ ASK_TX, 200, NULL, paid }, { "{\"transaction\":{\"id\":\"CB-1\"}}", 200, NULL, "{\"status\":\"success\",\"detail\":\"Completed\"}" },
		/* asked again after a crash: it went back already, or is about to */
		{ NULL, 200, NULL, TX("CB-1", "7", "31.05", "") }, { NULL, 200, NULL, TX("CB-1", "27", "31.05", "") },
		{ NULL, 200, NULL, paid }, { "POST /v2/transaction/refund/ ", 200, NULL, "{\"status\":\"pending\",\"detail\":\"Waiting\"}" },
		{ NULL, 200, NULL, paid }, { NULL, 200, NULL, "{\"status\":\"failure\",\"detail\":\"Invalid Status\"}" },
		{ NULL, 200, NULL, TX("CB-1", "9", "31.05", "") }, { NULL, 200, NULL, paid },
		/* a part of it went back in their console, and of another currency */
		{ ASK_TX, 200, NULL, TX("CB-1", "34", "31.05", "") }, { ASK_TX, 200, NULL, TX("CB-1", "3", "31.05", ",\"currency\":\"COP\"") },
	};
	static const int pendings[] = { 0, 0, 1, 1 };
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("nuvei", NUVEI, script);

	(void)state;
	for (size_t i = 0; i < sizeof(pendings) / sizeof(pendings[0]); i++) {
		assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
		assert_int_equal(pending, pendings[i]);
		assert_string_equal(id, "CB-1");
	}
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &part, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	end(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states),
		cmocka_unit_test(part_back),
		cmocka_unit_test(links),
		cmocka_unit_test(one_card_back),
		cmocka_unit_test(checkout_made),
		cmocka_unit_test(refund),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
