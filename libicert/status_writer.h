/*
 * A segment on its way to the disk: what status_write.c and status_resume.c share.
 */
#ifndef LIBICERT_STATUS_WRITER_H
#define LIBICERT_STATUS_WRITER_H

#include <openssl/evp.h>

#include "libicert/status_file.h"
#include "libicert/status_format.h"
#include "libicert/status_write.h"

#define TAIL_MAX	(1U << 20)	/* octets of all tails */

struct slot_in {
	uint64_t	hash;
	uint64_t	offset;		/* of the record, in the file */
};

struct status_writer {
	struct status_file	 file;
	EVP_MD_CTX		*record_digest;
	uint64_t		 at;		/* octets of the file so far */
	uint64_t		 epoch, sequence_first, sequence_last;
	int64_t			 this_update;	/* latest of the records */
	int64_t			 min_next_update;
	uint8_t			 seed[SIPHASH_SEED];
	uint8_t			 issuer[STATUS_ISSUERS_MAX * SI_SIZE];
	uint32_t		 issuers;
	uint8_t			*tail[STATUS_TAILS_MAX];
	uint32_t		 tail_len[STATUS_TAILS_MAX];
	uint64_t		 tail_total;
	uint32_t		 tails;
	struct slot_in		*slot;
	size_t			 slots, room;
	int			 marked;
	EVP_MD_CTX		*back_digest;	/* of the records as they were read back, */
	uint64_t		 back_at;	/* up to here */
};

/* A writer without a file; NULL: no memory. */
struct status_writer	*status_writer_new(void);

/* Remembers that a record of this hash begins at w->at, for the index. */
int	status_writer_slot(struct status_writer *, uint64_t hash);

/* What is in the file up to w->at needs no second reading: record_digest was made of it. */
int	status_back_begin(struct status_writer *);
/* Reads the records back to their end: ICERT_E_FORGED unless their digest is this one. */
int	status_back_verify(struct status_writer *, uint64_t end, const uint8_t digest[STATUS_DIGEST]);

#endif
