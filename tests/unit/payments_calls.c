/* payments/: the calls that adapters make, against a server that answers by a script: what is tried again, what is believed, lists, refunds. */
#include "payments_server.h"

#define KEY "api_key = abc\n"
#define PAYMENT(id, status, at) "{\"id\":\"" id "\",\"reference\":\"" ORDER "\",\"status\":\"" status "\",\"amount\":\"31.05\",\"currency\":\"USD\"," \
	"\"captures\":1,\"at\":\"" at "\"}"
#define APPROVED PAYMENT("pay_1", "approved", "2026-11-20T12:00:00Z")

static void
tried_again(void **state)
{
	static const struct answer recovers[] = {
		{ "GET /v1/payments/pay_1 ", 503, NULL, "" }, { "Authorization: Bearer abc", 0, NULL, NULL }, { NULL, 200, NULL, APPROVED },
	};
	static const struct answer patient[] = { { NULL, 429, "Retry-After: 1\r\n", "" }, { NULL, 200, NULL, APPROVED } };
	static const struct answer later[] = { { NULL, 429, "Retry-After: 60\r\n", "" } };
	static const struct answer with_key[] = {
		{ "Idempotency-Key: " ORDER ":1\r\n", 502, NULL, "" },
		{ "Idempotency-Key: " ORDER ":1\r\n", 201, NULL, "{\"id\":\"pay_1\",\"url\":\"https://x.example/1\"}" },
	};
	static const struct answer silent[] = { { NULL, SILENCE, NULL, NULL } };
	static const struct answer without[] = { { "POST /api/session ", 502, NULL, "" } };
	struct gateway_checkout checkout;
	struct gateway_payment p;
	struct gateway *g;
	int64_t at;

	(void)state;
	g = BEGIN("standard_webhooks", KEY, recovers);
	assert_int_equal(gateway_query(g, "pay_1", &p), 0);
	assert_true(p.sure);
	assert_int_equal(p.cents, 3105);
	assert_int_equal(p.at, 1795176000);
	end(g);
	g = BEGIN("standard_webhooks", KEY, patient);
	assert_int_equal(gateway_query(g, "pay_1", &p), 0);
	end(g);
	g = BEGIN("standard_webhooks", KEY, later);
	assert_int_equal(gateway_query(g, "pay_1", &p), ICERT_E_UNAVAILABLE);
	end(g);
	g = BEGIN("standard_webhooks", KEY, with_key);
	assert_int_equal(gateway_checkout_create(g, &request, &checkout), 0);
	assert_string_equal(checkout.url, "https://x.example/1");
	end(g);
	/* The time is over with the first try. */
	g = BEGIN("standard_webhooks", KEY, silent);
	at = clock_mono_ms();
	assert_int_equal(gateway_query(g, "pay_1", &p), ICERT_E_UNAVAILABLE);
	assert_true(clock_mono_ms() - at >= 4900);
	end(g);
	/* Placetopay has no such keys: a second try would be a second session. */
	g = BEGIN("placetopay", "login = a\nsecret_key = b\n", without);
	assert_int_equal(gateway_checkout_create(g, &request, &checkout), ICERT_E_UNAVAILABLE);
	end(g);
}

static void
not_believed(void **state)
{
	static char long_body[70000];
	struct answer script[] = {
		{ NULL, 302, "Location: /v1/payments/pay_1\r\n", "" }, { NULL, 404, NULL, "{}" }, { NULL, 401, NULL, "{}" }, { NULL, 200, NULL, "<html>" },
		{ NULL, 200, NULL, "{}{}" }, { NULL, 200, NULL, "" }, { NULL, 200, NULL, long_body }, { NULL, 200, NULL, PAYMENT("pay_2", "approved", "") },
	};
	static const int errors[] = {
		ICERT_E_DENIED, ICERT_E_NOT_FOUND, ICERT_E_DENIED, ICERT_E_MALFORMED, ICERT_E_MALFORMED, ICERT_E_MALFORMED, ICERT_E_MALFORMED, ICERT_E_MALFORMED,
	};
	struct gateway_payment p;
	struct gateway *g;

	(void)state;
	memset(long_body, ' ', sizeof(long_body) - 1);
	long_body[0] = '{';
	long_body[sizeof(long_body) - 2] = '}';
	g = BEGIN("standard_webhooks", KEY, script);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_int_equal(gateway_query(g, "pay_1", &p), errors[i]);
	/* an id that would be another path is not asked for */
	assert_int_equal(gateway_query(g, "../x", &p), ICERT_E_INVALID);
	end(g);
}

static void
pages(void **state)
{
	static const struct answer script[] = {
		{ "GET /v1/payments?from=100&to=200&limit=100 ", 200, NULL, "{\"data\":[" APPROVED "," PAYMENT("pay_2", "refunded", "") "],\"next\":\"pay_3\"}" },
		{ "&cursor=pay_3 ", 200, NULL, "{\"data\":[" PAYMENT("pay_3", "disputed", "") "],\"next\":null}" },
		/* again, and stopped by each() */
		{ NULL, 200, NULL, "{\"data\":[" APPROVED "," APPROVED "]}" },
		/* not whole: the second page fails */
		{ NULL, 200, NULL, "{\"data\":[" APPROVED "],\"next\":\"pay_3\"}" }, { NULL, 400, NULL, "{}" },
		{ NULL, 200, NULL, "{\"data\":[{}]}" },
		/* without end */
		{ NULL, 200, NULL, "{\"data\":[" APPROVED "],\"next\":\"pay_1\"}" }, { "&cursor=pay_1 ", 200, NULL, "{\"data\":[" APPROVED "],\"next\":\"pay_1\"}" },
	};
	struct listed l = { .n = 0 };
	struct gateway *g = BEGIN("standard_webhooks", KEY, script);

	(void)state;
	assert_int_equal(gateway_list(g, 100, 200, listed_add, &l), 0);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.rows[1].state, GATEWAY_REFUNDED);
	assert_int_equal(l.rows[1].refunded, 3105);
	assert_string_equal(l.rows[2].id, "pay_3");
	assert_true(l.rows[2].sure);
	l = (struct listed){ .most = 1 };
	assert_int_equal(gateway_list(g, 100, 200, listed_add, &l), 7);
	assert_int_equal(l.n, 1);
	l = (struct listed){ .n = 0 };
	assert_int_equal(gateway_list(g, 100, 200, listed_add, &l), ICERT_E_DENIED);
	assert_int_equal(gateway_list(g, 100, 200, listed_add, &l), ICERT_E_MALFORMED);
	assert_int_equal(gateway_list(g, 200, 200, listed_add, &l), 0);
	assert_int_equal(gateway_list(g, 100, 200, listed_add, &l), ICERT_E_MALFORMED);
	end(g);
}

/* ---- Stripe ---- */

#define CHARGE(more) "{\"id\":\"ch_1\",\"amount\":3105,\"currency\":\"usd\",\"created\":150,\"amount_refunded\":0,\"refunded\":false," more "}"
#define SESSION(id, status, paid, created, intent) "{\"id\":\"" id "\",\"client_reference_id\":\"" ORDER "\",\"status\":\"" status \
	"\",\"payment_status\":\"" paid "\",\"amount_total\":3105,\"currency\":\"usd\",\"created\":" created ",\"payment_intent\":" intent "}"
#define INTENT(status, charge) "{\"id\":\"pi_1\",\"status\":\"" status "\",\"latest_charge\":" charge "}"
#define PAID(id, created) SESSION(id, "complete", "paid", created, INTENT("succeeded", CHARGE("\"disputed\":false")))

static void
stripe_list(void **state)
{
	static const struct answer script[] = {
		/* begun the day before and paid within; begun within and open; begun and paid before */
		{ "GET /v1/checkout/sessions?created%5Bgte%5D=-86300&created%5Blt%5D=200&limit=50&expand%5B%5D=data.payment_intent.latest_charge ", 200, NULL,
		  "{\"data\":[" PAID("cs_1", "90") "," SESSION("cs_2", "open", "unpaid", "120", "null") "],\"has_more\":true}" },
		{ "&starting_after=cs_2 ", 200, NULL,
		  "{\"data\":[" SESSION("cs_3", "complete", "paid", "140", INTENT("succeeded", CHARGE("\"disputed\":true"))) "],\"has_more\":false}" },
		{ "GET /v1/disputes?payment_intent=pi_1&limit=1 ", 200, NULL, "{\"data\":[{\"status\":\"under_review\"}]}" },
		/* without end */
		{ NULL, 200, NULL, "{\"data\":[" PAID("cs_1", "150") "],\"has_more\":true}" },
		{ "&starting_after=cs_1 ", 200, NULL, "{\"data\":[" PAID("cs_1", "150") "],\"has_more\":true}" },
	};
	struct listed l = { .n = 0 };
	struct gateway *g = BEGIN("stripe", "secret_key = sk_1\n", script);

	(void)state;
	assert_int_equal(gateway_list(g, 100, 200, listed_add, &l), 0);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.rows[0].state, GATEWAY_APPROVED);
	assert_int_equal(l.rows[0].at, 150);
	assert_int_equal(l.rows[1].state, GATEWAY_PENDING);
	assert_int_equal(l.rows[2].state, GATEWAY_DISPUTED);
	l = (struct listed){ .n = 0 };
	assert_int_equal(gateway_list(g, 100, 200, listed_add, &l), ICERT_E_MALFORMED);
	end(g);
}

static void
stripe_states(void **state)
{
	static const struct { const char *session, *disputes; enum gateway_state state; int checking; } cases[] = {
		{ SESSION("cs_1", "open", "unpaid", "1", "null"), NULL, GATEWAY_PENDING, 0 },
		{ SESSION("cs_1", "expired", "unpaid", "1", "null"), NULL, GATEWAY_EXPIRED, 0 },
		{ SESSION("cs_1", "complete", "unpaid", "1", INTENT("processing", "null")), NULL, GATEWAY_PENDING, 1 },
		{ SESSION("cs_1", "complete", "unpaid", "1", INTENT("requires_payment_method", "null")), NULL, GATEWAY_REJECTED, 0 },
		{ SESSION("cs_1", "open", "unpaid", "1", INTENT("requires_payment_method", "null")), NULL, GATEWAY_PENDING, 0 },
		{ PAID("cs_1", "1"), NULL, GATEWAY_APPROVED, 0 },
		{ SESSION("cs_1", "complete", "paid", "1", INTENT("succeeded", CHARGE("\"disputed\":true"))), "won", GATEWAY_APPROVED, 0 },
		{ SESSION("cs_1", "complete", "paid", "1", INTENT("succeeded", CHARGE("\"disputed\":true"))), "lost", GATEWAY_REFUNDED, 0 },
		{ SESSION("cs_1", "complete", "paid", "1", INTENT("succeeded", CHARGE("\"disputed\":true"))), "needs_response", GATEWAY_DISPUTED, 0 },
	};
	struct gateway_payment p;
	char disputes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer script[2] = { { "GET /v1/checkout/sessions/cs_1?expand%5B%5D=payment_intent.latest_charge ", 200, NULL, cases[i].session } };
		struct gateway *g;

		snprintf(disputes, sizeof(disputes), "{\"data\":[{\"status\":\"%s\"}]}", cases[i].disputes != NULL ? cases[i].disputes : "");
		script[1] = (struct answer){ "GET /v1/disputes?", 200, NULL, disputes };
		g = begin("stripe", "secret_key = sk_1\n", script, cases[i].disputes != NULL ? 2 : 1);
		assert_int_equal(gateway_query(g, "cs_1", &p), 0);
		assert_int_equal(p.state, cases[i].state);
		assert_int_equal(p.checking, cases[i].checking);
		assert_string_equal(p.order, ORDER);
		end(g);
	}
}

/* What was charged counts, not what the session was to be; a part that went back is a sum beside it. */
static void
stripe_charged(void **state)
{
#define CHARGED(amount, back) SESSION("cs_1", "complete", "paid", "1", INTENT("succeeded", "{\"id\":\"ch_1\",\"amount\":" amount \
	",\"currency\":\"eur\",\"created\":150,\"amount_refunded\":" back ",\"refunded\":false,\"disputed\":false}"))
	static const struct answer script[] = { { NULL, 200, NULL, CHARGED("3104", "104") }, { NULL, 200, NULL, CHARGED("null", "0") } };
	struct gateway_payment p;
	struct gateway *g = BEGIN("stripe", "secret_key = sk_1\n", script);

	(void)state;
	assert_int_equal(gateway_query(g, "cs_1", &p), 0);
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_int_equal(p.cents, 3104);
	assert_string_equal(p.currency, "EUR");
	assert_int_equal(p.refunded, 104);
	assert_int_equal(gateway_query(g, "cs_1", &p), ICERT_E_MALFORMED);
	end(g);
}

/* What is said of another session, or of none, is nothing about the one that was asked for. */
static void
stripe_another(void **state)
{
	static const struct answer script[] = {
		{ "GET /v1/checkout/sessions/cs_1?", 200, NULL, PAID("cs_2", "1") },
		{ "GET /v1/checkout/sessions?payment_intent=pi_1&limit=1&", 200, NULL, "{\"data\":[" PAID("cs_2", "1") "]}" },
		{ "GET /v1/checkout/sessions?payment_intent=pi_1&limit=1&", 200, NULL, "{\"data\":[]}" },
	};
	struct gateway_payment p;
	struct gateway *g = BEGIN("stripe", "secret_key = sk_1\n", script);

	(void)state;
	assert_int_equal(gateway_query(g, "cs_1", &p), ICERT_E_MALFORMED);
	assert_int_equal(gateway_query(g, "pi_1", &p), 0);
	assert_string_equal(p.id, "cs_2");
	assert_int_equal(gateway_query(g, "pi_1", &p), ICERT_E_NOT_FOUND);
	end(g);
}

static void
stripe_refund(void **state)
{
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = "cs_1", .cents = 3105, .currency = "USD" };
	static const struct answer script[] = {
		/* asked for the first time: it takes its while */
		{ NULL, 200, NULL, PAID("cs_1", "1") }, { "GET /v1/refunds?payment_intent=pi_1&limit=100 ", 200, NULL, "{\"data\":[]}" },
		{ "payment_intent=pi_1&amount=3105&metadata%5Brefund%5D=r-1", 200, NULL, "{\"id\":\"re_1\",\"status\":\"pending\"}" },
		/* asked again: found, and not asked for a second time, however long ago */
		{ NULL, 200, NULL, PAID("cs_1", "1") },
		{ NULL, 200, NULL, "{\"data\":[{\"id\":\"re_0\",\"status\":\"succeeded\",\"metadata\":{}},{\"id\":\"re_1\",\"status\":\"succeeded\",\"metadata\":{\"refund\":\"r-1\"}}]}" },
		/* and one that failed in the end */
		{ NULL, 200, NULL, PAID("cs_1", "1") }, { NULL, 200, NULL, "{\"data\":[{\"id\":\"re_1\",\"status\":\"failed\",\"metadata\":{\"refund\":\"r-1\"}}]}" },
		/* nothing left to give back */
		{ NULL, 200, NULL, PAID("cs_1", "1") }, { NULL, 200, NULL, "{\"data\":[]}" },
		{ "Idempotency-Key: r-1\r\n", 400, NULL, "{\"error\":{\"code\":\"charge_already_refunded\"}}" },
	};
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("stripe", "secret_key = sk_1\n", script);

	(void)state;
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 1);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 0);
	assert_string_equal(id, "re_1");
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	end(g);
}

/* ---- Placetopay ---- */

#define TRANSACTION(status, total, refunded) "{\"status\":{\"status\":\"" status "\"},\"internalReference\":77,\"amount\":{\"from\":{\"currency\":\"USD\",\"total\":" \
	total "}},\"refunded\":" refunded "}"
#define PTP_SESSION(status, reason, payments) "{\"requestId\":1234,\"status\":{\"status\":\"" status "\",\"reason\":\"" reason \
	"\",\"date\":\"2019-01-01T12:00:00-05:00\"},\"request\":{\"payment\":{\"reference\":\"11111111111141118111111111111111\"," \
	"\"amount\":{\"currency\":\"USD\",\"total\":31.05}}},\"payment\":" payments "}"

static void
placetopay_states(void **state)
{
	static const struct { const char *session; int error; enum gateway_state state; int checking; int64_t cents; int times; } cases[] = {
		{ PTP_SESSION("PENDING", "PC", "null"), 0, GATEWAY_PENDING, 0, 3105, 0 },
		{ PTP_SESSION("PENDING", "PT", "[" TRANSACTION("PENDING", "31.05", "false") "]"), 0, GATEWAY_PENDING, 1, 3105, 0 },
		{ PTP_SESSION("REJECTED", "05", "[" TRANSACTION("REJECTED", "31.05", "false") "]"), 0, GATEWAY_REJECTED, 0, 3105, 0 },
		{ PTP_SESSION("REJECTED", "EX", "null"), 0, GATEWAY_EXPIRED, 0, 3105, 0 },
		{ PTP_SESSION("FAILED", "XX", "null"), 0, GATEWAY_REJECTED, 0, 3105, 0 },
		{ PTP_SESSION("APPROVED", "00", "[" TRANSACTION("REJECTED", "31.05", "false") "," TRANSACTION("APPROVED", "31.05", "false") "]"), 0, GATEWAY_APPROVED, 0, 3105, 1 },
		{ PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.04", "false") "]"), 0, GATEWAY_APPROVED, 0, 3104, 1 },
		{ PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.05", "false") "," TRANSACTION("APPROVED", "31.05", "false") "]"), 0, GATEWAY_APPROVED, 0, 3105, 2 },
		{ PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.05", "true") "]"), 0, GATEWAY_REFUNDED, 0, 3105, 1 },
		{ PTP_SESSION("APPROVED_PARTIAL", "00", "[" TRANSACTION("APPROVED", "10", "false") "]"), 0, GATEWAY_PENDING, 1, 3105, 0 },
		{ PTP_SESSION("PARTIAL_EXPIRED", "00", "[" TRANSACTION("APPROVED", "10", "false") "]"), 0, GATEWAY_APPROVED, 0, 1000, 1 },
		/* two that come to the total: parts, and no payment too many */
		{ PTP_SESSION("PARTIAL_EXPIRED", "00", "[" TRANSACTION("APPROVED", "10", "false") "," TRANSACTION("APPROVED", "10", "false") "]"), 0, GATEWAY_APPROVED, 0, 2000, 1 },
		/* approved, and nothing says how much */
		{ PTP_SESSION("APPROVED", "00", "null"), ICERT_E_MALFORMED, 0, 0, 0, 0 },
		{ PTP_SESSION("APPROVED", "00", "[{}]"), ICERT_E_MALFORMED, 0, 0, 0, 0 },
		{ PTP_SESSION("SPLENDID", "00", "null"), ICERT_E_MALFORMED, 0, 0, 0, 0 },
	};
	struct gateway_payment p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer script[] = { { "POST /api/session/1234 ", 200, NULL, cases[i].session } };
		struct gateway *g = BEGIN("placetopay", "login = a\nsecret_key = b\n", script);

		assert_int_equal(gateway_query(g, "1234", &p), cases[i].error);
		end(g);
		if (cases[i].error != 0)
			continue;
		assert_int_equal(p.state, cases[i].state);
		assert_int_equal(p.checking, cases[i].checking);
		assert_int_equal(p.cents, cases[i].cents);
		assert_int_equal(p.times, cases[i].times);
		assert_string_equal(p.order, ORDER);
	}
}

/* Two currencies in one session are none that an order has; and what is said of another session is nothing about this one. */
static void
placetopay_another(void **state)
{
	static const struct answer script[] = {
		{ "POST /api/session/1234 ", 200, NULL, PTP_SESSION("APPROVED", "00", "[{\"status\":{\"status\":\"APPROVED\"},\"amount\":{\"from\":{\"currency\":\"COP\","
		  "\"total\":1}}}," TRANSACTION("APPROVED", "30.05", "false") "]") },
		{ "POST /api/session/1235 ", 200, NULL, PTP_SESSION("PENDING", "PC", "null") },
	};
	struct gateway_payment p;
	struct gateway *g = BEGIN("placetopay", "login = a\nsecret_key = b\n", script);

	(void)state;
	assert_int_equal(gateway_query(g, "1234", &p), 0);
	assert_string_equal(p.currency, "XXX");
	assert_int_equal(gateway_query(g, "1235", &p), ICERT_E_MALFORMED);
	end(g);
}

static void
placetopay_refund(void **state)
{
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = "1234", .cents = 3105, .currency = "USD" };
	static const struct gateway_refund_request part = { .refund = "r-2", .payment = "1234", .cents = 100, .currency = "USD" };
	static const struct gateway_refund_request foreign = { .refund = "r-3", .payment = "1234", .cents = 3105, .currency = "COP" };
	static const char paid[] = PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.05", "false") "]");
	static const struct answer script[] = {
		{ NULL, 200, NULL, paid }, { "\"internalReference\":77", 200, NULL, "{\"status\":{\"status\":\"APPROVED\"}}" },
		/* asked again after a crash: it went back already */
		{ NULL, 200, NULL, PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.05", "true") "]") },
		{ NULL, 200, NULL, paid }, { "POST /api/reverse ", 200, NULL, "{\"status\":{\"status\":\"PENDING\"}}" },
		{ NULL, 200, NULL, paid }, { NULL, 200, NULL, "{\"status\":{\"status\":\"REJECTED\"}}" },
		/* parts, and payments too many, are for people */
		{ NULL, 200, NULL, paid },
		{ NULL, 200, NULL, PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.05", "false") "," TRANSACTION("APPROVED", "31.05", "false") "]") },
		{ NULL, 200, NULL, PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.00", "false") "," TRANSACTION("APPROVED", "0.05", "false") "]") },
		{ NULL, 200, NULL, paid },
	};
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("placetopay", "login = a\nsecret_key = b\n", script);

	(void)state;
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 0);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 0);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 1);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &part, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &foreign, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_list(g, 1, 2, listed_add, NULL), ICERT_E_UNSUPPORTED);
	end(g);
}

/* libcurl repeats by itself what went over a connection that it had kept and that ends without an answer: not what would be another refund. */
static void
placetopay_once(void **state)
{
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = "1234", .cents = 3105, .currency = "USD" };
	static const struct answer script[] = {
		{ "POST /api/session/1234 ", 200, kept, PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.05", "false") "]") },
		{ "POST /api/reverse ", 0, NULL, NULL },
		{ "POST /api/session/1234 ", 200, NULL, PTP_SESSION("APPROVED", "00", "[" TRANSACTION("APPROVED", "31.05", "true") "]") },
	};
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("placetopay", "login = a\nsecret_key = b\n", script);

	(void)state;
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_UNAVAILABLE);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	end(g);
}

/* ---- Kushki ---- */

#define KUSHKI "public_merchant_id = p\nprivate_merchant_id = s\nmerchant_name = m\n"
#define ROW(type, order, begun, at) TICKET("T1", type, order, begun, at)
#define TICKET(ticket, type, order, begun, at) "{\"ticket_number\":\"" ticket "\",\"transaction_type\":\"" type "\",\"transaction_status\":\"APPROVAL\"," \
	"\"approved_transaction_amount\":31.05,\"currency_code\":\"USD\",\"created\":" at "000,\"metadata\":{\"order\":\"" order "\",\"begun\":\"" begun "\"}}"
#define OTHER "22222222-2222-4222-8222-222222222222"
#define NOW_ROW(type) ROW(type, ORDER, "4102444000", "4102444100")

static void
kushki_list(void **state)
{
	static const struct answer script[] = {
		{ "GET /analytics/v1/transactions-list?from=2001-09-09T01%3A46%3A40.000&to=2001-09-10T01%3A46%3A40.000&timezone=UTC&limit=100&offset=0 ", 200, NULL,
		  "{\"data\":[" ROW("SALE", ORDER, "1000000000", "1000000050") "," ROW("SALE", OTHER, "1000000010", "1000000060") ","
		  ROW("REFUND", ORDER, "1000000000", "1000000070") ",{\"transaction_status\":\"APPROVAL\",\"metadata\":{}}]}" },
		/* the same sale on two pages is one sale */
		{ NULL, 200, NULL, "{\"data\":[" ROW("SALE", ORDER, "1000000000", "1000000050") "," ROW("SALE", OTHER, "1000000010", "1000000060") ","
		  ROW("SALE", ORDER, "1000000000", "1000000050") "]}" },
	};
	struct listed l = { .n = 0 };
	struct gateway *g = BEGIN("kushki", KUSHKI, script);

	(void)state;
	assert_int_equal(gateway_list(g, 1000000000, 1000086400, listed_add, &l), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.rows[0].id, ORDER ":1000000000");
	assert_int_equal(l.rows[0].state, GATEWAY_REFUNDED);
	assert_int_equal(l.rows[0].refunded, 3105);
	assert_string_equal(l.rows[1].order, OTHER);
	assert_int_equal(l.rows[1].state, GATEWAY_APPROVED);
	assert_int_equal(l.rows[1].cents, 3105);
	l = (struct listed){ .n = 0 };
	assert_int_equal(gateway_list(g, 1000000000, 1000086400, listed_add, &l), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.rows[0].times, 1);
	end(g);
}

static void
kushki_refund(void **state)
{
	/* Begun in a time to come, so that one question covers it. */
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = ORDER ":4102444000", .cents = 3105, .currency = "USD" };
	static const struct gateway_refund_request part = { .refund = "r-2", .payment = ORDER ":4102444000", .cents = 100, .currency = "USD" };
	static const struct gateway_refund_request foreign = { .refund = "r-3", .payment = ORDER ":4102444000", .cents = 3105, .currency = "COP" };
	static const char twice[] = "{\"data\":[" NOW_ROW("SALE") "," TICKET("T2", "SALE", ORDER, "4102444000", "4102444100") "]}";
	static const struct answer script[] = {
		{ NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "]}" },
		{ "DELETE /v1/refund/T1 ", 201, NULL, "{\"ticketNumber\":\"9\"}" },
		{ NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "," NOW_ROW("REFUND") "]}" },
		{ NULL, 200, NULL, "{\"data\":[]}" },
		/* a whole sale goes back or nothing, one of one alone: nothing more is asked for */
		{ NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "]}" }, { NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "]}" }, { NULL, 200, NULL, twice },
		{ NULL, 200, NULL, twice },
	};
	struct gateway_payment p;
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("kushki", KUSHKI, script);

	(void)state;
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 1);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 0);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &part, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &foreign, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	assert_int_equal(gateway_query(g, ask.payment, &p), 0);
	assert_int_equal(p.times, 2);
	assert_int_equal(gateway_query(g, "no-checkout-of-ours", &p), ICERT_E_INVALID);
	end(g);
}

/* A part that somebody returned in Kushki's console: the rest is there still, the order stays paid, and nobody asks for that rest by itself. */
static void
kushki_part(void **state)
{
#define PART_ROW(ticket, amount) "{\"ticket_number\":\"" ticket "\",\"transaction_type\":\"REFUND\",\"transaction_status\":\"APPROVAL\"" amount \
	",\"currency_code\":\"USD\",\"created\":4102444100000,\"metadata\":{\"order\":\"" ORDER "\",\"begun\":\"4102444000\"}}"
#define SOLD(rest) { NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "," rest "]}" }
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = ORDER ":4102444000", .cents = 3105, .currency = "USD" };
	static const struct answer script[] = {
		SOLD(PART_ROW("P1", ",\"approved_transaction_amount\":1.05")), SOLD(PART_ROW("P1", ",\"approved_transaction_amount\":1.05")),
		/* the rest of it too; and a return that names no amount is one of all */
		SOLD(PART_ROW("P1", ",\"approved_transaction_amount\":1.05") "," PART_ROW("P2", ",\"approved_transaction_amount\":30")), SOLD(PART_ROW("P1", "")),
	};
	struct gateway_payment p;
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("kushki", KUSHKI, script);

	(void)state;
	assert_int_equal(gateway_query(g, ask.payment, &p), 0);
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_int_equal(p.cents, 3105);
	assert_int_equal(p.times, 1);
	assert_int_equal(p.refunded, 105);
	assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(gateway_query(g, ask.payment, &p), 0);
		assert_int_equal(p.state, GATEWAY_REFUNDED);
		assert_int_equal(p.times, 0);
		assert_int_equal(p.refunded, 3105);
	}
	end(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tried_again),
		cmocka_unit_test(not_believed),
		cmocka_unit_test(pages),
		cmocka_unit_test(stripe_list),
		cmocka_unit_test(stripe_states),
		cmocka_unit_test(stripe_charged),
		cmocka_unit_test(stripe_another),
		cmocka_unit_test(stripe_refund),
		cmocka_unit_test(placetopay_states),
		cmocka_unit_test(placetopay_another),
		cmocka_unit_test(placetopay_refund),
		cmocka_unit_test(placetopay_once),
		cmocka_unit_test(kushki_list),
		cmocka_unit_test(kushki_refund),
		cmocka_unit_test(kushki_part),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
