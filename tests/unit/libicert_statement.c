#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/error.h"
#include "libicert/statement.h"

struct out {
	char	text[1024];
	size_t	n;
};

static int
take(void *arg, const struct statement_line *l)
{
	struct out *o = arg;

	o->n += (size_t)snprintf(o->text + o->n, sizeof o->text - o->n, "%s %lld %s [%s];", l->day, (long long)l->cents, l->reference,
	    l->text);
	return 0;
}

#define SIMPLE "date-reference-text-amount"
#define KIND "date-kind-reference-text-amount"
#define SIDES "date-text-reference-debit-credit"

static const struct {
	const char	*profile;
	char		 decimal;
	const char	*csv;
	int		 rc;
	unsigned	 record;
	const char	*out;
} rows[] = {
	/* Separators, quotes, headings, ends of lines. */
	{ SIMPLE, '.', "Fecha,Documento,Detalle,Valor\r\n21/11/2026,77,\"A, \"\"B\"\"\",31.05\r\n", 0, 0, "2026-11-21 3105 77 [A, \"B\"];" },
	{ SIMPLE, ',', "2026-11-21;77;A;31,05", 0, 0, "2026-11-21 3105 77 [A];" },
	{ SIMPLE, ',', "2026-11-21\t77\tA\t31,05\n\n", 0, 0, "2026-11-21 3105 77 [A];" },
	{ SIMPLE, '.', "2026/11/21 10:00,77, A ,5", 0, 0, "2026-11-21 500 77 [A];" },
	{ SIMPLE, ',', "\xef\xbb\xbf" "01-12-2026;7;\xc3\x91;1.234,5\n", 0, 0, "2026-12-01 123450 7 [\xc3\x91];" },
	{ SIMPLE, ',', "01-12-2026;7;\xd1;$ 3\n", 0, 0, "2026-12-01 300 7 [\xc3\x91];" },
	/* What went out is left out. */
	{ SIMPLE, '.', "2026-11-21,7,A,-5.00\n2026-11-22,8,B,0.00\n", 0, 0, "" },
	{ KIND, '.', "2026-11-21,D,7,A,5.00\n2026-11-21,Crédito,8,B,6.00\n", 0, 0, "2026-11-21 600 8 [B];" },
	{ SIDES, '.', "2026-11-21,A,7,5.00,\n2026-11-21,B,8,,6.00\n2026-11-21,C,9,0.00,7.00\n", 0, 0,
	    "2026-11-21 600 8 [B];2026-11-21 700 9 [C];" },
	/* Nothing is guessed. */
	{ SIMPLE, '.', "2026-11-21,7,A,\"31,05\"\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, ',', "2026-11-21;7;A;31.05\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A,1.234\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A,\"12,34.00\"\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A,\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A,1e3\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A,9999999999999\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-02-29,7,A,1\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2028-02-29,7,A,1\n", 0, 0, "2028-02-29 100 7 [A];" },
	{ SIMPLE, '.', "11/21/2026,7,A,1\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,\"A,1\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,\"A\"B,1\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A\"B,1\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,\x01,1\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A,1\nFecha,Documento,Detalle,Valor\n", ICERT_E_MALFORMED, 2, "2026-11-21 100 7 [A];" },
	{ SIDES, '.', "2026-11-21,A,7,5.00,6.00\n", ICERT_E_MALFORMED, 1, "" },
	{ KIND, '.', "2026-11-21,X,7,A,5.00\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "", ICERT_E_MALFORMED, 0, "" },
	/* Windows-1252: quotes and a dash; an octet that it has no letter for. */
	{ SIMPLE, '.', "2026-11-21,7,\x93" "A\x94 \x96 \xd1,1\n", 0, 0, "2026-11-21 100 7 [\xe2\x80\x9c" "A\xe2\x80\x9d \xe2\x80\x93 \xc3\x91];" },
	{ SIMPLE, '.', "2026-11-21,7,\x81,1\n", ICERT_E_MALFORMED, 1, "" },
	{ SIMPLE, '.', "2026-11-21,7,A\xc2\x89" "B,1\n", ICERT_E_MALFORMED, 1, "" },
	/* Headings that name other columns than the profile. */
	{ SIMPLE, '.', "Fecha,Documento,Detalle,D\xc3\xa9" "bito,Cr\xc3\xa9" "dito\n2026-11-21,7,A,1,\n", ICERT_E_MISMATCH, 1, "" },
	{ SIMPLE, '.', "FECHA,DOCUMENTO,DETALLE,SALDO\n2026-11-21,7,A,1\n", ICERT_E_MISMATCH, 1, "" },
	{ SIMPLE, '.', "Fecha,Detalle,Documento,Valor\n2026-11-21,7,A,1\n", ICERT_E_MISMATCH, 1, "" },
	{ SIMPLE, '.', "Fecha,Documento,Detalle,D\xc3\xa9" "bito/Cr\xc3\xa9" "dito\n2026-11-21,7,A,1\n", 0, 0, "2026-11-21 100 7 [A];" },
	{ SIDES, '.', "Fecha,Detalle,Documento,CR\xc3\x89" "DITO,D\xc3\x89" "BITO\n2026-11-21,A,7,5.00,\n", ICERT_E_MISMATCH, 1, "" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct out o = { .n = 0 };
		unsigned record = 99;
		int rc = statement_read(rows[i].csv, strlen(rows[i].csv), statement_profile(rows[i].profile), rows[i].decimal, take, &o,
		    &record);

		if (rc != rows[i].rc || record != rows[i].record || strcmp(o.text, rows[i].out) != 0)
			fail_msg("row %zu: %s gives %d at %u: %s", i, rows[i].csv, rc, record, o.text);
	}
}

static void
test_limits(void **state)
{
	static char csv[STATEMENT_RECORDS * 16 + 32];
	struct out o = { .n = 0 };
	unsigned record;
	size_t n = 0;

	(void)state;
	n = (size_t)snprintf(csv, sizeof csv, "2026-11-21,7,%0*d,1\n", STATEMENT_FIELD + 1, 0);
	assert_int_equal(statement_read(csv, n, statement_profile(SIMPLE), '.', take, &o, &record), ICERT_E_TOO_LARGE);
	n = 0;
	for (int i = 0; i <= STATEMENT_RECORDS; i++)
		n += (size_t)snprintf(csv + n, sizeof csv - n, "2026-11-21,,,0\n");
	assert_int_equal(statement_read(csv, n, statement_profile(SIMPLE), '.', take, &o, &record), ICERT_E_TOO_LARGE);
	assert_int_equal(record, STATEMENT_RECORDS + 1);
	assert_null(statement_profile("other"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
