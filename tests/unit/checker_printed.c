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

	printed_scan((const uint8_t *)content, strlen(content), &c);
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
		cmocka_unit_test(many),
		cmocka_unit_test(whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
