/* audit/receipt: one made by hand from the documented form is read; each changed octet is noticed, and none is a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/receipt.h"
#include "audit/tree.h"

#define CASE "11111111-1111-4111-8111-111111111111"
#define ROWS 2

static char folder[] = "/tmp/icert-receipt-XXXXXX";
static char path[64], public[80];
static uint8_t key[32];
static struct buf text = BUF_INIT;

static const struct audit_row rows[ROWS] = {
	{ .id = "22222222-2222-4222-8222-222222222222", .at_us = "1795370959000000", .action = "application.create", .outcome = "done",
	    .actor_kind = "contact", .case_id = CASE, .detail = "{}", .count = "1" },
	{ .id = "33333333-3333-4333-8333-333333333333", .at_us = "1795370960000000", .action = "application.submit", .outcome = "done",
	    .actor_kind = "contact", .case_id = CASE, .detail = "{}", .count = "1" },
};

static void
put_row(const struct audit_row *row, int leaf, const uint8_t other[TREE_HASH])
{
	char hex[65];

	bytes_to_hex(hex, other, TREE_HASH);
	buf_printf(&text, "%s{\"leaf\":%d,\"row\":[\"%s\",\"%s\",\"%s\",\"done\",null,\"contact\",null,null,null,\"%s\",null,null,null,\"{}\",\"1\"],"
	    "\"proof\":[\"%s\"]}", leaf > 0 ? "," : "", leaf, row->id, row->at_us, row->action, row->case_id, hex);
}

static int
setup(void **state)
{
	struct audit_head head = { .origin = "icert.example/audit", .size = ROWS, .at = 1795370961 };
	uint8_t leaf[ROWS][TREE_HASH];
	struct tree_edge edge = { 0 };
	struct buf note = BUF_INIT;
	struct head_key *signing;
	char hex[65];

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	snprintf(public, sizeof(public), "%s.pub", path);
	for (int i = 0; i < ROWS; i++) {
		struct buf bytes = BUF_INIT;

		if (audit_row_bytes(&rows[i], &bytes) != 0)
			return -1;
		tree_leaf_hash(bytes.p, bytes.len, leaf[i]);
		tree_append(&edge, leaf[i], NULL, NULL);
		buf_free(&bytes);
	}
	tree_root(&edge, head.root);
	if (head_key_open(path, &signing) != 0 || head_public(path, key) != 0 || head_sign(signing, &head, &note) != 0)
		return -1;
	head_key_free(signing);
	bytes_to_hex(hex, key, 32);
	buf_printf(&text, "{\"format\":\"" RECEIPT_FORMAT "\",\"number\":\"17-2026-000001-9\",\"case\":\"" CASE "\",\"key\":\"%s\",\"head\":\"", hex);
	for (const char *p = buf_str(&note); *p != '\0'; p++)
		buf_printf(&text, *p == '\n' ? "\\n" : "%c", *p);
	buf_puts(&text, "\",\"rows\":[");
	put_row(&rows[0], 0, leaf[1]);
	put_row(&rows[1], 1, leaf[0]);
	buf_puts(&text, "]}");
	buf_free(&note);
	return buf_error(&text);
}

static int
teardown(void **state)
{
	(void)state;
	buf_free(&text);
	unlink(path);
	unlink(public);
	return rmdir(folder);
}

static void
it_holds(void **state)
{
	uint8_t other[32] = { 1 };
	struct receipt r;

	(void)state;
	assert_int_equal(receipt_read(buf_str(&text), text.len, key, &r), 0);
	assert_null(r.fault);
	assert_int_equal(r.n, ROWS);
	assert_string_equal(r.rows[1].row.action, "application.submit");
	assert_int_equal(r.head.size, ROWS);
	receipt_free(&r);
	assert_int_equal(receipt_read(buf_str(&text), text.len, other, &r), 0);
	assert_string_equal(r.fault, "key");
	receipt_free(&r);
}

/* But the case's printed number, which nothing signs, every octet that means something is covered. */
static void
every_octet_counts(void **state)
{
	const char *number = strstr(buf_str(&text), "17-2026");
	size_t from = (size_t)(number - buf_str(&text)), to = from + strlen("17-2026-000001-9");
	struct receipt r;

	(void)state;
	for (size_t i = 0; i < text.len; i++) {
		if (i >= from && i < to)
			continue;
		text.p[i] ^= 1;
		assert_int_equal(receipt_read((const char *)text.p, text.len, key, &r), 0);
		if (r.fault == NULL)
			fail_msg("octet %zu (%c) says nothing", i, text.p[i] ^ 1);
		receipt_free(&r);
		text.p[i] ^= 1;
		assert_int_equal(receipt_read((const char *)text.p, i, key, &r), 0);
		assert_non_null(r.fault);
		receipt_free(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_holds),
		cmocka_unit_test(every_octet_counts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
