#ifndef ICERT_AUDIT_VERIFY_H
#define ICERT_AUDIT_VERIFY_H

#include <stdio.h>

struct db;

/*
 * The auditor's check.  Reads the rows of icert.audit in the order of their
 * leaves, computes the tree anew and compares it with every signed head, of
 * the folder (a copy kept on another host serves better than the original)
 * and of the table.  It shares with the writer only the arithmetic of the tree, the
 * form of a head and the bytes of a row.
 *
 * Finds: an edited, deleted, inserted or reordered row (and which, as long as the stored
 * leaves are untouched; else between which heads), a truncation, a fork (two signed heads
 * that cannot both be true), a head that is not signed by the key.
 */
struct verify_options {
	const char *heads;       /* folder with *.heads */
	const char *key;         /* path of the private key; PATH.pub is read */
};

/* Prints one line a finding and a summary.  0 sound, 1 not sound, 2 could
 * not be checked. */
int	audit_verify(struct db *db, const struct verify_options *options, FILE *out);

#endif
