/* An invoice against its order: the right one is taken, and each thing that may differ is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/access_key.h"
#include "procedure/order/invoice.h"

static struct billing billing;
static struct invoice_due due;
static struct invoice invoice;

static int
setup(void **state)
{
	struct billing_fault faults[BILLING_FAULTS_MAX];

	(void)state;
	billing = (struct billing){ "cedula", "1710034065", "José  Ángel Núñez", "Av. Amazonas N24-155", "0991234567", "", "yes" };
	assert_int_equal(billing_check(&billing, faults), 0);
	due = (struct invoice_due){ ACCESS_KEY_INVOICE, "0190072002001", 1, &billing, 2000, 300, 2300 };
	/* Its key is one that was issued. */
	invoice = (struct invoice){ "0312202201019007200200120029020004874985766297216", "01", "2", "0190072002001", "002902",
	    "000487498", "2022-12-03", "05", "1710034065", "JOSÉ ÁNGEL NÚÑEZ", "DOLAR", "", 2000, 300, 2300 };
	return 0;
}

static void
expect(const char *code)
{
	const char *said = invoice_differs(&invoice, &due);

	assert_non_null(said);
	assert_string_equal(said, code);
}

/* The key as the invoice's other fields would have it. */
static void
rekey(size_t at, const char *digits)
{
	memcpy(invoice.access_key + at, digits, strlen(digits));
	invoice.access_key[48] = access_key_check(invoice.access_key);
}

static void
test_taken(void **state)
{
	(void)state;
	assert_null(invoice_differs(&invoice, &due));
	for (size_t i = 0; i < 4; i++) {
		strcpy(invoice.currency, ((const char *const[]){ "USD", "Dólar", "DÓLARES", "dolar" })[i]);
		assert_null(invoice_differs(&invoice, &due));
	}
	invoice.currency[0] = '\0';
	assert_null(invoice_differs(&invoice, &due));
	strcpy(invoice.buyer_name, "JOSE ANGEL NUNEZ");
	assert_null(invoice_differs(&invoice, &due));
}

static void
test_key(void **state)
{
	(void)state;
	invoice.access_key[48] = '7';
	expect("access_key.check");
	invoice.access_key[48] = '\0';
	expect("access_key.form");
	setup(NULL);
	strcpy(invoice.sequence, "000487499");
	expect("access_key.other");
	setup(NULL);
	strcpy(invoice.environment, "1");
	expect("access_key.other");
	setup(NULL);
	strcpy(invoice.ruc, "1790016919001");
	expect("access_key.other");
	setup(NULL);
	strcpy(invoice.day, "2022-12-04");
	expect("access_key.other");
}

static void
test_issuer(void **state)
{
	(void)state;
	due.ruc = "1790016919001";
	expect("issuer");
	setup(NULL);
	due.production = 0;
	expect("environment");
	setup(NULL);
	strcpy(invoice.document, "04");
	rekey(8, "04");
	expect("document");
}

static void
test_buyer(void **state)
{
	struct billing_fault faults[BILLING_FAULTS_MAX];

	(void)state;
	strcpy(invoice.buyer, "1714616123");
	expect("buyer");
	setup(NULL);
	strcpy(invoice.buyer_kind, "06");
	expect("buyer_kind");
	setup(NULL);
	strcpy(invoice.buyer_name, "JOSÉ ÁNGEL");
	expect("buyer_name");
	setup(NULL);
	strcpy(billing.id_kind, "consumer");
	assert_int_equal(billing_check(&billing, faults), 0);
	expect("buyer_kind");
	strcpy(invoice.buyer_kind, "07");
	expect("buyer");
	strcpy(invoice.buyer, BILLING_CONSUMER_ID);
	expect("buyer_name");
	strcpy(invoice.buyer_name, BILLING_CONSUMER_NAME);
	assert_null(invoice_differs(&invoice, &due));
}

static void
test_foreign(void **state)
{
	(void)state;
	strcpy(billing.id_kind, "passport");
	strcpy(billing.id_number, "AB123456");
	strcpy(invoice.buyer, "AB123456");
	expect("buyer_kind");
	strcpy(invoice.buyer_kind, "06");
	assert_null(invoice_differs(&invoice, &due));
	strcpy(invoice.buyer_kind, "08");
	assert_null(invoice_differs(&invoice, &due));
}

static void
test_money(void **state)
{
	(void)state;
	invoice.total = 2301;
	expect("total");
	invoice.tax = 299;
	expect("tax");
	invoice.net = 2001;
	expect("net");
	strcpy(invoice.currency, "EURO");
	expect("currency");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_taken, setup),
		cmocka_unit_test_setup(test_key, setup),
		cmocka_unit_test_setup(test_issuer, setup),
		cmocka_unit_test_setup(test_buyer, setup),
		cmocka_unit_test_setup(test_foreign, setup),
		cmocka_unit_test_setup(test_money, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
