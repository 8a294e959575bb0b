/*
 * The status store: what the edge answers OCSP and CRL questions from.
 *
 * A folder holds immutable files (segments of OCSP answers, CRLs, CA
 * certificates) and one manifest, sealed with Ed25519, that names each of
 * them by digest.  The publisher writes (libicert/status_write.h); any number
 * of edges read.  Format and reasons: docs/status-store.md.
 *
 * Reading never trusts the file: every offset and length is checked against
 * the map before use, so a damaged file gives ICERT_E_MALFORMED, never a crash.
 */
#ifndef LIBICERT_STATUS_H
#define LIBICERT_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/error.h"
#include "libicert/siphash.h"

#define STATUS_VERSION		2
#define STATUS_DIGEST		32	/* SHA-256 */
#define STATUS_SEAL_KEY		32	/* Ed25519 public key, and seed */
#define STATUS_SEAL		64	/* Ed25519 signature */
#define STATUS_SERIAL_MAX	20	/* RFC 5280, 4.1.2.2 */
#define STATUS_ISSUERS_MAX	64
#define STATUS_TAILS_MAX	256
#define STATUS_ENTRIES_MAX	48	/* files a manifest may name */
#define STATUS_NAME_MAX		31	/* octets of an entry's name */
#define STATUS_FILE_MAX		63	/* octets of a stored file's name */
#define STATUS_MANIFEST_FILE	"manifest"
#define STATUS_MANIFEST_MAX	8192	/* octets of a sealed manifest, more than the largest */
#define STATUS_HEADER_SIZE	512	/* octets of a segment's header */

/*
 * Errors are those of libicert/error.h, here with these meanings:
 *	ICERT_E_SYSTEM		errno says what
 *	ICERT_E_MALFORMED	not a file of this format and version, or damaged
 *	ICERT_E_DENIED		a file that somebody else than the folder's owner (or root) may change
 *	ICERT_E_MISMATCH	the size is not the one the manifest names
 *	ICERT_E_FORGED		digest or seal do not verify
 *	ICERT_E_TOO_LARGE	more issuers, tails, octets or years than the format holds
 *	ICERT_E_EXISTS		one issuer and serial twice in a segment
 */

/* The hash algorithms of a CertID for which answers may be stored. */
enum status_algorithm {
	STATUS_SHA1,
	STATUS_SHA256,
	STATUS_ALGORITHMS
};

enum status_state {
	STATUS_GOOD = 0,
	STATUS_REVOKED = 1,
	STATUS_PENDING = 2	/* being changed: the edge answers tryLater */
};

#define STATUS_NO_REASON 255
#define STATUS_NEVER	 253402300799LL	/* 9999-12-31T23:59:59Z as a nextUpdate */

/* A file named by the manifest. */
enum status_kind {
	STATUS_KIND_SEGMENT = 1,/* digest: of the header, which holds those of the sections */
	STATUS_KIND_CRL = 2,	/* digest: of the whole file, as below */
	STATUS_KIND_CA = 3	/* a CA certificate, DER */
};

struct status_entry {
	enum status_kind	kind;
	char			name[STATUS_NAME_MAX + 1];	/* what it is: "base", "icert.crl", "raiz.cer" */
	char			file[STATUS_FILE_MAX + 1];	/* bare name in the folder, never reused */
	uint64_t		size;				/* octets */
	int64_t			this_update;			/* UTC seconds; 0: none (CA certificate) */
	int64_t			next_update;			/* UTC seconds; 0: none.  Segment: the least of its records */
	uint8_t			digest[STATUS_DIGEST];
};

struct status_manifest {
	uint64_t		epoch;		/* grows by one with every change of the entries */
	int64_t			heartbeat;	/* UTC seconds at which it was sealed; grows alone too */
	uint32_t		count;
	struct status_entry	entry[STATUS_ENTRIES_MAX];
};

/*
 * Verifies the seal with the public key and reads the manifest.
 * ICERT_E_FORGED or ICERT_E_MALFORMED when it is not to be believed; *m is then
 * undefined.  Epoch and heartbeat are for the caller to compare with what it
 * has seen before.
 */
int status_manifest_read(struct status_manifest *m, const void *bytes, size_t len,
    const uint8_t public_key[STATUS_SEAL_KEY]);

/* The entry of that name, or NULL. */
const struct status_entry *status_manifest_entry(const struct status_manifest *, const char *name);

/*
 * Maps an entry's file read-only and checks its size and whose it is.  For a CRL or CA
 * certificate the digest is checked too.  *map stays valid until
 * status_unmap(), whatever happens to the name.
 */
int	status_map(int dirfd, const struct status_entry *, const void **map);
void	status_unmap(const void *map, uint64_t size);

/* A segment in memory.  Offsets have been checked; records are as they are met. */
struct status_segment {
	const uint8_t	*map;
	uint64_t	 size;
	uint64_t	 epoch;
	int64_t		 min_next_update;
	uint64_t	 records;
	uint64_t	 record_offset, record_size;
	uint64_t	 issuer_offset;
	uint64_t	 tail_offset, tail_size;
	uint64_t	 index_offset;
	uint64_t	 slots;		/* a power of two */
	uint32_t	 issuers;
	uint32_t	 tails;
	uint8_t		 seed[SIPHASH_SEED];
};

/*
 * Reads the header in map[0..size); the map must outlive *s.  When digest is
 * not NULL the header must have it.  Costs the same for any size.
 */
int status_segment_init(struct status_segment *s, const void *map, uint64_t size,
    const uint8_t *digest);

/* Compares every section with its digest in the header: reads the whole file. */
int status_segment_verify(const struct status_segment *);
/* All of it but the records' digest, for who has read them already. */
int status_segment_verify_rest(const struct status_segment *);

/*
 * The issuer's number by the two hashes of a CertID, whose length is the
 * algorithm's (20 or 32 octets); -1 when it is none of ours.
 */
int status_segment_issuer(const struct status_segment *, enum status_algorithm,
    const uint8_t *name_hash, const uint8_t *key_hash);

/* One answer: send head, then tail.  head is NULL when it is not stored. */
struct status_answer {
	const uint8_t	*head;
	const uint8_t	*tail;
	uint32_t	 head_len;
	uint32_t	 tail_len;
};

struct status_record {
	enum status_state	state;
	int			reason;		/* CRLReason or STATUS_NO_REASON */
	int64_t			this_update;
	int64_t			next_update;
	int64_t			revoked_at;	/* 0: not revoked */
	uint64_t		slot;		/* of the index, by which it was found: below the segment's slots, one a record */
	struct status_answer	answer[STATUS_ALGORITHMS];
};

/*
 * The record of a serial (big-endian, no leading zero octet, 1 to
 * STATUS_SERIAL_MAX octets).  1: found, 0: no such record, below zero: the
 * segment is damaged.  Pointers in *r are into the map.
 */
int status_segment_find(const struct status_segment *, unsigned issuer,
    const uint8_t *serial, size_t serial_len, struct status_record *r);

/* Whose record it is; serial points into the map. */
struct status_key {
	unsigned	 issuer;
	const uint8_t	*serial;
	size_t		 serial_len;
};

/*
 * The records one after the other, in the order they were written; *cursor is 0
 * before the first.  1: *key and *r are the next one, 0: there is none, below zero:
 * the segment is damaged.
 */
int status_segment_next(const struct status_segment *, uint64_t *cursor, struct status_key *key,
    struct status_record *r);

#endif
