/* Access keys as pages print them: whole, in pieces, in hexadecimal, with escapes; and digits that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "checker/check.h"
#include "checker/printed.h"
#include "libicert/buf.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ONE "0312202201019007200200120029020004874985766297216"
#define TWO "1811202301179001691900120721260002540020711013510"

static struct check
scan(const char *content)
{
	struct check c = { .n_printed = 0 };

	printed_scan((const uint8_t *)content, strlen(content), NULL, &c);
	return c;
}

static void
expect(const char *content, const char *first, const char *second)
{
	struct check c = scan(content);

	if (c.n_printed != (size_t)(first != NULL) + (second != NULL) || (first != NULL && strcmp(c.printed[0], first) != 0) ||
	    (second != NULL && strcmp(c.printed[1], second) != 0))
		fail_msg("%s: %zu", content, c.n_printed);
}

static void
found(void **state)
{
	(void)state;
	expect("BT /F1 9 Tf (" ONE ") Tj ET", ONE, NULL);
	expect("(No. 002-902-000487498) Tj (" ONE ") Tj (Fecha) Tj (" TWO ") Tj (" ONE ") Tj", ONE, TWO);
	/* Kerned, broken in two lines, in groups. */
	expect("[(031220220101900720020012) -12.5 (0029020004874985766297216)] TJ", ONE, NULL);
	expect("BT (031220220101900720020012) Tj ET BT 10 20 Td (0029020004874985766297216) Tj ET", ONE, NULL);
	expect("(0312202201 0190072002 0012002902 0004874985 766297216) Tj", ONE, NULL);
	expect("<30333132323032323031303139303037323030323030313230303239303230303034383734393835373636323937323136> Tj", ONE, NULL);
	expect("<3033 3132 32303232\n3031> Tj (019007200200120029020004874985766297216) Tj", ONE, NULL);
	expect("(\\060312202201\\\n0190072002\\n00120029020004874985766297216) Tj", ONE, NULL);
	/* Digits before and after it. */
	expect("(23) Tj (" ONE ") Tj (23/11/2026) Tj", ONE, NULL);
	expect("<< /MCID 0 >> BDC (\\(x\\)) Tj ((" ONE ")) Tj EMC", ONE, NULL);
}

static void
not_found(void **state)
{
	(void)state;
	expect("", NULL, NULL);
	expect("(0312202201019007200200120029020004874985766297217) Tj", NULL, NULL);
	expect("(031220220101900720020012) Tj (y) Tj (0029020004874985766297216) Tj", NULL, NULL);
	expect("% (" ONE ")\n(x) Tj", NULL, NULL);
	expect(ONE " 0 0 1 re f", NULL, NULL);
	expect("(", NULL, NULL);
	expect("(\\", NULL, NULL);
	expect("<3", NULL, NULL);
	expect("<", NULL, NULL);
}

#define DIGITS "/CIDInit /ProcSet findresource begin 1 begincodespacerange <0000> <FFFF> endcodespacerange\n"

/* In a font's own numbers, by what it says of them. */
static void
own_numbers(void **state)
{
	static const struct { const char *cmap; int wide, zero, nine, blank; } says[] = {
		{ DIGITS "1 beginbfrange <0013> <001c> <0030> endbfrange 1 beginbfchar <0003> <0020> endbfchar", 1, 0x13, 0x1c, 3 },
		{ DIGITS "1 beginbfrange <0001> <005f> <0020> endbfrange", 1, 0x11, 0x1a, 1 },
		{ "2 beginbfrange\n<10> <19> [<0030> <0031> <0032> <0033> <0034> <0035> <0036> <0037> <0038> <0039>]\n<20><20><0020>\nendbfrange", 0, 0x10, 0x19, 0x20 },
		{ "10 beginbfchar <41><0030> <42><0031> <43><0032> <44><0033> <45><0034> <46><0035> <47><0036> <48><0037> <49><0038> <4A><0039> endbfchar\n"
		    "1 beginbfchar <4B> <00660069> endbfchar 1 beginbfchar <01> <0020> endbfchar", 0, 0x41, 0x4a, 1 },
	};
	struct printed_fonts fonts = { .n = 1 };
	struct check c;

	(void)state;
	for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
		struct buf b = BUF_INIT;

		strcpy(fonts.font[0].name, "/F1");
		fonts.font[0].wide = says[i].wide;
		printed_font_read(&fonts.font[0], (const uint8_t *)says[i].cmap, strlen(says[i].cmap));
		assert_int_equal(printed_font_char(&fonts.font[0], (unsigned)says[i].zero), '0');
		assert_int_equal(printed_font_char(&fonts.font[0], (unsigned)says[i].nine), '9');
		assert_int_equal(printed_font_char(&fonts.font[0], (unsigned)says[i].blank), ' ');
		assert_int_equal(printed_font_char(&fonts.font[0], (unsigned)says[i].nine + 1), 0);
		/* Its blank is skipped, another font's word ends the run. */
		buf_puts(&b, "BT /F1 12 Tf <");
		for (const char *d = ONE; *d != '\0'; d++)
			buf_printf(&b, says[i].wide ? "%04x" : "%02x", says[i].zero + *d - '0');
		buf_printf(&b, says[i].wide ? "%04x> Tj /F2 9 Tf (x) Tj [(" TWO ")] TJ ET" : "%02x> Tj /F2 9 Tf (x) Tj [(" TWO ")] TJ ET", says[i].blank);
		memset(&c, 0, sizeof c);
		printed_scan(b.p, b.len, &fonts, &c);
		assert_int_equal(c.n_printed, 2);
		assert_string_equal(c.printed[0], ONE);
		assert_string_equal(c.printed[1], TWO);
		buf_free(&b);
	}
}

/* What says nothing of use, or lies. */
static void
odd_fonts(void **state)
{
	static const char *const odd[] = { "", "<", "beginbfchar", "beginbfchar <0030", "beginbfrange <ffff> <0000> <0030> endbfrange", "beginbfchar <ffffff> <0030> endbfchar",
		"beginbfrange <0000> <ffff> <0041> endbfrange", "beginbfrange [<0030>] endbfrange", "beginbfchar [ ] endbfchar ] [", "<< /a <0030> >>",
		"beginbfchar <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030>"
		" <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030> <0001> <0030>"
		" <0001> <0030> <0001> <0030> <0001> <0030> endbfchar" };

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		struct printed_font f = { .wide = 1 };

		printed_font_read(&f, (const uint8_t *)odd[i], strlen(odd[i]));
		assert_true(f.n <= PRINTED_RUNS);
		assert_int_equal(printed_font_char(&f, 0x31), 0);
	}
}

/* No more are told than the answer has room for. */
static void
many(void **state)
{
	struct buf b = BUF_INIT;
	char key[ACCESS_KEY_DIGITS + 1] = ONE;

	(void)state;
	for (int i = 0; i < 10; i++) {
		key[40] = (char)('0' + i);
		key[48] = access_key_check(key);
		buf_printf(&b, "(%s) Tj (x) Tj ", key);
	}
	assert_int_equal(scan(buf_str(&b)).n_printed, CHECK_PRINTED);
	buf_free(&b);
}

/* A whole file, asked for them and not. */
static void
whole(void **state)
{
	static const char content[] = "BT (" ONE ") Tj ET";
	static const char *const object[] = { "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>" };
	struct buf b = BUF_INIT;
	size_t at[5], xref;
	struct check c;
	int fd, out;

	(void)state;
	buf_puts(&b, "%PDF-1.7\n");
	for (int i = 1; i <= 4; i++) {
		at[i] = b.len;
		if (i < 4)
			buf_printf(&b, "%d 0 obj\n%s\nendobj\n", i, object[i - 1]);
		else
			buf_printf(&b, "4 0 obj\n<< /Length %zu >>\nstream\n%s\nendstream\nendobj\n", strlen(content), content);
	}
	xref = b.len;
	buf_puts(&b, "xref\n0 5\n0000000000 65535 f \n");
	for (int i = 1; i <= 4; i++)
		buf_printf(&b, "%010zu 00000 n \n", at[i]);
	buf_printf(&b, "trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n", xref);
	fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(write(fd, b.p, b.len), (ssize_t)b.len);
	assert_int_equal(check_file(fd, CHECK_PDF, CHECK_INVOICE, &c, &out), 0);
	assert_int_equal(c.flags, 0);
	assert_int_equal(c.n_printed, 1);
	assert_string_equal(c.printed[0], ONE);
	assert_int_equal(check_file(fd, CHECK_PDF, CHECK_DOCUMENT, &c, &out), 0);
	assert_int_equal(c.n_printed, 0);
	close(fd);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),
		cmocka_unit_test(not_found),
		cmocka_unit_test(own_numbers),
		cmocka_unit_test(odd_fonts),
		cmocka_unit_test(many),
		cmocka_unit_test(whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
