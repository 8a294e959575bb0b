/*
 * documents/contract_template and contract_pdf: what a text becomes, what is
 * refused, and that the same contract is the same file.  With a path as its
 * argument it writes the sample contract there, for the programs that read PDF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "documents/contract_pdf.h"
#include "libicert/error.h"

/* fontconfig keeps its lists until the process ends; they are not ours to free. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\nleak:libpango\nleak:libglib\n";
}

static const struct contract_variable variables[] = {
	{ "authority", "ICERT (pruebas)" }, { "province", "Pichincha" }, { "name", "ÑANDÚ ÁLVAREZ # MARÍA" },
	{ "identification", "1710034065" }, { "ruc", "" }, { "email", "ana@example.org" },
	{ "address", "Av. 10 de Agosto {x} N1-2\n## y otra" }, { "city", "QUITO" }, { "telephone", "+593990000000" },
	{ "container", "ARCHIVO PKCS#12" }, { "serial", "0123456789abcdef0123456789abcdef" }, { "valid_from", "22/11/2026" },
	{ "valid_to", "22/11/2028" }, { "issued", "domingo 22 de noviembre de 2026" }, { "case", "17-2026-000123-4" },
	{ "total", "31,05" }, { "net", "27,00" }, { "tax", "4,05" }, { "currency", "USD" }, { "years", "2 años" },
	{ "hours", "120" }, { "due", "viernes 27 de noviembre de 2026" },
};
#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

static int
blocks_of(const char *text, struct contract_blocks *b)
{
	return contract_blocks_make(text, strlen(text), variables, VARIABLES, b);
}

static void
a_text_becomes_blocks(void **state)
{
	static struct contract_blocks b;

	(void)state;
	assert_int_equal(blocks_of("\n# Contrato\n\nuno\ndos {city}\n\ntres\n## Datos\n| RUC | {ruc}\n|Ciudad|{city}\n- a\n- b\n", &b), 0);
	assert_int_equal(b.n, 7);
	assert_int_equal(b.list[0].kind, CONTRACT_TITLE);
	assert_string_equal(b.list[1].text, "uno dos QUITO");
	assert_string_equal(b.list[2].text, "tres");
	assert_int_equal(b.list[3].kind, CONTRACT_HEADING);
	/* the row without a value is not there */
	assert_int_equal(b.list[4].kind, CONTRACT_ROW);
	assert_string_equal(b.list[4].label, "Ciudad");
	assert_string_equal(b.list[4].text, "QUITO");
	assert_int_equal(b.list[6].kind, CONTRACT_ITEM);
	contract_blocks_free(&b);
}

static void
a_value_is_only_text(void **state)
{
	static struct contract_blocks b;

	(void)state;
	assert_int_equal(blocks_of("# T\n{address}\n", &b), 0);
	assert_int_equal(b.n, 2);
	assert_int_equal(b.list[1].kind, CONTRACT_PARAGRAPH);
	assert_string_equal(b.list[1].text, "Av. 10 de Agosto {x} N1-2 ## y otra");
	contract_blocks_free(&b);
}

static void
wrong_texts_are_refused(void **state)
{
	static const struct { const char *text; int error, line; } wrong[] = {
		{ "", ICERT_E_MALFORMED, 0 }, { "sin título\n", ICERT_E_MALFORMED, 1 }, { "# T\n# otro\n", ICERT_E_MALFORMED, 2 },
		{ "# T\n\n{nada}\n", ICERT_E_MISSING, 3 }, { "# T\n{city\n", ICERT_E_MALFORMED, 2 }, { "# T\n}\n", ICERT_E_MALFORMED, 2 },
		{ "# T\n{}\n", ICERT_E_MALFORMED, 2 }, { "# T\n| fila\n", ICERT_E_MALFORMED, 2 }, { "# T\n\xff\n", ICERT_E_MALFORMED, 0 },
	};
	static struct contract_blocks b;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(blocks_of(wrong[i].text, &b), wrong[i].error);
		assert_int_equal(b.line, wrong[i].line);
		contract_blocks_free(&b);
	}
}

static void
every_faulty_line_is_named(void **state)
{
	static const char text[] = "sin título\n\n## {city}\n| fila\n{nada} y\nsigue {city\n# T\n- bien\n";
	static const struct { int line; const char *code, *name; } is[] = {
		{ 1, "title-first", "" }, { 4, "row", "" }, { 5, "variable", "nada" }, { 6, "brace", "" }, { 7, "title-second", "" },
		{ 0, "needed", "serial" },
	};
	struct contract_fault f[CONTRACT_FAULTS];
	size_t n = CONTRACT_FAULTS;

	(void)state;
	assert_int_equal(contract_text_check(text, strlen(text), variables, VARIABLES, (const char *const[]){ "city", "serial", NULL },
	    f, &n), 0);
	assert_int_equal(n, sizeof(is) / sizeof(is[0]));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(f[i].line, is[i].line);
		assert_string_equal(f[i].code, is[i].code);
		assert_string_equal(f[i].name, is[i].name);
	}
	n = 2;
	assert_int_equal(contract_text_check(text, strlen(text), variables, VARIABLES, (const char *const[]){ NULL }, f, &n), 0);
	assert_int_equal(n, 2);
	n = CONTRACT_FAULTS;
	assert_int_equal(contract_text_check("\n \n", 3, variables, VARIABLES, (const char *const[]){ NULL }, f, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(f[0].code, "empty");
}

static int
sample(struct buf *out, int64_t at)
{
	static char text[CONTRACT_TEXT_MAX];
	FILE *f = fopen("conf/demo/contract.sql", "r");
	static const char mark[] = "$contrato$";
	char *from, *to;
	size_t n;
	struct contract_pdf in = { .variables = variables, .n = VARIABLES, .number = "C-2026-000001-4", .at = at, .verify_url = "https://localhost:8443/contrato/c-2026-000001-4" };

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	assert_non_null(from = strstr(text, mark));
	from += strlen(mark);
	assert_non_null(to = strstr(from, mark));
	in.template = from;
	in.template_len = (size_t)(to - from);
	return contract_pdf_make(&in, out, NULL);
}

static void
the_same_contract_is_the_same_file(void **state)
{
	struct buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;

	(void)state;
	assert_int_equal(sample(&a, 1795464000), 0);
	assert_int_equal(sample(&b, 1795464000), 0);
	assert_int_equal(sample(&c, 1795464000 + 86400), 0);
	assert_true(a.len > 4000 && memcmp(a.p, "%PDF-1.7", 8) == 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.p, b.p, a.len);
	assert_true(a.len != c.len || memcmp(a.p, c.p, a.len) != 0);
	buf_free(&a);
	buf_free(&b);
	buf_free(&c);
}

static void
what_cannot_be_drawn_is_refused(void **state)
{
	static char text[CONTRACT_TEXT_MAX - 10] = "# T\n";
	struct contract_pdf in = { .template = text, .variables = variables, .n = VARIABLES, .number = "C-1", .verify_url = "https://a/b" };
	struct buf out = BUF_INIT;

	(void)state;
	/* one paragraph longer than a page */
	memset(text + 4, 'a', sizeof(text) - 5);
	for (size_t i = 12; i < sizeof(text) - 5; i += 8)
		text[i] = ' ';
	in.template_len = strlen(text);
	assert_int_equal(contract_pdf_make(&in, &out, NULL), ICERT_E_TOO_LARGE);
	in.template_len = 4;
	in.verify_url = "https://a/'b";
	assert_int_equal(contract_pdf_make(&in, &out, NULL), ICERT_E_INVALID);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static int
write_sample(const char *path)
{
	struct buf out = BUF_INIT;
	FILE *f = fopen(path, "w");
	int ok = f != NULL && sample(&out, 1795464000) == 0 && fwrite(out.p, 1, out.len, f) == out.len;

	if (f != NULL && fclose(f) != 0)
		ok = 0;
	buf_free(&out);
	return ok ? 0 : 1;
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_becomes_blocks),
		cmocka_unit_test(a_value_is_only_text),
		cmocka_unit_test(wrong_texts_are_refused),
		cmocka_unit_test(every_faulty_line_is_named),
		cmocka_unit_test(the_same_contract_is_the_same_file),
		cmocka_unit_test(what_cannot_be_drawn_is_refused),
	};

	if (argc == 2)
		return write_sample(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
