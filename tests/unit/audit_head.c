/* audit/head: a head signs and reads back; each changed byte is noticed. */
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

#include "audit/head.h"
#include "libicert/error.h"

static char folder[] = "/tmp/icert-head-XXXXXX";
static char path[64], public[80];

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	snprintf(public, sizeof(public), "%s.pub", path);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(public);
	return rmdir(folder);
}

static void
round_trip(void **state)
{
	struct audit_head head = { .origin = "icert.example/audit", .size = 42, .at = 1795442400 }, read;
	struct head_key *key, *again;
	struct buf note = BUF_INIT, second = BUF_INIT;
	uint8_t pub[32];
	struct stat st;
	size_t used, i;

	(void)state;
	head.root[0] = 0xab;
	assert_int_equal(head_key_open(path, &key), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(head_key_open(path, &again), 0);
	assert_int_equal(head_public(path, pub), 0);
	assert_int_equal(head_sign(key, &head, &note), 0);
	assert_int_equal(head_sign(again, &head, &second), 0);
	assert_string_equal(buf_str(&note), buf_str(&second));   /* the same key after a restart */
	buf_puts(&note, "what follows");
	assert_int_equal(head_parse(buf_str(&note), note.len, pub, &read, &used), 0);
	assert_string_equal(read.origin, head.origin);
	assert_int_equal(read.size, 42);
	assert_int_equal(read.at, head.at);
	assert_memory_equal(read.root, head.root, TREE_HASH);
	assert_int_equal(used, second.len);
	for (i = 0; i < second.len; i++) {
		second.p[i] ^= 1;
		assert_int_not_equal(head_parse(buf_str(&second), second.len, pub, &read, &used), 0);
		second.p[i] ^= 1;
		assert_int_not_equal(head_parse(buf_str(&second), i, pub, &read, &used), 0);
	}
	/* the last letter before the padding has bits that say nothing: no other letter passes for it */
	for (i = second.len - 1; second.p[i] == '\n' || second.p[i] == '='; i--)
		;
	for (const char *letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"; *letter != 0; letter++) {
		uint8_t right = second.p[i];

		if ((uint8_t)*letter == right)
			continue;
		second.p[i] = (uint8_t)*letter;
		assert_int_not_equal(head_parse(buf_str(&second), second.len, pub, &read, &used), 0);
		second.p[i] = right;
	}
	pub[0] ^= 1;
	assert_int_equal(head_parse(buf_str(&second), second.len, pub, &read, &used), ICERT_E_FORGED);
	buf_free(&note);
	buf_free(&second);
	head_key_free(key);
	head_key_free(again);
}

static void
bad_origin(void **state)
{
	struct audit_head head = { .origin = "two words", .size = 1 };
	struct head_key *key;
	struct buf note = BUF_INIT;

	(void)state;
	assert_int_equal(head_key_open(path, &key), 0);
	assert_int_equal(head_sign(key, &head, &note), ICERT_E_INVALID);
	strcpy(head.origin, "a\nb");
	assert_int_equal(head_sign(key, &head, &note), ICERT_E_INVALID);
	head_key_free(key);
	buf_free(&note);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(bad_origin),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
