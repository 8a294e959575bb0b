/* payments/standard_webhooks: signatures, rotation, tolerance, bodies. */
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

/*
 * The specification's own example (its reference libraries test with it), and by hand: printf 'ID.AT.BODY' | openssl dgst -sha256 -mac HMAC
 * -macopt hexkey:(the secret's base64 after whsec_, as hex) -binary | base64
 */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define AT 1614265330
#define BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static char folder[] = "/tmp/icert-gateway-XXXXXX";
static char secret_file[64];
static struct config_entry entries[] = {
	{ "gateways", "names", "other, demo" },
	{ "gateways", "demo.secret_file", secret_file },
};
static struct config config = { .entries = entries, .n = 2 };

struct headers {
	const char *id, *timestamp, *signature;
};

static const char *
header(void *arg, const char *name)
{
	struct headers *h = arg;

	if (strcmp(name, "webhook-id") == 0)
		return h->id;
	if (strcmp(name, "webhook-timestamp") == 0)
		return h->timestamp;
	return strcmp(name, "webhook-signature") == 0 ? h->signature : NULL;
}

static struct gateway *
open_with(const char *secrets)
{
	struct gateway *gateway = NULL;
	FILE *file = fopen(secret_file, "w");

	assert_non_null(file);
	fputs(secrets, file);
	fclose(file);
	chmod(secret_file, 0640);
	if (gateway_open(&config, "demo", GATEWAY_NOTICES, &gateway) != 0)
		return NULL;
	return gateway;
}

static int
verify(const struct gateway *gateway, const char *id, const char *timestamp, const char *signature, const char *body,
    int64_t now)
{
	struct headers h = { id, timestamp, signature };
	struct gateway_notice notice = { header, &h, (const uint8_t *)body, strlen(body) };
	char event[GATEWAY_ID] = "";
	int error = gateway_verify(gateway, &notice, now, event);

	assert_string_equal(event, error == 0 ? id : "");
	return error;
}

static void
published_example(void **state)
{
	struct gateway *g = open_with(SECRET "\n");
	char body[] = BODY;

	(void)state;
	assert_non_null(g);
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY, AT), 0);
	/* cut anywhere, and any bit turned */
	for (size_t n = 0; n < sizeof(body) - 1; n++) {
		body[n] = '\0';
		assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, body, AT), ICERT_E_FORGED);
		for (int bit = 0; bit < 8; bit++) {
			strcpy(body, BODY);
			body[n] = (char)(body[n] ^ 1 << bit);
			assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, body, AT), ICERT_E_FORGED);
		}
		strcpy(body, BODY);
	}
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY " ", AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, ID "x", "1614265330", SIGNATURE, BODY, AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, ID, "1614265331", SIGNATURE, BODY, AT), ICERT_E_FORGED);
	gateway_free(g);
}

static void
tolerance(void **state)
{
	struct gateway *g = open_with(SECRET);

	(void)state;
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY, AT + 300), 0);
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY, AT + 301), ICERT_E_STALE);
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY, AT - 300), 0);
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY, AT - 301), ICERT_E_STALE);
	/* forged and old: nothing is learnt about the clock */
	assert_int_equal(verify(g, ID, "1614265329", SIGNATURE, BODY, AT + 9999), ICERT_E_FORGED);
	gateway_free(g);
}

static void
rotation(void **state)
{
	struct gateway *g;

	(void)state;
	g = open_with(OTHER "\n" SECRET "\n");
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY, AT), 0);
	assert_int_equal(verify(g, ID, "1614265330", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " SIGNATURE, BODY, AT), 0);
	assert_int_equal(verify(g, ID, "1614265330", "v2,zzz v1a,xx " SIGNATURE, BODY, AT), 0);
	gateway_free(g);
	g = open_with(OTHER "\n");
	assert_int_equal(verify(g, ID, "1614265330", SIGNATURE, BODY, AT), ICERT_E_FORGED);
	gateway_free(g);
}

static void
malformed(void **state)
{
	static const char *const signatures[] = {
		"", " ", "v1", "v1,", "v1,=", "v1,g0hM9SsE", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1O==",
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=x", "v1,????????????????????????????????????????????",
	};
	static const char *const stamps[] = { "", "-1", "1614265330.0", "16142653300000", " 1614265330", "0x1" };
	struct gateway *g = open_with(SECRET);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
		assert_int_equal(verify(g, ID, "1614265330", signatures[i], BODY, AT), ICERT_E_FORGED);
	for (i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++)
		assert_int_equal(verify(g, ID, stamps[i], SIGNATURE, BODY, AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, NULL, "1614265330", SIGNATURE, BODY, AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, ID, NULL, SIGNATURE, BODY, AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, ID, "1614265330", NULL, BODY, AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, "", "1614265330", SIGNATURE, BODY, AT), ICERT_E_FORGED);
	assert_int_equal(verify(g, "a.b", "1614265330", SIGNATURE, BODY, AT), ICERT_E_FORGED);
	gateway_free(g);
}

static void
secrets(void **state)
{
	static const char *const bad[] = {
		"", "\n", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_AAAA", "whsec_????", SECRET "\nnot one\n",
	};
	struct gateway *g;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(open_with(bad[i]));
	g = open_with(SECRET);
	gateway_free(g);
	assert_int_equal(chmod(secret_file, 0644), 0);
	assert_int_equal(gateway_open(&config, "demo", GATEWAY_NOTICES, &g), ICERT_E_CONFIG);
	assert_int_equal(gateway_open(&config, "nobody", GATEWAY_NOTICES, &g), ICERT_E_NOT_FOUND);
	assert_int_equal(gateway_open(&config, "demo", GATEWAY_API, &g), ICERT_E_CONFIG);
}

static int
read_body(const struct gateway *g, const char *body, struct gateway_payment *p)
{
	return gateway_read(g, body, strlen(body), p);
}

static void
bodies(void **state)
{
	struct gateway *g = open_with(SECRET);
	struct gateway_payment p;

	(void)state;
	assert_int_equal(read_body(g, "{\"type\":\"payment.approved\",\"data\":{\"id\":\"pay_1\",\"reference\":\"r\","
	    "\"status\":\"approved\",\"amount\":\"31.63\",\"currency\":\"USD\",\"captures\":1}}", &p), 0);
	assert_string_equal(p.id, "pay_1");
	assert_string_equal(p.order, "r");
	assert_int_equal(p.state, GATEWAY_APPROVED);
	assert_int_equal(p.cents, 3163);
	assert_string_equal(p.currency, "USD");
	assert_int_equal(p.times, 1);
	assert_true(p.sure);
	assert_int_equal(read_body(g, "{\"type\":\"payment.x\",\"data\":{\"id\":\"pay_1\",\"status\":\"checking\"}}", &p), 0);
	assert_int_equal(p.state, GATEWAY_PENDING);
	assert_int_equal(p.checking, 1);
	assert_int_equal(p.cents, -1);
	assert_false(p.sure);
	/* not a payment, not an object, an unknown state, a number where text must be, an id for a path, a field twice */
	assert_int_equal(read_body(g, "{\"type\":\"refund.x\",\"data\":{\"id\":\"p\",\"status\":\"approved\"}}", &p), ICERT_E_MALFORMED);
	assert_int_equal(read_body(g, "[]", &p), ICERT_E_MALFORMED);
	assert_int_equal(read_body(g, "", &p), ICERT_E_MALFORMED);
	assert_int_equal(read_body(g, "{\"type\":\"payment.x\"}", &p), ICERT_E_MALFORMED);
	assert_int_equal(read_body(g, "{\"type\":\"payment.x\",\"data\":{\"id\":\"p\",\"status\":\"great\"}}", &p), ICERT_E_MALFORMED);
	assert_int_equal(read_body(g, "{\"type\":\"payment.x\",\"data\":{\"id\":\"../p\",\"status\":\"approved\"}}", &p), ICERT_E_MALFORMED);
	assert_int_equal(read_body(g, "{\"type\":\"payment.x\",\"data\":{\"id\":\"p\",\"status\":\"approved\",\"amount\":\"1,5\"}}", &p), ICERT_E_MALFORMED);
	assert_int_equal(read_body(g, "{\"type\":\"payment.x\",\"data\":{\"id\":\"p\",\"id\":\"q\",\"status\":\"approved\"}}", &p), ICERT_E_MALFORMED);
	gateway_free(g);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(secret_file, sizeof(secret_file), "%s/secret", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(secret_file);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_example),
		cmocka_unit_test(tolerance),
		cmocka_unit_test(rotation),
		cmocka_unit_test(malformed),
		cmocka_unit_test(secrets),
		cmocka_unit_test(bodies),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
