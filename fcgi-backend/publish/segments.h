#ifndef PUBLISH_SEGMENTS_H
#define PUBLISH_SEGMENTS_H
/*
 * The segments of a published set as the publisher itself reads them: mapped,
 * newest first, so that what is public is asked of what is public.
 */
#include <stdint.h>

#include "libicert/status_write.h"
#include "pki/ocsp_answer.h"

#define SEGMENTS_MAX 8		/* live at once; the edge takes no more */
#define SEGMENT_BASE "base"	/* names in the manifest */
#define SEGMENT_DELTA "delta"
#define SEGMENT_PENDING "pending"

struct segment {
	struct status_entry entry;
	const void *map;
	struct status_segment s;
	int issuer;		/* ours there; -1: none of its records */
};

struct segments {
	int dirfd;		/* the caller's */
	size_t n;
	struct segment at[SEGMENTS_MAX];
};

/*
 * Maps the segments that a manifest names, for the issuer of the template.  0, or the error
 * of the first that cannot be read (nothing is mapped then).
 */
int	segments_open(struct segments *, int dirfd, const struct status_manifest *, const struct ocsp_template *);
void	segments_close(struct segments *);

/* Puts one more in front; SEGMENTS_MAX of them: ICERT_E_TOO_LARGE. */
int	segments_push(struct segments *, const struct status_entry *, const struct ocsp_template *);
/* Takes one away. */
void	segments_drop(struct segments *, size_t i);

/* What is public of a serial: 1 and the record, 0: nothing, below zero: a damaged segment. */
int	segments_find(const struct segments *, const uint8_t serial[16], struct status_record *);

/*
 * Writes the records of at[0..n), each serial's newest, into one segment that takes their place; nothing is
 * signed.  0 and *entry, or the store's error.
 */
int	segments_merge(const struct segments *, size_t n, const char *file, uint64_t epoch, struct status_entry *entry);

#endif
