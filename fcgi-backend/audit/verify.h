#ifndef ICERT_AUDIT_VERIFY_H
#define ICERT_AUDIT_VERIFY_H

#include <stdio.h>

struct db;
struct config;

/*
 * The auditor's command `icertctl audit verify [--heads FOLDER] [--key FILE]
 * [--receipt CASE]`.  Reads the rows of icert.audit in the order of their
 * leaves, computes the tree anew and compares it with every signed head of
 * the folder (a copy kept outside the host serves as well as the original)
 * and of the table.  Finds an edit, a deletion, a reordering, a truncation
 * and a fork.  Prints what it found; returns the exit status: 0 sound,
 * 1 not sound, 2 could not be checked.
 */
int	audit_verify_command(struct db *db, const struct config *config, int argc, char **argv, FILE *out);

#endif
