#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "documents/sweep.h"
#include "libicert/error.h"

static char root[] = "/tmp/icert-sweep-XXXXXX";
static struct document_store store;
static const uint8_t key[32] = "an unremarkable key of 32 bytes";

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(root) == NULL ? -1 : document_store_open(&store, root, NULL);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	document_store_close(&store);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static int
there(const char *id, const char *end)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%c%c/%s%s", root, id[0], id[1], id, end);
	return access(path, F_OK) == 0;
}

static void
part_beside(const char *id)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%c%c/%s.part", root, id[0], id[1], id);
	assert_non_null(f = fopen(path, "w"));
	fclose(f);
}

struct rows {
	const char (*ids)[ID_TEXT];
	size_t n, asked;
	int error;
};

static int
in_rows(void *ctx, const char (*ids)[ID_TEXT], size_t n, bool *known)
{
	struct rows *rows = ctx;

	rows->asked += n;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < rows->n; k++)
			known[i] = known[i] || strcmp(ids[i], rows->ids[k]) == 0;
	return rows->error;
}

static void
what_no_row_names_goes(void **state)
{
	char ids[200][ID_TEXT];
	struct rows rows = { .ids = (const char (*)[ID_TEXT])ids, .n = 100 };
	int64_t later = time(NULL) + 60;
	size_t dropped;

	(void)state;
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(document_put(&store, key, "x", 1, ids[i]), 0);
	part_beside(ids[0]);

	/* Too young: a request may still be about to add its row. */
	assert_int_equal(document_sweep(&store, time(NULL) - 60, in_rows, &rows, &dropped), 0);
	assert_int_equal(dropped, 0);
	assert_int_equal(rows.asked, 0);

	/* Nothing goes on the word of a database that cannot answer. */
	rows.error = ICERT_E_UNAVAILABLE;
	part_beside(ids[0]);
	assert_int_equal(document_sweep(&store, later, in_rows, &rows, &dropped), ICERT_E_UNAVAILABLE);
	for (size_t i = 0; i < 200; i++)
		assert_true(there(ids[i], ""));

	rows.error = 0;
	part_beside(ids[0]);
	assert_int_equal(document_sweep(&store, later, in_rows, &rows, &dropped), 0);
	assert_int_equal(dropped, 101);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(there(ids[i], ""), i < 100);
	assert_false(there(ids[0], ".part"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_no_row_names_goes) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
