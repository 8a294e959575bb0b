/*
 * Offsets of the status store's files, shared by its reader and its writer
 * and by nobody else.  All numbers are little-endian.  docs/status-store.md
 * is the description; this is its arithmetic.
 */
#ifndef LIBICERT_STATUS_FORMAT_H
#define LIBICERT_STATUS_FORMAT_H

#include <stdint.h>

#define SEGMENT_MAGIC	"icertSEG"
#define MANIFEST_MAGIC	"icertMAN"

/* The segment's header. */
enum {
	SH_MAGIC = 0,		/* 8 */
	SH_VERSION = 8,		/* u32 */
	SH_HEADER_SIZE = 12,	/* u32 */
	SH_EPOCH = 16,		/* u64 */
	SH_SEQUENCE_FIRST = 24,	/* u64 */
	SH_SEQUENCE_LAST = 32,	/* u64 */
	SH_MIN_NEXT_UPDATE = 40,/* i64 */
	SH_RECORDS = 48,	/* u64 */
	SH_SLOTS = 56,		/* u64 */
	SH_ISSUERS = 64,	/* u32 */
	SH_TAILS = 68,		/* u32 */
	SH_SEED = 72,		/* 16 */
	SH_RECORD_OFFSET = 88,	/* u64 each */
	SH_RECORD_SIZE = 96,
	SH_ISSUER_OFFSET = 104,
	SH_TAIL_OFFSET = 112,
	SH_TAIL_SIZE = 120,
	SH_INDEX_OFFSET = 128,
	SH_FILE_SIZE = 136,
	SH_RECORD_DIGEST = 144,	/* 32 each */
	SH_ISSUER_DIGEST = 176,
	SH_TAIL_DIGEST = 208,
	SH_INDEX_DIGEST = 240	/* to 272; the rest is zero */
};

/* An issuer. */
enum {
	SI_SHA1_NAME = 0,	/* 20 */
	SI_SHA1_KEY = 20,	/* 20 */
	SI_SHA256_NAME = 40,	/* 32 */
	SI_SHA256_KEY = 72,	/* 32 */
	SI_SIZE = 104
};

/* The tail section: this table, then the bytes its offsets point to. */
enum {
	ST_OFFSET = 0,		/* u32, from the section's start */
	ST_LENGTH = 4,		/* u32 */
	ST_SIZE = 8
};

/*
 * A record, a multiple of 4 octets: this, then the revocation time if there is
 * one, {head length, tail} for each answer, the serial if no answer holds it, and
 * the answers' heads in order.
 */
enum {
	SR_SIZE = 0,		/* u16, all of it with padding, in units of 4 octets */
	SR_ISSUER = 2,		/* u8 */
	SR_STATE = 3,		/* u8: state in the low four bits, CRLReason above; 15: none */
	SR_THIS_UPDATE = 4,	/* u32 */
	SR_NEXT_UPDATE = 8,	/* u32, SR_NEVER */
	SR_SERIAL = 12,		/* u16, from the record's start: where its octets stand */
	SR_SERIAL_LEN = 14,	/* u8 */
	SR_PARTS = 15,		/* u8: bit a: an answer for algorithm a; and the two below */
	SR_HEADER = 16,
	SR_ANSWER_SIZE = 3,	/* u16 length of the head, u8 number of the tail */
	SR_UNIT = 4
};
#define SR_HAS_REVOKED_AT 0x80
#define SR_HAS_SERIAL	0x40	/* it stands before the heads; else in one of them */
#define SR_REASON_SHIFT	4
#define SR_REASON_NONE	15
#define SR_NEVER	UINT32_MAX	/* 99991231235959Z: the last answers of a CA that has ended */

/* The manifest: header, entries, signature over all before it. */
enum {
	MH_MAGIC = 0,		/* 8 */
	MH_VERSION = 8,		/* u32 */
	MH_COUNT = 12,		/* u32 */
	MH_EPOCH = 16,		/* u64 */
	MH_HEARTBEAT = 24,	/* i64 */
	MH_SIZE = 32
};

enum {
	ME_KIND = 0,		/* u32 */
	ME_RESERVED = 4,	/* u32, zero */
	ME_NAME = 8,		/* 32, padded with NUL */
	ME_FILE = 40,		/* 64, padded with NUL */
	ME_ENTRY_SIZE = 104,	/* u64 */
	ME_THIS_UPDATE = 112,	/* i64 */
	ME_NEXT_UPDATE = 120,	/* i64 */
	ME_DIGEST = 128,	/* 32 */
	ME_SIZE = 160
};

/* A slot: 24 bits of tag above 40 bits of record offset / SR_UNIT; 0 is empty. */
#define SLOT_OFFSET_BITS 40
#define SLOT_OFFSET_MASK ((1ULL << SLOT_OFFSET_BITS) - 1)

static inline uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static inline uint64_t
get64(const uint8_t *p)
{
	return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static inline void
put16(uint8_t *p, uint16_t x)
{
	p[0] = (uint8_t)x;
	p[1] = (uint8_t)(x >> 8);
}

static inline void
put32(uint8_t *p, uint32_t x)
{
	put16(p, (uint16_t)x);
	put16(p + 2, (uint16_t)(x >> 16));
}

static inline void
put64(uint8_t *p, uint64_t x)
{
	put32(p, (uint32_t)x);
	put32(p + 4, (uint32_t)(x >> 32));
}

/* The index key: issuer number, then the serial's octets. */
static inline uint64_t
status_hash(const uint8_t *seed, unsigned issuer, const uint8_t *serial, size_t len)
{
	uint8_t	key[2 + STATUS_SERIAL_MAX];

	put16(key, (uint16_t)issuer);
	for (size_t i = 0; i < len; i++)
		key[2 + i] = serial[i];
	return siphash(seed, key, 2 + len);
}

#endif
