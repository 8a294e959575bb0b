#ifndef ICERT_AUDIT_RECEIPT_H
#define ICERT_AUDIT_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/head.h"
#include "libicert/buf.h"

struct db;

/*
 * A receipt: the rows of one case, each with its proof that it stands in the log under one signed head
 * (RFC 9162, 2.1.3).  Whoever holds it can show later that the log was changed, with nothing of this house.
 * JSON; its form is in docs/audit.md.
 */
#define RECEIPT_FORMAT "icert-receipt-v1"
#define RECEIPT_MAX (4u << 20)	/* octets of one that is read */
#define RECEIPT_ROWS 4096

/*
 * Appends the receipt of a case, in the caller's open transaction: row-level security decides what is there.  key: the log's
 * public one.  all: ICERT_E_STATE while a row of the case has no place yet; else those are left out.
 * ICERT_E_NOT_FOUND: no row has a place.
 */
int	receipt_make(struct db *, const char *case_id, const char *number, const uint8_t key[32], int all, struct buf *out);

struct receipt_row {
	uint64_t leaf;
	struct audit_row row;
};

struct receipt {
	struct audit_head head;
	uint8_t key[32];		/* that signed it, as the receipt says */
	const char *case_id, *number;
	struct receipt_row *rows;	/* in the order of their leaves */
	size_t n;
	const char *fault;		/* form, key, head, case, order, row; NULL: all of it holds */
	uint64_t fault_leaf;		/* case, order, row: which */
	void *json;			/* what the strings are borrowed from */
};

/*
 * Reads and verifies.  key: the log's public key as the reader knows it; NULL: the receipt's own is taken, and is the
 * caller's to show.  0 with .fault; ICERT_E_MEMORY.  Freed in each case.
 */
int	receipt_read(const char *text, size_t len, const uint8_t *key, struct receipt *);
void	receipt_free(struct receipt *);

#endif
