#include "audit/tree.h"

#include <sodium.h>
#include <string.h>

#include "libicert/error.h"

#define LEAF_PREFIX 0x00    /* RFC 9162, 2.1.1: tells leaves from nodes */
#define NODE_PREFIX 0x01

/* A proof while it is being collected. */
struct proof {
	tree_read_fn *read;
	void *arg;
	uint8_t (*path)[TREE_HASH];
	size_t n;
};

static int range_root(const struct proof *proof, uint64_t begin, uint64_t end, uint8_t out[TREE_HASH]);

void
tree_leaf_hash(const void *data, size_t len, uint8_t out[TREE_HASH])
{
	static const uint8_t prefix = LEAF_PREFIX;
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &prefix, 1);
	if (len > 0)
		crypto_hash_sha256_update(&state, data, len);
	crypto_hash_sha256_final(&state, out);
}

void
tree_node_hash(const uint8_t left[TREE_HASH], const uint8_t right[TREE_HASH], uint8_t out[TREE_HASH])
{
	uint8_t joined[1 + 2 * TREE_HASH];

	joined[0] = NODE_PREFIX;
	memcpy(joined + 1, left, TREE_HASH);
	memcpy(joined + 1 + TREE_HASH, right, TREE_HASH);
	crypto_hash_sha256(out, joined, sizeof(joined));
}

int
tree_append(struct tree_edge *edge, const uint8_t leaf[TREE_HASH], tree_node_fn *full, void *arg)
{
	uint8_t hash[TREE_HASH];
	unsigned level;
	int error;

	/* A carry, as in counting: each full pair becomes one node above. */
	memcpy(hash, leaf, TREE_HASH);
	for (level = 0; edge->size >> level & 1; level++) {
		tree_node_hash(edge->hash[level], hash, hash);
		if (full != NULL && (error = full(arg, level + 1, edge->size >> (level + 1), hash)) != 0)
			return error;
	}
	if (level >= TREE_LEVELS)
		return ICERT_E_TOO_LARGE;
	memcpy(edge->hash[level], hash, TREE_HASH);
	edge->size++;
	return 0;
}

void
tree_root(const struct tree_edge *edge, uint8_t out[TREE_HASH])
{
	unsigned level;
	int any = 0;

	crypto_hash_sha256(out, (const uint8_t *)"", 0);
	for (level = 0; level < TREE_LEVELS; level++) {
		if ((edge->size >> level & 1) == 0)
			continue;
		if (any)
			tree_node_hash(edge->hash[level], out, out);
		else
			memcpy(out, edge->hash[level], TREE_HASH);
		any = 1;
	}
}

/* The largest power of two below n; n > 1. */
static uint64_t
split_point(uint64_t n)
{
	uint64_t k = 1;

	while (k << 1 < n)
		k <<= 1;
	return k;
}

static unsigned
level_of(uint64_t power)
{
	unsigned level = 0;

	while (power >> level > 1)
		level++;
	return level;
}

/* MTH(D[begin:end]); begin is a multiple of every full subtree it starts. */
static int
range_root(const struct proof *proof, uint64_t begin, uint64_t end, uint8_t out[TREE_HASH])
{
	uint64_t n = end - begin, k;
	uint8_t right[TREE_HASH];
	int error;

	if ((n & (n - 1)) == 0)
		return proof->read(proof->arg, level_of(n), begin / n, out);
	k = split_point(n);
	if ((error = range_root(proof, begin, begin + k, out)) != 0 ||
	    (error = range_root(proof, begin + k, end, right)) != 0)
		return error;
	tree_node_hash(out, right, out);
	return 0;
}

/* Puts MTH(D[begin:end]) at the end of the path. */
static int
proof_put(struct proof *proof, uint64_t begin, uint64_t end)
{
	int error;

	if (proof->n == TREE_PROOF_MAX)
		return ICERT_E_TOO_LARGE;
	if ((error = range_root(proof, begin, end, proof->path[proof->n])) != 0)
		return error;
	proof->n++;
	return 0;
}

/* RFC 9162, 2.1.3.1, PATH(m, D[begin:end]). */
static int
inclusion(struct proof *proof, uint64_t m, uint64_t begin, uint64_t end)
{
	uint64_t k;
	int error;

	if (end - begin == 1)
		return 0;
	k = split_point(end - begin);
	if (m < k) {
		if ((error = inclusion(proof, m, begin, begin + k)) != 0)
			return error;
		return proof_put(proof, begin + k, end);
	}
	if ((error = inclusion(proof, m - k, begin + k, end)) != 0)
		return error;
	return proof_put(proof, begin, begin + k);
}

int
tree_inclusion(uint64_t index, uint64_t size, tree_read_fn *read, void *arg, uint8_t path[][TREE_HASH], size_t *n)
{
	struct proof proof = { read, arg, path, 0 };
	int error;

	if (index >= size)
		return ICERT_E_INVALID;
	if ((error = inclusion(&proof, index, 0, size)) == 0)
		*n = proof.n;
	return error;
}

/* RFC 9162, 2.1.4.1, SUBPROOF(m, D[begin:end], whole). */
static int
subproof(struct proof *proof, uint64_t m, uint64_t begin, uint64_t end, int whole)
{
	uint64_t k;
	int error;

	if (m == end - begin)
		return whole ? 0 : proof_put(proof, begin, end);
	k = split_point(end - begin);
	if (m <= k) {
		if ((error = subproof(proof, m, begin, begin + k, whole)) != 0)
			return error;
		return proof_put(proof, begin + k, end);
	}
	if ((error = subproof(proof, m - k, begin + k, end, 0)) != 0)
		return error;
	return proof_put(proof, begin, begin + k);
}

int
tree_consistency(uint64_t old, uint64_t size, tree_read_fn *read, void *arg, uint8_t path[][TREE_HASH], size_t *n)
{
	struct proof proof = { read, arg, path, 0 };
	int error;

	if (old == 0 || old > size)
		return ICERT_E_INVALID;
	if ((error = subproof(&proof, old, 0, size, 1)) == 0)
		*n = proof.n;
	return error;
}

int
tree_inclusion_holds(uint64_t index, uint64_t size, const uint8_t leaf[TREE_HASH],
    const uint8_t path[][TREE_HASH], size_t n, const uint8_t root[TREE_HASH])
{
	uint64_t fn = index, sn = size - 1;
	uint8_t hash[TREE_HASH];
	size_t i;

	if (index >= size)
		return 0;
	memcpy(hash, leaf, TREE_HASH);
	for (i = 0; i < n; i++) {
		if (sn == 0)
			return 0;
		if ((fn & 1) || fn == sn) {
			tree_node_hash(path[i], hash, hash);
			while ((fn & 1) == 0 && fn != 0)
				fn >>= 1, sn >>= 1;
		} else {
			tree_node_hash(hash, path[i], hash);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(hash, root, TREE_HASH) == 0;
}

int
tree_consistency_holds(uint64_t old, uint64_t size, const uint8_t old_root[TREE_HASH],
    const uint8_t root[TREE_HASH], const uint8_t path[][TREE_HASH], size_t n)
{
	uint8_t fr[TREE_HASH], sr[TREE_HASH];
	uint64_t fn = old - 1, sn = size - 1;
	size_t i = 0;

	if (old == 0 || old > size)
		return 0;
	if (old == size)
		return n == 0 && memcmp(old_root, root, TREE_HASH) == 0;
	/* A tree of a power of two is a full node of the new one: the proof leaves it out. */
	if ((old & (old - 1)) == 0) {
		memcpy(fr, old_root, TREE_HASH);
	} else {
		if (n == 0)
			return 0;
		memcpy(fr, path[i++], TREE_HASH);
	}
	memcpy(sr, fr, TREE_HASH);
	while (fn & 1)
		fn >>= 1, sn >>= 1;
	for (; i < n; i++) {
		if (sn == 0)
			return 0;
		if ((fn & 1) || fn == sn) {
			tree_node_hash(path[i], fr, fr);
			tree_node_hash(path[i], sr, sr);
			while ((fn & 1) == 0 && fn != 0)
				fn >>= 1, sn >>= 1;
		} else {
			tree_node_hash(sr, path[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(fr, old_root, TREE_HASH) == 0 && memcmp(sr, root, TREE_HASH) == 0;
}
