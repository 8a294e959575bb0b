#ifndef ICERT_AUDIT_VERIFY_HEADS_H
#define ICERT_AUDIT_VERIFY_HEADS_H

#include <stdio.h>

#include "audit/head.h"

struct db;

/* The signed heads that a check goes by, smallest first.  Only for audit/. */
struct heads {
	struct known_head {
		uint64_t size;
		uint8_t root[TREE_HASH];
		int64_t at;
		int from_table;
	} *list;
	size_t n, room;
	unsigned bad;                /* notes that are malformed or not signed by the key */
	unsigned forks;              /* pairs of one size and two roots */
};

/* Adds every note of the folder's *.heads files, or of the table; each fault
 * is printed and counted.  0, or negative when they cannot be read. */
int	heads_from_folder(struct heads *heads, const char *folder, const uint8_t pub[32], FILE *out);
int	heads_from_table(struct heads *heads, struct db *db, const uint8_t pub[32], FILE *out);

/* Sorts, drops repeats, finds forks. */
void	heads_settle(struct heads *heads, FILE *out);
void	heads_free(struct heads *heads);

#endif
