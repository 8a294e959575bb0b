/* audit/tree: the published vectors of the reference tree (used by every
 * Certificate Transparency log), and proofs over all small sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/tree.h"
#include "libicert/buf.h"
#include "libicert/error.h"

#define MOST 70

/* The eight leaves of the reference tree and its roots by size. */
static const char *const leaf_hex[8] = {
	"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
};
static const char *const root_hex[9] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

struct store {
	uint8_t node[8][MOST + 1][TREE_HASH];
	int have[8][MOST + 1];
	uint8_t root[MOST + 1][TREE_HASH];
};

static int
put(void *arg, unsigned level, uint64_t index, const uint8_t hash[TREE_HASH])
{
	struct store *s = arg;

	assert_true(level < 8 && index <= MOST);
	memcpy(s->node[level][index], hash, TREE_HASH);
	s->have[level][index] = 1;
	return 0;
}

static int
get(void *arg, unsigned level, uint64_t index, uint8_t hash[TREE_HASH])
{
	struct store *s = arg;

	if (level >= 8 || index > MOST || !s->have[level][index])
		return ICERT_E_NOT_FOUND;
	memcpy(hash, s->node[level][index], TREE_HASH);
	return 0;
}

static void
grow(struct store *s)
{
	struct tree_edge edge = { 0 };
	uint8_t leaf[TREE_HASH];
	char text[24];
	int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < MOST; i++) {
		tree_root(&edge, s->root[i]);
		snprintf(text, sizeof(text), "leaf %d", i);
		tree_leaf_hash(text, strlen(text), leaf);
		put(s, 0, (uint64_t)i, leaf);
		assert_int_equal(tree_append(&edge, leaf, put, s), 0);
	}
	tree_root(&edge, s->root[MOST]);
}

static void
reference_roots(void **state)
{
	struct tree_edge edge = { 0 };
	uint8_t root[TREE_HASH], leaf[TREE_HASH], bytes[32];
	char hex[TREE_HASH * 2 + 1];
	size_t i, n;

	(void)state;
	for (i = 0; i <= 8; i++) {
		tree_root(&edge, root);
		bytes_to_hex(hex, root, TREE_HASH);
		assert_string_equal(hex, root_hex[i]);
		if (i == 8)
			break;
		n = strlen(leaf_hex[i]) / 2;
		assert_int_equal(bytes_from_hex(bytes, n, leaf_hex[i]), 0);
		tree_leaf_hash(bytes, n, leaf);
		assert_int_equal(tree_append(&edge, leaf, NULL, NULL), 0);
	}
}

static void
reference_inclusion(void **state)
{
	/* Leaf 0 of the eight: the published path. */
	static const char *const path_hex[3] = {
		"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
		"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
	};
	uint8_t path[3][TREE_HASH], root[TREE_HASH], leaf[TREE_HASH];
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(bytes_from_hex(path[i], TREE_HASH, path_hex[i]), 0);
	assert_int_equal(bytes_from_hex(root, TREE_HASH, root_hex[8]), 0);
	tree_leaf_hash("", 0, leaf);
	assert_true(tree_inclusion_holds(0, 8, leaf, path, 3, root));
	assert_false(tree_inclusion_holds(1, 8, leaf, path, 3, root));
	assert_false(tree_inclusion_holds(0, 8, leaf, path, 2, root));
}

static void
every_inclusion(void **state)
{
	static struct store s;
	uint8_t path[TREE_PROOF_MAX][TREE_HASH];
	uint64_t size, i;
	size_t n;

	(void)state;
	grow(&s);
	for (size = 1; size <= MOST; size++) {
		for (i = 0; i < size; i++) {
			assert_int_equal(tree_inclusion(i, size, get, &s, path, &n), 0);
			assert_true(tree_inclusion_holds(i, size, s.node[0][i], path, n, s.root[size]));
			assert_false(tree_inclusion_holds(i, size, s.node[0][(i + 1) % MOST], path, n, s.root[size]));
			if (n > 0) {
				path[n - 1][5] ^= 1;
				assert_false(tree_inclusion_holds(i, size, s.node[0][i], path, n, s.root[size]));
			}
		}
		assert_int_equal(tree_inclusion(size, size, get, &s, path, &n), ICERT_E_INVALID);
	}
}

static void
every_consistency(void **state)
{
	static struct store s;
	uint8_t path[TREE_PROOF_MAX][TREE_HASH];
	uint64_t size, old;
	size_t n;

	(void)state;
	grow(&s);
	for (size = 1; size <= MOST; size++) {
		for (old = 1; old <= size; old++) {
			assert_int_equal(tree_consistency(old, size, get, &s, path, &n), 0);
			assert_true(tree_consistency_holds(old, size, s.root[old], s.root[size], path, n));
			assert_false(tree_consistency_holds(old, size, s.root[old - 1], s.root[size], path, n));
			if (n > 0) {
				path[0][0] ^= 1;
				assert_false(tree_consistency_holds(old, size, s.root[old], s.root[size], path, n));
				path[0][0] ^= 1;
				assert_false(tree_consistency_holds(old, size, s.root[old], s.root[size], path, n - 1));
			}
		}
		assert_int_equal(tree_consistency(0, size, get, &s, path, &n), ICERT_E_INVALID);
		assert_int_equal(tree_consistency(size + 1, size, get, &s, path, &n), ICERT_E_INVALID);
	}
}

static int
refuse(void *arg, unsigned level, uint64_t index, const uint8_t hash[TREE_HASH])
{
	(void)arg, (void)level, (void)index, (void)hash;
	return ICERT_E_DATABASE;
}

static void
failed_append_changes_nothing(void **state)
{
	struct tree_edge edge = { 0 }, before;
	uint8_t leaf[TREE_HASH] = { 7 };

	(void)state;
	assert_int_equal(tree_append(&edge, leaf, refuse, NULL), 0);   /* completes no pair */
	before = edge;
	assert_int_equal(tree_append(&edge, leaf, refuse, NULL), ICERT_E_DATABASE);
	assert_memory_equal(&edge, &before, sizeof(edge));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_roots),
		cmocka_unit_test(reference_inclusion),
		cmocka_unit_test(every_inclusion),
		cmocka_unit_test(every_consistency),
		cmocka_unit_test(failed_append_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
