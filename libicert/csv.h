#ifndef LIBICERT_CSV_H
#define LIBICERT_CSV_H
/*
 * Comma-separated values as RFC 4180 has them, for people's spreadsheets: UTF-8 with a byte order mark (without one the usual
 * programs take another encoding), CRLF, a comma between fields, a point in amounts.  A text that a spreadsheet
 * would take for a formula has an apostrophe put before it.
 */
#include <stdint.h>

#include "libicert/buf.h"

/* Writes one file: begun with csv_begin(), each field with a function of its kind, each row ended.  Errors stay in the buffer. */
struct csv {
	struct buf *out;
	int within;		/* a field of this row is there */
};

void	csv_begin(struct csv *, struct buf *out);
void	csv_text(struct csv *, const char *);
void	csv_number(struct csv *, int64_t);
/* cents: 3105 is 31.05 */
void	csv_money(struct csv *, int64_t cents);
void	csv_end(struct csv *);

#endif
