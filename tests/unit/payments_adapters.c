/* payments/: what each gateway's adapter makes of notifications, held against signatures that the openssl command made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "payments/gateway.h"
#include "payments/gateway_adapter.h"

#define AT 1614265330
#define ORDER "11111111-1111-4111-8111-111111111111"

static char folder[] = "/tmp/icert-adapters-XXXXXX";
static char secret_file[64], credentials_file[64], adapter[32];
static struct config_entry entries[] = {
	{ "gateways", "names", "here" },
	{ "gateways", "here.adapter", adapter },
	{ "gateways", "here.secret_file", secret_file },
	{ "gateways", "here.credentials_file", credentials_file },
	{ "gateways", "here.url", "http://127.0.0.1:1" },
};
static struct config config = { .entries = entries, .n = 5 };

static void
put(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static struct gateway *
open_as(const char *name, const char *secrets)
{
	struct gateway *gateway = NULL;

	strcpy(adapter, name);
	put(secret_file, secrets, 0600);
	if (gateway_open(&config, "here", GATEWAY_NOTICES, &gateway) != 0)
		return NULL;
	return gateway;
}

struct one_header {
	const char *name[2], *value[2];
};

static const char *
header(void *arg, const char *name)
{
	struct one_header *h = arg;

	for (int i = 0; i < 2; i++)
		if (h->name[i] != NULL && strcmp(name, h->name[i]) == 0)
			return h->value[i];
	return NULL;
}

static char event[GATEWAY_ID];

static int
verify(const struct gateway *g, struct one_header h, const char *body, int64_t now)
{
	struct gateway_notice notice = { header, &h, (const uint8_t *)body, strlen(body) };

	event[0] = '\0';
	return gateway_verify(g, &notice, now, event);
}

/* ---- Placetopay ---- */

/*
 * printf 1234APPROVED2019-01-01T12:00:00-05:00ABC123DEF456GHI789 | openssl dgst -sha1
 * and -sha256
 */
#define PTP_KEY "ABC123DEF456GHI789"
#define PTP_SHA1 "3f387e67ee89b588e05991bea7151f570f872337"
#define PTP_SHA256 "8f708124f80a4bb36bb0ac0bbb859757f8c9d30d154ed327bba1a3bed312609f"
#define PTP(id, word, date, signature) "{\"status\":{\"status\":\"" word "\",\"reason\":\"00\",\"date\":\"" date "\"},\"requestId\":" id \
	",\"reference\":\"11111111111141118111111111111111\",\"signature\":\"" signature "\"}"
#define DATE "2019-01-01T12:00:00-05:00"

static void
placetopay(void **state)
{
	static const struct one_header none;
	struct gateway *g = open_as("placetopay", "another key\n" PTP_KEY "\n");
	struct gateway_payment p;
	char first[GATEWAY_ID];
	const char *body = PTP("1234", "APPROVED", DATE, PTP_SHA1);

	(void)state;
	assert_non_null(g);
	assert_int_equal(verify(g, none, body, AT), 0);
	strcpy(first, event);
	/* the same event under either digest, whatever is not signed, a number or its digits */
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED", DATE, "sha256:" PTP_SHA256), AT), 0);
	assert_string_equal(event, first);
	assert_int_equal(verify(g, none, PTP("\"1234\"", "APPROVED", DATE, PTP_SHA1), AT), 0);
	assert_string_equal(event, first);
	assert_int_equal(verify(g, none, PTP("1235", "APPROVED", DATE, PTP_SHA1), AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, PTP("1234", "REJECTED", DATE, PTP_SHA1), AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED", "2019-01-01T12:00:01-05:00", PTP_SHA1), AT), ICERT_E_FORGED);
	/* the same octets, divided in another way */
	assert_int_equal(verify(g, none, PTP("12", "34APPROVED", DATE, PTP_SHA1), AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED2019", "-01-01T12:00:00-05:00", PTP_SHA1), AT), ICERT_E_FORGED);
	/* a digest under the other's name, cut, empty, none */
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED", DATE, "sha256:" PTP_SHA1), AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED", DATE, PTP_SHA256), AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED", DATE, "3f387e67"), AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED", DATE, ""), AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, "{}", AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, none, "", AT), ICERT_E_FORGED);
	assert_int_equal(gateway_read(g, body, strlen(body), &p), 0);
	assert_string_equal(p.id, "1234");
	assert_string_equal(p.order, ORDER);
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_int_equal(p.cents, -1);
	assert_false(p.sure);
	body = PTP("1234", "GREAT", DATE, "");
	assert_int_equal(gateway_read(g, body, strlen(body), &p), ICERT_E_MALFORMED);
	gateway_free(g);
	g = open_as("placetopay", "a key that was given up\n");
	assert_int_equal(verify(g, none, PTP("1234", "APPROVED", DATE, PTP_SHA1), AT), ICERT_E_FORGED);
	gateway_free(g);
}

/* ---- Stripe ---- */

/* printf '1614265330.%s' "$body" | openssl dgst -sha256 -hmac "$secret" */
#define STRIPE_KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STRIPE_BODY "{\"id\":\"evt_1\",\"type\":\"checkout.session.completed\"}"
#define STRIPE_V1 "d550d5929d67a3a4a09839eb2dc87aceec20ee077a158ae3c812309741a1dad9"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static int
stripe_says(const struct gateway *g, const char *signature, const char *body, int64_t now)
{
	struct one_header h = { { "stripe-signature", NULL }, { signature, NULL } };

	return verify(g, h, body, now);
}

static int
reads(const struct gateway *g, const char *body, struct gateway_payment *p)
{
	return gateway_read(g, body, strlen(body), p);
}

#define SESSION(status, paid, more) "{\"id\":\"cs_test_1\",\"client_reference_id\":\"" ORDER "\",\"status\":\"" status "\",\"payment_status\":\"" paid \
	"\",\"amount_total\":3105,\"currency\":\"usd\",\"created\":1614265000" more "}"
#define EVENT(type, object) "{\"id\":\"evt_1\",\"type\":\"" type "\",\"data\":{\"object\":" object "}}"

static void
stripe(void **state)
{
	struct gateway *g = open_as("stripe", "whsec_0123456789abcdef\n" STRIPE_KEY "\n");
	struct gateway_payment p;

	(void)state;
	assert_non_null(g);
	assert_int_equal(stripe_says(g, "t=1614265330,v1=" STRIPE_V1, STRIPE_BODY, AT), 0);
	assert_string_equal(event, "evt_1");
	assert_int_equal(stripe_says(g, "t=1614265330,v1=" ZEROS ",v1=" STRIPE_V1 ",v0=" ZEROS, STRIPE_BODY, AT + 300), 0);
	assert_int_equal(stripe_says(g, "t=1614265330,v1=" STRIPE_V1, STRIPE_BODY, AT + 301), ICERT_E_STALE);
	assert_int_equal(stripe_says(g, "t=1614265330,v1=" STRIPE_V1, STRIPE_BODY, AT - 301), ICERT_E_STALE);
	assert_int_equal(stripe_says(g, "t=1614265331,v1=" STRIPE_V1, STRIPE_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, "t=1614265330,v1=" STRIPE_V1, STRIPE_BODY " ", AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, "t=1614265330,v0=" STRIPE_V1, STRIPE_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, "t=1614265330,t=1614265330,v1=" STRIPE_V1, STRIPE_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, "v1=" STRIPE_V1, STRIPE_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, "t=1614265330,v1=d550d592", STRIPE_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, "t=1614265330", STRIPE_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, "", STRIPE_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(stripe_says(g, NULL, STRIPE_BODY, AT), ICERT_E_FORGED);

	assert_int_equal(reads(g, EVENT("checkout.session.completed", SESSION("complete", "paid", "")), &p), 0);
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_string_equal(p.order, ORDER);
	assert_int_equal(p.cents, 3105);
	assert_string_equal(p.currency, "USD");
	assert_true(p.sure);
	assert_int_equal(reads(g, EVENT("checkout.session.completed", SESSION("complete", "unpaid", "")), &p), 0);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_true(p.checking);
	assert_int_equal(reads(g, EVENT("checkout.session.async_payment_failed", SESSION("complete", "unpaid", "")), &p), 0);
	assert_int_equal(p.state, GATEWAY_REJECTED);
	assert_int_equal(reads(g, EVENT("checkout.session.expired", SESSION("expired", "unpaid", "")), &p), 0);
	assert_int_equal(p.state, GATEWAY_EXPIRED);
	/* without amount or currency a signature says nothing of them */
	assert_int_equal(reads(g, EVENT("checkout.session.completed", "{\"id\":\"cs_1\",\"payment_status\":\"paid\",\"currency\":\"usd\"}"), &p), 0);
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_false(p.sure);
	assert_int_equal(reads(g, EVENT("checkout.session.completed", "{\"id\":\"cs_1\",\"payment_status\":\"paid\",\"amount_total\":3105}"), &p), 0);
	assert_false(p.sure);
	assert_int_equal(reads(g, EVENT("charge.dispute.created", "{\"id\":\"du_1\",\"payment_intent\":\"pi_1\"}"), &p), 0);
	assert_string_equal(p.id, "pi_1");
	assert_false(p.sure);
	assert_int_equal(reads(g, EVENT("customer.created", "{\"id\":\"cus_1\"}"), &p), ICERT_E_MALFORMED);
	assert_int_equal(reads(g, EVENT("charge.refunded", "{\"id\":\"ch_1\",\"payment_intent\":\"../x\"}"), &p), ICERT_E_MALFORMED);
	gateway_free(g);
	assert_null(open_as("stripe", "sk_test_0123456789abcdef\n"));
}

/* ---- Kushki ---- */

/* printf '%s.1614265330' "$body" | openssl dgst -sha256 -hmac aa2b1d7c9e0f4a55, and with milliseconds */
#define KUSHKI_KEY "aa2b1d7c9e0f4a55"
#define KUSHKI_BODY "{\"ticketNumber\":\"672148913082649091\",\"amount\":{\"subtotalIva0\":0,\"iva\":4.05,\"subtotalIva\":27,\"currency\":\"USD\"}," \
	"\"metadata\":{\"order\":\"" ORDER "\",\"begun\":\"1614265300\"},\"transactionReference\":\"b38e51f3\",\"created\":1614265330120," \
	"\"smartLink\":\"nL_JmVeTk\",\"transactionType\":\"SALE\",\"status\":\"approvedTransaction\"}"
#define KUSHKI_S "2ae558820dda8762a540907b9f1f7a640bce4a9c6d4c23578925da1ee70cf810"
#define KUSHKI_MS "d17471e975373189087ab2d4c3b29813874f9421c933cc0929bb3bfa620dfc67"

static int
kushki_says(const struct gateway *g, const char *id, const char *signature, const char *body, int64_t now)
{
	struct one_header h = { { "x-kushki-id", "x-kushki-signature" }, { id, signature } };

	return verify(g, h, body, now);
}

static void
kushki(void **state)
{
	struct gateway *g = open_as("kushki", "0123456789abcdef\n" KUSHKI_KEY "\n");
	struct gateway_payment p;
	char first[GATEWAY_ID];

	(void)state;
	assert_non_null(g);
	assert_int_equal(kushki_says(g, "1614265330", KUSHKI_S, KUSHKI_BODY, AT), 0);
	strcpy(first, event);
	/* signed anew for another try: the same event */
	assert_int_equal(kushki_says(g, "1614265330120", KUSHKI_MS, KUSHKI_BODY, AT), 0);
	assert_string_equal(event, first);
	assert_int_equal(kushki_says(g, "1614265330", KUSHKI_S, KUSHKI_BODY, AT + 301), ICERT_E_STALE);
	assert_int_equal(kushki_says(g, "1614265330120", KUSHKI_MS, KUSHKI_BODY, AT - 301), ICERT_E_STALE);
	assert_int_equal(kushki_says(g, "1614265331", KUSHKI_S, KUSHKI_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(kushki_says(g, "1614265330", KUSHKI_MS, KUSHKI_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(kushki_says(g, "1614265330", KUSHKI_S, KUSHKI_BODY "\n", AT), ICERT_E_FORGED);
	assert_int_equal(kushki_says(g, "", KUSHKI_S, KUSHKI_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(kushki_says(g, "16142653301", KUSHKI_S, KUSHKI_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(kushki_says(g, NULL, KUSHKI_S, KUSHKI_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(kushki_says(g, "1614265330", NULL, KUSHKI_BODY, AT), ICERT_E_FORGED);
	assert_int_equal(kushki_says(g, "1614265330", "2ae55882", KUSHKI_BODY, AT), ICERT_E_FORGED);

	assert_int_equal(reads(g, KUSHKI_BODY, &p), 0);
	assert_string_equal(p.id, ORDER ":1614265300");
	assert_string_equal(p.order, ORDER);
	assert_int_equal(p.cents, 3105);
	assert_string_equal(p.currency, "USD");
	assert_int_equal(p.at, AT);
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_true(p.sure);
	/* what was approved counts, and what was sent back is asked for */
	assert_int_equal(reads(g, "{\"ticket_number\":\"1\",\"transaction_type\":\"REFUND\",\"transaction_status\":\"APPROVAL\",\"currency_code\":\"USD\","
	    "\"approved_transaction_amount\":31.05,\"amount\":{\"subtotalIva0\":1},\"metadata\":{\"order\":\"" ORDER "\",\"begun\":\"1614265300\"}}", &p), 0);
	assert_int_equal(p.cents, 3105);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_false(p.sure);
	/* without amount or currency a signature says nothing of them */
#define KUSHKI_SALE(more) "{\"status\":\"approvedTransaction\",\"metadata\":{\"order\":\"" ORDER "\",\"begun\":\"1614265300\"}" more "}"
	assert_int_equal(reads(g, KUSHKI_SALE(",\"approved_transaction_amount\":31.05,\"currency_code\":\"USD\""), &p), 0);
	assert_true(p.sure);
	assert_int_equal(reads(g, KUSHKI_SALE(",\"currency_code\":\"USD\""), &p), 0);
	assert_false(p.sure);
	assert_int_equal(reads(g, KUSHKI_SALE(",\"approved_transaction_amount\":31.05"), &p), 0);
	assert_false(p.sure);
	/* none of our checkouts, another kind, nothing */
	assert_int_equal(reads(g, "{\"status\":\"approvedTransaction\",\"metadata\":{}}", &p), ICERT_E_MALFORMED);
	assert_int_equal(reads(g, "{\"status\":\"initialized\",\"metadata\":{\"order\":\"" ORDER "\",\"begun\":\"1\"}}", &p), ICERT_E_MALFORMED);
	assert_int_equal(reads(g, "{}", &p), ICERT_E_MALFORMED);
	gateway_free(g);
}

/* ---- Payphone ---- */

/*
 * A reference is 10 digits and a code: the first 25 bits, five a digit, of
 * printf 0jgx6zk3m9 | openssl dgst -sha256 -hmac aa2b1d7c9e0f4a55 = bfea27d5…: 10111 11111 10101 00010 01111
 */
#define PAYPHONE_KEY "aa2b1d7c9e0f4a55"
#define REFERENCE "0jgx6zk3m9qzn2f"
#define PAYPHONE(reference, status) "{\"Amount\":3105,\"ClientTransactionId\":\"" reference "\",\"StatusCode\":" status \
	",\"TransactionStatus\":\"Approved\",\"StoreId\":\"s\",\"Currency\":\"USD\",\"TransactionId\":32805807}"

static void
payphone(void **state)
{
	static const struct one_header none;
	static const char *const forged[] = {
		/* a digit of the time, of the try, of the code; under another key; cut, longer, in capitals, none; no such state */
		PAYPHONE("0jgx7zk3m9qzn2f", "3"), PAYPHONE("0jgx6zk3m8qzn2f", "3"), PAYPHONE("0jgx6zk3m9qzn2g", "3"), PAYPHONE("0jgx6zk3m9gxcjm", "3"),
		PAYPHONE("0jgx6zk3m9qzn2", "3"), PAYPHONE("0jgx6zk3m9qzn2ff", "3"), PAYPHONE("0JGX6ZK3M9QZN2F", "3"), PAYPHONE("", "3"),
		PAYPHONE(REFERENCE, "4"), PAYPHONE(REFERENCE, "0"), PAYPHONE(REFERENCE, "\"3\""), PAYPHONE(REFERENCE, "null"),
		"{\"ClientTransactionId\":7,\"StatusCode\":3}", "{}", "", "[]",
	};
	struct gateway *g = open_as("payphone", "another key that counts\n" PAYPHONE_KEY "\n");
	struct gateway_payment p;
	char first[GATEWAY_ID];

	(void)state;
	assert_non_null(g);
	assert_int_equal(verify(g, none, PAYPHONE(REFERENCE, "3"), AT), 0);
	strcpy(first, event);
	/* whatever else it says is no other event, and another state is one */
	assert_int_equal(verify(g, none, "{\"ClientTransactionId\":\"" REFERENCE "\",\"StatusCode\":3,\"Amount\":1}", AT), 0);
	assert_string_equal(event, first);
	assert_int_equal(verify(g, none, PAYPHONE(REFERENCE, "2"), AT), 0);
	assert_string_not_equal(event, first);
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
		assert_int_equal(verify(g, none, forged[i], AT), ICERT_E_FORGED);
	/* approved, says anybody: the question decides, over everything */
	assert_int_equal(reads(g, PAYPHONE(REFERENCE, "3"), &p), 0);
	assert_string_equal(p.id, REFERENCE);
	assert_string_equal(p.order, "");
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_int_equal(p.cents, -1);
	assert_false(p.sure);
	assert_int_equal(reads(g, PAYPHONE(REFERENCE, "2"), &p), 0);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_int_equal(reads(g, PAYPHONE("../../../../x/y", "3"), &p), ICERT_E_MALFORMED);
	assert_string_equal(gateway_accepted(g), "{\"Response\":true,\"ErrorCode\":\"000\"}");
	gateway_free(g);
	g = open_as("payphone", "a key that was given up\n");
	assert_int_equal(verify(g, none, PAYPHONE(REFERENCE, "3"), AT), ICERT_E_FORGED);
	gateway_free(g);
	assert_null(open_as("payphone", "too short\n"));
}

/* ---- Nuvei ---- */

/* printf CB-81011_ICERT-EC-SERVER_11111111111141118111111111111111_aa2b1d7c9e0f4a55 | openssl dgst -md5 */
#define NUVEI_KEY "aa2b1d7c9e0f4a55"
#define STOKEN "e119054f810f8932af3e4f61b11f2e76"
#define USER "11111111111141118111111111111111"
#define NUVEI(id, application, user, stoken, status) "{\"transaction\":{\"status\":" status ",\"status_detail\":\"3\",\"id\":\"" id \
	"\",\"dev_reference\":\"x\",\"amount\":\"31.05\",\"application_code\":\"" application "\",\"stoken\":\"" stoken "\"},\"user\":{\"id\":\"" user "\"}}"
#define NUVEI_GOOD(status) NUVEI("CB-81011", "ICERT-EC-SERVER", USER, STOKEN, status)

static void
nuvei(void **state)
{
	static const struct one_header none;
	static const char *const forged[] = {
		NUVEI("CB-81012", "ICERT-EC-SERVER", USER, STOKEN, "\"1\""), NUVEI("CB-81011", "ICERT-EC-CLIENT", USER, STOKEN, "\"1\""),
		NUVEI("CB-81011", "ICERT-EC-SERVER", "21111111111141118111111111111111", STOKEN, "\"1\""),
		/* the same octets, divided in another way: with these underscores the digest would hold */
		NUVEI("CB-81011_ICERT-EC-SERVER", "11111111111141118111111111111111", USER, STOKEN, "\"1\""),
		NUVEI("CB-81011", "", "ICERT-EC-SERVER_11111111111141118111111111111111", STOKEN, "\"1\""),
		/* cut, longer, empty, and the digest of them with no key at all */
		NUVEI("CB-81011", "ICERT-EC-SERVER", USER, "e119054f810f8932af3e", "\"1\""), NUVEI("CB-81011", "ICERT-EC-SERVER", USER, STOKEN "00", "\"1\""),
		NUVEI("CB-81011", "ICERT-EC-SERVER", USER, "", "\"1\""), NUVEI("CB-81011", "ICERT-EC-SERVER", USER, "3288d691646bbb1257abebdabe4d8e07", "\"1\""),
		"{\"transaction\":{},\"user\":{}}", "{\"transaction\":[],\"user\":7}", "{}", "", "[]",
	};
	struct gateway *g = open_as("nuvei", "another key that counts\n" NUVEI_KEY "\n");
	struct gateway_payment p;
	char first[GATEWAY_ID];

	(void)state;
	assert_non_null(g);
	assert_int_equal(verify(g, none, NUVEI_GOOD("\"1\""), AT), 0);
	strcpy(first, event);
	assert_int_equal(verify(g, none, NUVEI_GOOD("\"1\""), AT + 86400), 0);
	assert_string_equal(event, first);
	/* the state is not signed: another event, and a hint like the first */
	assert_int_equal(verify(g, none, NUVEI_GOOD("4"), AT), 0);
	assert_string_not_equal(event, first);
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
		assert_int_equal(verify(g, none, forged[i], AT), ICERT_E_FORGED);
	assert_int_equal(reads(g, NUVEI_GOOD("\"1\""), &p), 0);
	assert_string_equal(p.id, "transaction:CB-81011");
	assert_string_equal(p.order, ORDER);
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_int_equal(p.cents, -1);
	assert_false(p.sure);
	assert_int_equal(reads(g, NUVEI_GOOD("4"), &p), 0);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_int_equal(reads(g, NUVEI("../x", "A", USER, "", "\"1\""), &p), ICERT_E_MALFORMED);
	assert_int_equal(reads(g, NUVEI("CB-1", "A", "an-order-that-is-none-of-ours-00", "", "\"1\""), &p), ICERT_E_MALFORMED);
	gateway_free(g);
	g = open_as("nuvei", "a key that was given up\n");
	assert_int_equal(verify(g, none, NUVEI_GOOD("\"1\""), AT), ICERT_E_FORGED);
	gateway_free(g);
}

/*
 * Cut anywhere, and with any bit of any octet turned: refused; where the signature covers less than the body, what is taken is a hint, of a
 * payment of the same id.
 */
static void
turned(void **state)
{
	static const struct {
		const char *adapter, *secret, *body, *id;
		struct one_header headers;
		int covers;
	} cases[] = {
		{ "stripe", STRIPE_KEY, STRIPE_BODY, NULL, { { "stripe-signature", NULL }, { "t=1614265330,v1=" STRIPE_V1, NULL } }, 1 },
		{ "kushki", KUSHKI_KEY, KUSHKI_BODY, NULL, { { "x-kushki-id", "x-kushki-signature" }, { "1614265330", KUSHKI_S } }, 1 },
		{ "placetopay", PTP_KEY, PTP("1234", "APPROVED", DATE, PTP_SHA1), "1234", { .name = { NULL } }, 0 },
		{ "payphone", PAYPHONE_KEY, PAYPHONE(REFERENCE, "3"), REFERENCE, { .name = { NULL } }, 0 },
		{ "nuvei", NUVEI_KEY, NUVEI_GOOD("\"1\""), "transaction:CB-81011", { .name = { NULL } }, 0 },
	};
	struct gateway_payment p;
	char body[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gateway *g = open_as(cases[i].adapter, cases[i].secret);
		size_t len = strlen(cases[i].body);

		assert_non_null(g);
		assert_true(len < sizeof(body));
		strcpy(body, cases[i].body);
		assert_int_equal(verify(g, cases[i].headers, body, AT), 0);
		for (size_t n = 0; n < len; n++) {
			body[n] = '\0';
			assert_int_equal(verify(g, cases[i].headers, body, AT), ICERT_E_FORGED);
			strcpy(body, cases[i].body);
			for (int bit = 0; bit < 8; bit++) {
				body[n] = (char)(cases[i].body[n] ^ 1 << bit);
				if (body[n] != '\0' && verify(g, cases[i].headers, body, AT) == 0) {
					assert_false(cases[i].covers);
					if (gateway_read(g, body, len, &p) == 0) {
						assert_false(p.sure);
						assert_string_equal(p.id, cases[i].id);
					}
				}
			}
			body[n] = cases[i].body[n];
		}
		gateway_free(g);
	}
}

/* ---- what they share ---- */

static void
values(void **state)
{
	static const struct { const char *text; int64_t at; } moments[] = {
		{ "2019-01-01T12:00:00-05:00", 1546362000 }, { "2019-01-01T17:00:00Z", 1546362000 }, { "2019-01-01T17:00:00.123+00:00", 1546362000 },
		{ "2019-01-01 17:00:00+0000", 1546362000 }, { "2019-01-01T17:00:00", -1 }, { "2019-13-01T17:00:00Z", -1 }, { "2019-01-01", -1 },
		{ "", -1 }, { "2019-01-01T17:00:00+99:00", -1 }, { "2019-01-01T17:00:00Z ", -1 },
	};
	static const struct { const char *json; int64_t cents; } amounts[] = {
		{ "[31.05]", 3105 }, { "[31]", 3100 }, { "[\"31.05\"]", 3105 }, { "[0.29]", 29 }, { "[999999.99]", 99999999 }, { "[31.055]", -1 }, { "[-1]", -1 },
		{ "[-0.01]", -1 }, { "[1e300]", -1 }, { "[\"31,05\"]", -1 }, { "[null]", -1 }, { "[true]", -1 }, { "[9223372036854775807]", -1 },
	};
	json_t *json, *out;
	int64_t at, cents;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		int error = gateway_time(moments[i].text, &at);

		assert_int_equal(error, moments[i].at < 0 ? ICERT_E_MALFORMED : 0);
		if (error == 0)
			assert_int_equal(at, moments[i].at);
	}
	for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		int error;

		json = json_loads(amounts[i].json, 0, NULL);
		error = gateway_cents(json_array_get(json, 0), &cents);
		assert_int_equal(error, amounts[i].cents < 0 ? ICERT_E_MALFORMED : 0);
		if (error == 0)
			assert_int_equal(cents, amounts[i].cents);
		json_decref(json);
	}
	/* every amount up to 100.00 comes back as it was written */
	for (int64_t n = 0; n <= 10000; n++) {
		out = json_pack("[o]", gateway_amount_json(n));
		text = json_dumps(out, JSON_REAL_PRECISION(12));
		json = json_loads(text, 0, NULL);
		assert_int_equal(gateway_cents(json_array_get(json, 0), &cents), 0);
		assert_int_equal(cents, n);
		free(text);
		json_decref(json);
		json_decref(out);
	}
	assert_null(gateway_json("[]", 2));
	assert_null(gateway_json("{\"a\":1,\"a\":2}", 13));
	assert_null(gateway_json("{}{}", 4));
	assert_non_null(json = gateway_json("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", 48));
	json_decref(json);
	assert_null(gateway_json("{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", 78));
}

static int
opens(const char *credentials, mode_t mode)
{
	struct gateway *g = NULL;
	int error;

	put(credentials_file, credentials, mode);
	error = gateway_open(&config, "here", GATEWAY_API, &g);
	if (error == 0) {
		assert_string_equal(gateway_credential(g, "login"), "me");
		assert_string_equal(gateway_credential(g, "secret_key"), "a = b");
		assert_string_equal(gateway_credential(g, "nothing"), "");
	}
	gateway_free(g);
	return error;
}

static void
credentials(void **state)
{
	(void)state;
	strcpy(adapter, "placetopay");
	/* the file of another purpose need not be there */
	unlink(secret_file);
	assert_int_equal(opens("# of the trial site\n\nlogin=me\n secret_key  =  a = b \t\n", 0640), 0);
	assert_int_equal(opens("login = me\nsecret_key = a = b\n", 0644), ICERT_E_CONFIG);
	assert_int_equal(opens("login = me\nsecret_key = a = b\n", 0602), ICERT_E_CONFIG);
	assert_int_equal(opens("login = me\n", 0600), ICERT_E_CONFIG);
	assert_int_equal(opens("login = me\nsecret_key =\n", 0600), ICERT_E_CONFIG);
	assert_int_equal(opens("login = me\nlogin = you\nsecret_key = a = b\n", 0600), ICERT_E_CONFIG);
	assert_int_equal(opens("login = me\nsecret_key = a = b\nurl = x\n", 0600), ICERT_E_CONFIG);
	assert_int_equal(opens("login me\nsecret_key = a = b\n", 0600), ICERT_E_CONFIG);
	unlink(credentials_file);
	assert_int_equal(gateway_open(&config, "here", GATEWAY_API, &(struct gateway *){ NULL }), ICERT_E_CONFIG);
	strcpy(adapter, "nobody");
	assert_int_equal(opens("login = me\nsecret_key = a = b\n", 0600), ICERT_E_CONFIG);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(secret_file, sizeof(secret_file), "%s/secret", folder);
	snprintf(credentials_file, sizeof(credentials_file), "%s/credentials", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(secret_file);
	unlink(credentials_file);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placetopay),
		cmocka_unit_test(stripe),
		cmocka_unit_test(kushki),
		cmocka_unit_test(payphone),
		cmocka_unit_test(nuvei),
		cmocka_unit_test(turned),
		cmocka_unit_test(values),
		cmocka_unit_test(credentials),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
