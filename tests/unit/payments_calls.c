/* payments/: the calls that adapters make, against a server that answers by a script: what is tried again, what is believed, lists, refunds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "payments/gateway.h"

#define ORDER "11111111-1111-4111-8111-111111111111"

/* One answer: what the request must hold, and what comes back; status 0: the connection is closed without a word, SILENCE: none comes. */
#define SILENCE -1
struct answer {
	const char *wanted;
	int status;
	const char *headers, *body;
};

static struct {
	int listener;
	const struct answer *script;
	size_t n, at;            /* answers given */
	char unwanted[4096];     /* a request that was not as it should be */
	pthread_t thread;
} server;

static char folder[] = "/tmp/icert-calls-XXXXXX", credentials_file[64], adapter[32], url[64];
static struct config_entry entries[] = {
	{ "gateways", "names", "here" }, { "gateways", "here.adapter", adapter }, { "gateways", "here.credentials_file", credentials_file },
	{ "gateways", "here.url", url },
};
static struct config config = { .entries = entries, .n = 4 };

static void
serve(int fd)
{
	const struct answer *a = &server.script[server.at];
	char request[16384] = "", head[512];
	size_t n = 0, length = 0;
	const char *end, *field;
	ssize_t got;

	while (n < sizeof(request) - 1 && (got = read(fd, request + n, sizeof(request) - 1 - n)) > 0) {
		n += (size_t)got;
		request[n] = '\0';
		if ((end = strstr(request, "\r\n\r\n")) == NULL)
			continue;
		if ((field = strstr(request, "Content-Length: ")) != NULL && field < end)
			length = strtoul(field + 16, NULL, 10);
		if (n >= (size_t)(end + 4 - request) + length)
			break;
	}
	if (n == 0)
		return;
	server.at++;
	if (a->wanted != NULL && strstr(request, a->wanted) == NULL)
		snprintf(server.unwanted, sizeof(server.unwanted), "no \"%s\" in:\n%.3000s", a->wanted, request);
	while (a->status == SILENCE && read(fd, head, sizeof(head)) > 0)
		;
	if (a->status <= 0)
		return;
	n = (size_t)snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", a->status,
	    strlen(a->body), a->headers != NULL ? a->headers : "");
	if (write(fd, head, n) == (ssize_t)n)
		(void)!write(fd, a->body, strlen(a->body));
}

static void *
serve_all(void *arg)
{
	(void)arg;
	while (server.at < server.n) {
		int fd = accept(server.listener, NULL, NULL);

		if (fd < 0)
			break;
		serve(fd);
		close(fd);
	}
	return NULL;
}

static struct gateway *
begin(const char *name, const char *credentials, const struct answer *script, size_t n)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	struct gateway *gateway = NULL;
	FILE *file = fopen(credentials_file, "w");

	fputs(credentials, file);
	fclose(file);
	chmod(credentials_file, 0600);
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server.listener, 8), 0);
	assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	strcpy(adapter, name);
	server.script = script;
	server.n = n;
	server.at = 0;
	server.unwanted[0] = '\0';
	assert_int_equal(pthread_create(&server.thread, NULL, serve_all, NULL), 0);
	assert_int_equal(gateway_open(&config, "here", GATEWAY_API, &gateway), 0);
	return gateway;
}

/* All of the script was asked for, and nothing else. */
static void
end(struct gateway *gateway)
{
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	gateway_free(gateway);
	assert_string_equal(server.unwanted, "");
	assert_int_equal(server.at, server.n);
}

#define BEGIN(name, credentials, script) begin(name, credentials, script, sizeof(script) / sizeof((script)[0]))
#define KEY "api_key = abc\n"
#define PAYMENT(id, status, at) "{\"id\":\"" id "\",\"reference\":\"" ORDER "\",\"status\":\"" status "\",\"amount\":\"31.05\",\"currency\":\"USD\"," \
	"\"captures\":1,\"at\":\"" at "\"}"
#define APPROVED PAYMENT("pay_1", "approved", "2026-11-20T12:00:00Z")

static const struct gateway_checkout_request request = {
	.order = ORDER, .once = ORDER ":1", .number = "P-2026-000001-1", .description = "Archivo PKCS#12 & más", .cents = 3105, .net = 2700, .tax = 405,
	.tax_bp = 1500, .currency = "USD", .return_url = "https://x.example/orden/1/vuelta", .notify_url = "https://x.example/avisos/here",
	.seconds = 86400, .address = "192.0.2.7", .browser = "Mozilla/5.0",
};

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

struct listed {
	struct gateway_payment rows[16];
	int n, most;
};

static int
listed_add(void *arg, const struct gateway_payment *p)
{
	struct listed *l = arg;

	l->rows[l->n++] = *p;
	return l->n == l->most ? 7 : 0;
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

static void
placetopay_refund(void **state)
{
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = "1234", .cents = 3105, .currency = "USD" };
	static const struct gateway_refund_request part = { .refund = "r-2", .payment = "1234", .cents = 100, .currency = "USD" };
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
	assert_int_equal(gateway_list(g, 1, 2, listed_add, NULL), ICERT_E_UNSUPPORTED);
	end(g);
}

/* ---- Kushki ---- */

#define KUSHKI "public_merchant_id = p\nprivate_merchant_id = s\nmerchant_name = m\n"
#define ROW(type, order, begun, at) "{\"ticket_number\":\"T1\",\"transaction_type\":\"" type "\",\"transaction_status\":\"APPROVAL\"," \
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
	end(g);
}

static void
kushki_refund(void **state)
{
	/* Begun in a time to come, so that one question covers it. */
	static const struct gateway_refund_request ask = { .refund = "r-1", .payment = ORDER ":4102444000", .cents = 3105, .currency = "USD" };
	static const struct answer script[] = {
		{ NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "]}" },
		{ "DELETE /v1/refund/T1 ", 201, NULL, "{\"ticketNumber\":\"9\"}" },
		{ NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "," NOW_ROW("REFUND") "]}" },
		{ NULL, 200, NULL, "{\"data\":[]}" },
		{ NULL, 200, NULL, "{\"data\":[" NOW_ROW("SALE") "," NOW_ROW("SALE") "]}" },
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
	assert_int_equal(gateway_query(g, ask.payment, &p), 0);
	assert_int_equal(p.times, 2);
	assert_int_equal(gateway_query(g, "no-checkout-of-ours", &p), ICERT_E_INVALID);
	end(g);
}

/* ---- Payphone ---- */

#define PAYPHONE "token = t\nstore_id = s\nreference_key = aa2b1d7c9e0f4a55\n"
#define REF "0jgx6zk3m9qzn2f"
#define SALE(status, word, amount, currency, more) "{\"statusCode\":" status ",\"transactionStatus\":\"" word "\",\"clientTransactionId\":\"" REF \
	"\",\"transactionId\":77,\"amount\":" amount ",\"currency\":\"" currency "\",\"optionalParameter1\":\"" ORDER "\"" more "}"
#define PAID_SALE SALE("3", "Approved", "3105", "USD", "")
#define CONFIRM "POST /api/button/V2/Confirm "
#define NO_SALE "{\"message\":\"La transacción no existe\",\"errorCode\":20}"

static void
payphone_states(void **state)
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
payphone_returned(void **state)
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
payphone_checkout(void **state)
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
payphone_refund(void **state)
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
		{ NULL, 404, NULL, NO_SALE },
	};
	char id[GATEWAY_ID];
	int pending;
	struct gateway *g = BEGIN("payphone", PAYPHONE, script);

	(void)state;
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	assert_int_equal(pending, 0);
	assert_string_equal(id, "77");
	assert_int_equal(gateway_refund(g, &ask, id, &pending), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(gateway_refund(g, &ask, id, &pending), ICERT_E_DENIED);
	end(g);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(credentials_file, sizeof(credentials_file), "%s/credentials", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(credentials_file);
	return rmdir(folder);
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
		cmocka_unit_test(stripe_refund),
		cmocka_unit_test(placetopay_states),
		cmocka_unit_test(placetopay_refund),
		cmocka_unit_test(kushki_list),
		cmocka_unit_test(kushki_refund),
		cmocka_unit_test(payphone_states),
		cmocka_unit_test(payphone_returned),
		cmocka_unit_test(payphone_checkout),
		cmocka_unit_test(payphone_refund),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
