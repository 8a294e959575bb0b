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
#include "libicert/keyproto.h"

#include <sys/mman.h>
#include <unistd.h>

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
#define NOTE(document, number, value) "<notaCredito id=\"comprobante\" version=\"1.1.0\"><infoTributaria><ambiente>2</ambiente><ruc>0190072002001</ruc>" \
	"<claveAcceso>" KEY "</claveAcceso><codDoc>04</codDoc><estab>002</estab><ptoEmi>902</ptoEmi><secuencial>000487498</secuencial>" \
	"</infoTributaria><infoNotaCredito>" DAY BUYER("A") "<codDocModificado>" document "</codDocModificado><numDocModificado>" number \
	"</numDocModificado><totalSinImpuestos>20.00</totalSinImpuestos><valorModificacion>" value "</valorModificacion><moneda>DOLAR</moneda>" \
	"<totalConImpuestos><totalImpuesto><valor>3.00</valor></totalImpuesto></totalConImpuestos></infoNotaCredito></notaCredito>"

static struct invoice_fault fault;

static int
read_text(struct invoice *v, const char *text)
{
	return invoice_xml_read(v, text, strlen(text), &fault);
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

/* What it takes back, and how much of it. */
static void
test_credit_note(void **state)
{
	struct invoice v;

	(void)state;
	assert_int_equal(read_text(&v, NOTE("01", "002-902-000000123", "23.00")), 0);
	assert_string_equal(v.document, "04");
	assert_string_equal(v.modifies, "002-902-000000123");
	assert_int_equal(v.total, 2300);
	assert_int_equal(v.tax, 300);
	assert_int_equal(read_text(&v, WRAPPED("AUTORIZADO", NOTE("01", "002-902-000000123", "23.00"))), 0);
	assert_int_equal(read_text(&v, GOOD), 0);
	assert_string_equal(v.modifies, "");
}

#define ENCODING "encoding", ""
#define XML	"xml", ""
#define ROOT	"root", ""
#define DOCTYPE	"doctype", ""
#define ELEMENT(name) "element", name

static void
test_refused(void **state)
{
	static const struct { const char *xml, *code, *element; } bad[] = {
		{ "", XML }, { "x", XML }, { GOOD "<x/>", XML }, { "<a><b></a>", XML }, { "<nota/>", ROOT }, { "<html><body>factura</body></html>", ROOT },
		{ "<f xmlns=\"u\">" GOOD "</f>", ROOT }, { "<factura/>", ELEMENT("claveAcceso") },
		{ WRAPPED("AUTORIZADO", WRAPPED("AUTORIZADO", "")), XML },
		{ "<!DOCTYPE factura [<!ENTITY a \"x\"><!ENTITY b \"&a;&a;&a;\">]>" HEAD DAY BUYER("&b;") MONEY("23.00") TAIL, DOCTYPE },
		{ "<!DOCTYPE factura [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" HEAD DAY BUYER("&a;") MONEY("23.00") TAIL, DOCTYPE },
		{ WRAPPED("AUTORIZADO", "<!DOCTYPE factura SYSTEM \"http://127.0.0.1/x\">" GOOD), DOCTYPE },
		{ HEAD DAY BUYER("A") BUYER("B") MONEY("23.00") TAIL, ELEMENT("tipoIdentificacionComprador") },
		{ HEAD DAY BUYER("A<b/>") MONEY("23.00") TAIL, ELEMENT("razonSocialComprador") },
		{ HEAD DAY BUYER("A\xff") MONEY("23.00") TAIL, ENCODING },
		{ HEAD DAY BUYER("A") MONEY("-23.00") TAIL, ELEMENT("importeTotal") }, { HEAD DAY BUYER("A") MONEY("23.001") TAIL, ELEMENT("importeTotal") },
		{ HEAD DAY BUYER("A") MONEY("23.") TAIL, ELEMENT("importeTotal") }, { HEAD DAY BUYER("A") MONEY("23,00") TAIL, ELEMENT("importeTotal") },
		{ HEAD DAY BUYER("A") MONEY("99999999999") TAIL, ELEMENT("importeTotal") },
		{ HEAD BUYER("A") MONEY("23.00") TAIL, ELEMENT("fechaEmision") },
		{ "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" GOOD, ENCODING }, { "<?xml version='1.0' encoding = 'utf-16'?>" GOOD, ENCODING },
		{ "<autorizacion><estado>AUTORIZADO</estado><numeroAutorizacion>1" KEY "</numeroAutorizacion><comprobante><![CDATA[" GOOD "]]></comprobante></autorizacion>",
		    ELEMENT("numeroAutorizacion") },
		{ "<autorizacion><estado>AUTORIZADO</estado><comprobante><![CDATA[" GOOD "]]></comprobante></autorizacion>", ELEMENT("numeroAutorizacion") },
		{ "<autorizacion><estado>AUTORIZADO</estado><numeroAutorizacion>" KEY "</numeroAutorizacion></autorizacion>", ELEMENT("comprobante") },
		{ WRAPPED("NO AUTORIZADO", GOOD), "unauthorised", "" }, { "<autorizacion>" GOOD "</autorizacion>", "unauthorised", "" },
		{ NOTE("03", "002-902-000000123", "23.00"), ELEMENT("codDocModificado") }, { NOTE("01", "", ""), ELEMENT("valorModificacion") },
		{ NOTE("01", "002-902-000000123 y otras", "23.00"), ELEMENT("numDocModificado") },
	};
	static const char wide[] = "\xff\xfe<\0f\0a\0c\0t\0u\0r\0a\0/\0>\0";
	struct invoice v;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (read_text(&v, bad[i].xml) != ICERT_E_MALFORMED || strcmp(fault.code, bad[i].code) != 0 || strcmp(fault.element, bad[i].element) != 0)
			fail_msg("%s: %s %s", bad[i].xml, fault.code, fault.element);
	}
	assert_int_equal(invoice_xml_read(&v, wide, sizeof wide - 1, &fault), ICERT_E_MALFORMED);
	assert_string_equal(fault.code, "encoding");
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
	assert_int_equal(invoice_xml_read(&v, text, INVOICE_XML_MAX - INVOICE_XML_MAX % 3, &fault), ICERT_E_MALFORMED);
	assert_int_equal(invoice_xml_read(&v, text, INVOICE_XML_MAX + 1, &fault), ICERT_E_TOO_LARGE);
	assert_string_equal(fault.code, "size");
	free(text);
}

/* A file of its size, and no file. */
static void
test_file(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct invoice v;

	(void)state;
	assert_int_equal(write(fd, GOOD, sizeof GOOD - 1), sizeof GOOD - 1);
	assert_int_equal(invoice_file(fd, &v, &fault), 0);
	assert_int_equal(v.total, 2300);
	assert_int_equal(ftruncate(fd, INVOICE_XML_MAX + 1), 0);
	assert_int_equal(invoice_file(fd, &v, &fault), ICERT_E_TOO_LARGE);
	assert_string_equal(fault.code, "size");
	close(fd);
	assert_int_equal(invoice_file(-1, &v, &fault), ICERT_E_INVALID);
	assert_string_equal(fault.code, "");
}

/* A child that was taken over tells something else: nothing of it is believed that does not fit. */
static void
test_told(void **state)
{
	static struct message m;
	struct buf b = BUF_INIT;
	struct invoice v, told;

	(void)state;
	for (int wrong = 0; wrong < 5; wrong++) {
		assert_int_equal(read_text(&v, GOOD), 0);
		if (wrong == 1)
			v.tax = -1;
		if (wrong == 2)
			strcpy(v.buyer_name, "A\nB");
		if (wrong == 3)
			memset(&v, '1', sizeof v.access_key);
		message_begin(&b, 1, 0, 1);
		invoice_put(&b, &v);
		if (wrong == 4)
			message_put_string(&b, TAG_TEXT, "x");
		assert_int_equal(message_parse(&m, b.p, b.len, NULL), 0);
		assert_int_equal(invoice_get(&told, &m), wrong == 0 ? 0 : ICERT_E_MALFORMED);
		if (wrong == 0)
			assert_memory_equal(&told, &v, sizeof v);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_credit_note),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_deep_and_huge),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
