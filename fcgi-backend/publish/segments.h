#ifndef PUBLISH_SEGMENTS_H
#define PUBLISH_SEGMENTS_H
/*
 * The segments of a published set as the publisher itself reads them: mapped,
 * newest first, so that what is public is asked of what is public.
 *
 * A CA is meant by its place among those that the set was opened for.
 */
#include <stdint.h>

#include "libicert/status_write.h"
#include "pki/issuer_list.h"
#include "pki/ocsp_answer.h"

#define SEGMENTS_MAX 8		/* live at once; the edge takes no more */
#define SEGMENT_BASE "base"	/* names in the manifest */
#define SEGMENT_DELTA "delta"
#define SEGMENT_PENDING "pending"

struct segment {
	struct status_entry entry;
	const void *map;
	struct status_segment s;
	int issuer[ISSUERS_MAX];	/* each CA's number there; -1: none of its records */
};

/* Where CertIDs of a CA point. */
struct segments_ca {
	uint8_t name_hash[32], key_hash[32];	/* SHA-256 */
};

struct segments {
	int dirfd;		/* the caller's */
	size_t cas;
	struct segments_ca ca[ISSUERS_MAX];
	size_t n;
	struct segment at[SEGMENTS_MAX];
};

/*
 * Maps the segments that a manifest names, for n CAs.  0, or the error
 * of the first that cannot be read (nothing is mapped then).
 */
int	segments_open(struct segments *, int dirfd, const struct status_manifest *, const struct segments_ca *, size_t n);
/* Without any segment yet, for segments_push(). */
void	segments_begin(struct segments *, int dirfd, const struct segments_ca *, size_t n);
/* Of a CA's certificate (DER).  0, ICERT_E_MALFORMED, ICERT_E_CRYPTO. */
int	segments_ca(struct segments_ca *, const uint8_t *certificate, size_t len);
void	segments_close(struct segments *);

/* Puts one more in front; SEGMENTS_MAX of them: ICERT_E_TOO_LARGE. */
int	segments_push(struct segments *, const struct status_entry *);
/* Takes one away. */
void	segments_drop(struct segments *, size_t i);

/* What is public of a CA's serial: 1 and the record, 0: nothing, below zero: a damaged segment. */
int	segments_find(const struct segments *, size_t place, const uint8_t serial[16], struct status_record *);
/* Puts a record of at[i] into a segment that is being written, answers and all. */
int	segments_copy(const struct segments *, size_t i, const struct status_key *, const struct status_record *,
	    struct status_writer *);

/*
 * Writes the records of at[0..n), each serial's newest, into one segment that takes their place; nothing is
 * signed.  0 and *entry, or the store's error.
 */
int	segments_merge(const struct segments *, size_t n, const char *file, uint64_t epoch, struct status_entry *entry);

#endif
