/* The XML of an invoice: both forms are read, hostile ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checker/invoice.h"
#include "libicert/error.h"

#define KEY	"0312202201019007200200120029020004874985766297216"
#define HEAD	"<factura id=\"comprobante\" version=\"1.1.0\"><infoTributaria><ambiente>2</ambiente><ruc>0190072002001</ruc>" \
	"<claveAcceso>0312202201019007200200120029020004874985766297216</claveAcceso><codDoc>01</codDoc><estab>002</estab>" \
	"<ptoEmi>902</ptoEmi><secuencial>000487498</secuencial></infoTributaria><infoFactura>"
#define BUYER(name) "<tipoIdentificacionComprador>05</tipoIdentificacionComprador><razonSocialComprador>" name "</razonSocialComprador>" \
	"<identificacionComprador>1710034065</identificacionComprador>"
#define MONEY(total) "<totalSinImpuestos>20</totalSinImpuestos><totalConImpuestos><totalImpuesto><codigo>2</codigo><valor>3.0</valor>" \
	"</totalImpuesto></totalConImpuestos><importeTotal>" total "</importeTotal>"
#define DAY	"<fechaEmision>03/12/2022</fechaEmision>"
#define TAIL	"</infoFactura></factura>"
#define GOOD	HEAD DAY BUYER("JOSÉ &amp; NÚÑEZ") MONEY("23.00") "<moneda>DOLAR</moneda>" TAIL
#define WRAPPED(state, inner) "<?xml version=\"1.0\" encoding=\"UTF-8\"?><autorizacion><estado>" state "</estado><numeroAutorizacion>" KEY "</numeroAutorizacion><comprobante><![CDATA[" inner \
	"]]></comprobante></autorizacion>"

static int
read_text(struct invoice *v, const char *text)
{
	return invoice_xml_read(v, text, strlen(text));
}

static void
expect_good(const char *text)
{
	struct invoice v;

	assert_int_equal(read_text(&v, text), 0);
	assert_string_equal(v.access_key, "0312202201019007200200120029020004874985766297216");
	assert_string_equal(v.place, "002902");
	assert_string_equal(v.sequence, "000487498");
	assert_string_equal(v.day, "2022-12-03");
	assert_string_equal(v.buyer_name, "JOSÉ & NÚÑEZ");
	assert_string_equal(v.currency, "DOLAR");
	assert_int_equal(v.net, 2000);
	assert_int_equal(v.tax, 300);
	assert_int_equal(v.total, 2300);
}

static void
test_read(void **state)
{
	(void)state;
	expect_good(GOOD);
	expect_good("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" GOOD);
	expect_good(WRAPPED("AUTORIZADO", GOOD));
	expect_good(WRAPPED("AUTORIZADO", "<?xml version=\"1.0\"?>" GOOD));
	expect_good(WRAPPED("\n AUTORIZADO ", "\n  <?xml version='1.0' encoding='utf-8'?>" GOOD "\n"));
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"", "x", "<factura/>", "<nota/>", GOOD "<x/>", WRAPPED("AUTORIZADO", WRAPPED("AUTORIZADO", "")),
		"<!DOCTYPE factura [<!ENTITY a \"x\"><!ENTITY b \"&a;&a;&a;\">]>" HEAD DAY BUYER("&b;") MONEY("23.00") TAIL,
		"<!DOCTYPE factura [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" HEAD DAY BUYER("&a;") MONEY("23.00") TAIL,
		WRAPPED("AUTORIZADO", "<!DOCTYPE factura SYSTEM \"http://127.0.0.1/x\">" GOOD),
		HEAD DAY BUYER("A") BUYER("B") MONEY("23.00") TAIL, HEAD DAY BUYER("A<b/>") MONEY("23.00") TAIL,
		HEAD DAY BUYER("A\xff") MONEY("23.00") TAIL, HEAD DAY BUYER("A") MONEY("-23.00") TAIL, HEAD DAY BUYER("A") MONEY("23.001") TAIL,
		HEAD DAY BUYER("A") MONEY("23.") TAIL, HEAD DAY BUYER("A") MONEY("23,00") TAIL, HEAD DAY BUYER("A") MONEY("99999999999") TAIL,
		"<f xmlns=\"u\">" GOOD "</f>", HEAD BUYER("A") MONEY("23.00") TAIL,
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" GOOD, "<?xml version='1.0' encoding = 'utf-16'?>" GOOD,
		"<autorizacion><estado>AUTORIZADO</estado><numeroAutorizacion>1" KEY "</numeroAutorizacion><comprobante><![CDATA[" GOOD "]]></comprobante></autorizacion>",
		"<autorizacion><estado>AUTORIZADO</estado><comprobante><![CDATA[" GOOD "]]></comprobante></autorizacion>",
	};
	static const char wide[] = "\xff\xfe<\0f\0a\0c\0t\0u\0r\0a\0/\0>\0";
	struct invoice v;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(read_text(&v, bad[i]), ICERT_E_MALFORMED);
	assert_int_equal(invoice_xml_read(&v, wide, sizeof wide - 1), ICERT_E_MALFORMED);
	assert_int_equal(read_text(&v, WRAPPED("NO AUTORIZADO", GOOD)), ICERT_E_MISMATCH);
}

static void
test_deep_and_huge(void **state)
{
	char *text = malloc(INVOICE_XML_MAX + 1);
	struct invoice v;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < INVOICE_XML_MAX; i++)
		text[i] = "<a>"[i % 3];
	assert_int_equal(invoice_xml_read(&v, text, INVOICE_XML_MAX - INVOICE_XML_MAX % 3), ICERT_E_MALFORMED);
	assert_int_equal(invoice_xml_read(&v, text, INVOICE_XML_MAX + 1), ICERT_E_TOO_LARGE);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_deep_and_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
