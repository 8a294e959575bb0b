#ifndef PUBLISH_BASE_SOURCE_H
#define PUBLISH_BASE_SOURCE_H
/*
 * What one CA's part of a base is made of, in the order of serials: the rows of the database merged
 * with what is public.  For base.c alone.
 */
#include "publish/revocations.h"
#include "publish/segments.h"
#include "publish/status_rows.h"

struct base_source {
	const struct segments *published;	/* the caller's */
	size_t place;				/* of the CA there */
	unsigned issuer;			/* its number */
	const struct revocations *revocations;	/* the caller's; NULL: none */
	struct db *db;				/* NULL: the published set alone */
	uint8_t after[16];			/* serials up to here are done */
	/* a page of rows */
	struct cert_status *rows;
	size_t row, row_n;
	int rows_end;
	/* the base in place */
	uint64_t cursor;
	uint8_t base_serial[16];
	int base_end;
	/* serials of the deltas, sorted, each once */
	uint8_t (*delta)[16];
	size_t delta_at, delta_n;
	uint64_t kept, carried;			/* revoked against the database; unknown to it */
};

/* Begins behind the serial `after`.  0 or the error. */
int	base_source_open(struct base_source *, const struct segments *, size_t place, unsigned issuer,
	    const struct revocations *, const char *conninfo, const uint8_t after[16]);
/* Its segment in `published` that is the base in place; NULL: none. */
const struct segment *base_source_base(const struct segments *, size_t place);
/* 1 and the next, 0: that was all, below zero: the database's error or a damaged segment. */
int	base_source_next(struct base_source *, struct cert_status *);
void	base_source_close(struct base_source *);

#endif
