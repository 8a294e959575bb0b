#ifndef ICERT_AUDIT_TREE_H
#define ICERT_AUDIT_TREE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The Merkle tree of RFC 9162, section 2.1, with SHA-256.  Knows nothing of
 * audit rows: leaves are hashes.  A node (level, index) covers the leaves
 * index << level up to (index + 1) << level; only full nodes have a value
 * that never changes, and only those are stored.
 */
#define TREE_HASH 32
#define TREE_LEVELS 63
#define TREE_PROOF_MAX (2 * TREE_LEVELS)

/* RFC 9162, 2.1.1: SHA-256(0x00 || data) and SHA-256(0x01 || left || right). */
void	tree_leaf_hash(const void *data, size_t len, uint8_t out[TREE_HASH]);
void	tree_node_hash(const uint8_t left[TREE_HASH], const uint8_t right[TREE_HASH], uint8_t out[TREE_HASH]);

/*
 * The right edge of a growing tree: the roots of its full subtrees, the
 * largest first.  All a writer needs in memory: at most 63 hashes.
 */
struct tree_edge {
	uint64_t size;                                 /* leaves so far */
	uint8_t hash[TREE_LEVELS][TREE_HASH];          /* by level; valid where the bit of size is set */
};

/* Called for every full node above the leaves that an append completes. */
typedef int tree_node_fn(void *arg, unsigned level, uint64_t index, const uint8_t hash[TREE_HASH]);

/* Appends one leaf hash; full (may be NULL) sees each node completed by it.
 * Returns 0 or what full returned; then the edge is unchanged. */
int	tree_append(struct tree_edge *edge, const uint8_t leaf[TREE_HASH], tree_node_fn *full, void *arg);

/* Root of what has been appended; of an empty tree, SHA-256 of nothing. */
void	tree_root(const struct tree_edge *edge, uint8_t out[TREE_HASH]);

/* Reads a full node; level 0 is a leaf hash.  Returns 0, or negative. */
typedef int tree_read_fn(void *arg, unsigned level, uint64_t index, uint8_t hash[TREE_HASH]);

/*
 * RFC 9162, 2.1.3.1: proof that leaf `index` is in the tree of `size` leaves,
 * and 2.1.4.1: that the tree of `old` leaves is a prefix of that of `size`.
 * path has room for TREE_PROOF_MAX hashes; *n is set.  Return 0, the
 * reader's error, or ICERT_E_INVALID when index >= size, or old is 0 or above size.
 */
int	tree_inclusion(uint64_t index, uint64_t size, tree_read_fn *read, void *arg,
	    uint8_t path[][TREE_HASH], size_t *n);
int	tree_consistency(uint64_t old, uint64_t size, tree_read_fn *read, void *arg,
	    uint8_t path[][TREE_HASH], size_t *n);

/* RFC 9162, 2.1.3.2 and 2.1.4.2.  Return 1 when the proof holds, else 0. */
int	tree_inclusion_holds(uint64_t index, uint64_t size, const uint8_t leaf[TREE_HASH],
	    const uint8_t path[][TREE_HASH], size_t n, const uint8_t root[TREE_HASH]);
int	tree_consistency_holds(uint64_t old, uint64_t size, const uint8_t old_root[TREE_HASH],
	    const uint8_t root[TREE_HASH], const uint8_t path[][TREE_HASH], size_t n);

#endif
