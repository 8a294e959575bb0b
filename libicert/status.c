#include <string.h>

#include <openssl/sha.h>

#include "libicert/status.h"
#include "libicert/status_format.h"

#define CACHE_LINE	64
#define RECORD_OCTETS	320	/* about those of a record with one P-256 answer */

/* Whether [offset, offset + size) lies behind the header and inside the file. */
static int
section_inside(const struct status_segment *s, uint64_t offset, uint64_t size)
{
	return offset >= STATUS_HEADER_SIZE && offset <= s->size && size <= s->size - offset;
}

static int
tails_inside(const struct status_segment *s)
{
	const uint8_t	*t = s->map + s->tail_offset;
	uint64_t	 offset, len;

	if (s->tail_size < (uint64_t)s->tails * ST_SIZE)
		return 0;
	for (uint32_t i = 0; i < s->tails; i++, t += ST_SIZE) {
		offset = get32(t + ST_OFFSET);
		len = get32(t + ST_LENGTH);
		if (offset > s->tail_size || len > s->tail_size - offset)
			return 0;
	}
	return 1;
}

int
status_segment_init(struct status_segment *s, const void *map, uint64_t size, const uint8_t *digest)
{
	const uint8_t	*h = map;
	uint8_t		 md[STATUS_DIGEST];

	memset(s, 0, sizeof(*s));
	if (size < STATUS_HEADER_SIZE || memcmp(h + SH_MAGIC, SEGMENT_MAGIC, 8) != 0 ||
	    get32(h + SH_VERSION) != STATUS_VERSION ||
	    get32(h + SH_HEADER_SIZE) != STATUS_HEADER_SIZE)
		return ICERT_E_MALFORMED;
	if (get64(h + SH_FILE_SIZE) != size)
		return ICERT_E_MISMATCH;
	if (digest != NULL) {
		SHA256(h, STATUS_HEADER_SIZE, md);
		if (memcmp(md, digest, sizeof(md)) != 0)
			return ICERT_E_FORGED;
	}
	s->map = map;
	s->size = size;
	s->epoch = get64(h + SH_EPOCH);
	s->min_next_update = (int64_t)get64(h + SH_MIN_NEXT_UPDATE);
	s->records = get64(h + SH_RECORDS);
	s->slots = get64(h + SH_SLOTS);
	s->issuers = get32(h + SH_ISSUERS);
	s->tails = get32(h + SH_TAILS);
	memcpy(s->seed, h + SH_SEED, sizeof(s->seed));
	s->record_offset = get64(h + SH_RECORD_OFFSET);
	s->record_size = get64(h + SH_RECORD_SIZE);
	s->issuer_offset = get64(h + SH_ISSUER_OFFSET);
	s->tail_offset = get64(h + SH_TAIL_OFFSET);
	s->tail_size = get64(h + SH_TAIL_SIZE);
	s->index_offset = get64(h + SH_INDEX_OFFSET);

	/* The index must have an empty slot, or a look-up that misses never ends. */
	if (s->issuers > STATUS_ISSUERS_MAX || s->tails > STATUS_TAILS_MAX || s->slots == 0 ||
	    (s->slots & (s->slots - 1)) != 0 || s->slots > size / 8 || s->records >= s->slots ||
	    !section_inside(s, s->record_offset, s->record_size) ||
	    !section_inside(s, s->issuer_offset, (uint64_t)s->issuers * SI_SIZE) ||
	    !section_inside(s, s->tail_offset, s->tail_size) ||
	    !section_inside(s, s->index_offset, s->slots * 8) || !tails_inside(s)) {
		memset(s, 0, sizeof(*s));
		return ICERT_E_MALFORMED;
	}
	return 0;
}

static int
section_verify(const struct status_segment *s, uint64_t offset, uint64_t size, int digest)
{
	uint8_t	md[STATUS_DIGEST];

	SHA256(s->map + offset, size, md);
	return memcmp(md, s->map + digest, sizeof(md)) == 0 ? 0 : ICERT_E_FORGED;
}

/*
 * Sections stand one behind the other, and what fills up to the index is zero: so
 * every octet of a file is one that a digest speaks of.
 */
static int
layout_verify(const struct status_segment *s)
{
	uint64_t	at = s->record_offset + s->record_size;

	if (s->record_offset != STATUS_HEADER_SIZE || s->index_offset < at || s->index_offset - at >= 64 ||
	    s->issuer_offset != s->index_offset + s->slots * 8 ||
	    s->tail_offset != s->issuer_offset + (uint64_t)s->issuers * SI_SIZE ||
	    s->size != s->tail_offset + s->tail_size)
		return ICERT_E_MALFORMED;
	for (; at < s->index_offset; at++)
		if (s->map[at] != 0)
			return ICERT_E_FORGED;
	return 0;
}

int
status_segment_verify(const struct status_segment *s)
{
	int	rc;

	if ((rc = status_segment_verify_rest(s)) != 0)
		return rc;
	return section_verify(s, s->record_offset, s->record_size, SH_RECORD_DIGEST);
}

int
status_segment_verify_rest(const struct status_segment *s)
{
	int	rc;

	if ((rc = layout_verify(s)) != 0)
		return rc;
	if ((rc = section_verify(s, s->issuer_offset, (uint64_t)s->issuers * SI_SIZE,
	    SH_ISSUER_DIGEST)) != 0)
		return rc;
	if ((rc = section_verify(s, s->tail_offset, s->tail_size, SH_TAIL_DIGEST)) != 0)
		return rc;
	return section_verify(s, s->index_offset, s->slots * 8, SH_INDEX_DIGEST);
}

int
status_segment_issuer(const struct status_segment *s, enum status_algorithm algorithm,
    const uint8_t *name_hash, const uint8_t *key_hash)
{
	const uint8_t	*i = s->map + s->issuer_offset;
	size_t		 name, key, len;

	if (algorithm == STATUS_SHA1) {
		name = SI_SHA1_NAME;
		key = SI_SHA1_KEY;
		len = SHA_DIGEST_LENGTH;
	} else {
		name = SI_SHA256_NAME;
		key = SI_SHA256_KEY;
		len = SHA256_DIGEST_LENGTH;
	}
	for (uint32_t n = 0; n < s->issuers; n++, i += SI_SIZE)
		if (memcmp(i + key, key_hash, len) == 0 && memcmp(i + name, name_hash, len) == 0)
			return (int)n;
	return -1;
}

/*
 * Reads the answers of the record p[0..size), whose parts begin at `at`.  The
 * tails' table was checked when the segment was opened.
 */
static int
answers_read(const struct status_segment *s, const uint8_t *p, uint32_t size, uint32_t at,
    struct status_record *r)
{
	const uint8_t	*part = p + at, *t;
	unsigned	 parts = p[SR_PARTS];
	uint32_t	 len;

	for (int a = 0; a < STATUS_ALGORITHMS; a++)
		if (parts & 1U << a)
			at += SR_ANSWER_SIZE;
	if (parts & SR_HAS_SERIAL)
		at += p[SR_SERIAL_LEN];
	if (at > size)
		return ICERT_E_MALFORMED;
	for (int a = 0; a < STATUS_ALGORITHMS; a++) {
		if (!(parts & 1U << a))
			continue;
		len = get16(part);
		if (len == 0 || len > size - at || part[2] >= s->tails)
			return ICERT_E_MALFORMED;
		r->answer[a].head = p + at;
		r->answer[a].head_len = len;
		t = s->map + s->tail_offset + (uint64_t)part[2] * ST_SIZE;
		r->answer[a].tail = s->map + s->tail_offset + get32(t + ST_OFFSET);
		r->answer[a].tail_len = get32(t + ST_LENGTH);
		at += len;
		part += SR_ANSWER_SIZE;
	}
	return 1;
}

/* The record at an offset of the file, inside its section; NULL: damaged. */
static const uint8_t *
record_at(const struct status_segment *s, uint64_t offset, uint32_t *size)
{
	const uint8_t	*p;
	uint64_t	 room;

	if (offset < s->record_offset || offset - s->record_offset > s->record_size)
		return NULL;
	room = s->record_size - (offset - s->record_offset);
	p = s->map + offset;
	if (room < SR_HEADER)
		return NULL;
	*size = (uint32_t)get16(p + SR_SIZE) * SR_UNIT;
	if (*size < SR_HEADER || *size > room || p[SR_SERIAL_LEN] > STATUS_SERIAL_MAX ||
	    (uint32_t)get16(p + SR_SERIAL) + p[SR_SERIAL_LEN] > *size)
		return NULL;
	return p;
}

/* The lines of a record come together, not one after the other: one wait for memory instead of five. */
static void
record_prefetch(const struct status_segment *s, uint64_t offset)
{
	if (offset > s->size || s->size - offset < RECORD_OCTETS)
		return;
	for (int at = 0; at < RECORD_OCTETS; at += CACHE_LINE)
		__builtin_prefetch(s->map + offset + at);
}

static int
record_read(const struct status_segment *s, const uint8_t *p, uint32_t size, struct status_record *r)
{
	unsigned	reason = p[SR_STATE] >> SR_REASON_SHIFT, state = p[SR_STATE] & SR_REASON_NONE;
	uint32_t	at = SR_HEADER, next = get32(p + SR_NEXT_UPDATE);

	if (state > STATUS_PENDING || p[SR_ISSUER] >= s->issuers)
		return ICERT_E_MALFORMED;
	memset(r, 0, sizeof(*r));
	r->state = (enum status_state)state;
	r->reason = reason == SR_REASON_NONE ? STATUS_NO_REASON : (int)reason;
	r->this_update = get32(p + SR_THIS_UPDATE);
	r->next_update = next == SR_NEVER ? STATUS_NEVER : (int64_t)next;
	if (p[SR_PARTS] & SR_HAS_REVOKED_AT) {
		if (size < SR_HEADER + 4)
			return ICERT_E_MALFORMED;
		r->revoked_at = get32(p + at);
		at += 4;
	}
	return answers_read(s, p, size, at, r);
}

int
status_segment_find(const struct status_segment *s, unsigned issuer, const uint8_t *serial,
    size_t len, struct status_record *r)
{
	const uint8_t	*p;
	uint64_t	 hash, slot, tag, at;
	uint32_t	 size;
	int		 rc;

	if (len == 0 || len > STATUS_SERIAL_MAX || issuer >= s->issuers)
		return 0;
	hash = status_hash(s->seed, issuer, serial, len);
	tag = hash >> SLOT_OFFSET_BITS;
	for (uint64_t n = 0; n < s->slots; n++) {
		at = (hash + n) & (s->slots - 1);
		slot = get64(s->map + s->index_offset + 8 * at);
		if (slot == 0)
			return 0;
		if (slot >> SLOT_OFFSET_BITS != tag)
			continue;
		record_prefetch(s, (slot & SLOT_OFFSET_MASK) * SR_UNIT);
		if ((p = record_at(s, (slot & SLOT_OFFSET_MASK) * SR_UNIT, &size)) == NULL)
			return ICERT_E_MALFORMED;
		if (p[SR_ISSUER] == issuer && p[SR_SERIAL_LEN] == len &&
		    memcmp(p + get16(p + SR_SERIAL), serial, len) == 0) {
			rc = record_read(s, p, size, r);
			r->slot = at;
			return rc;
		}
	}
	return ICERT_E_MALFORMED;
}

int
status_segment_next(const struct status_segment *s, uint64_t *cursor, struct status_key *key,
    struct status_record *r)
{
	const uint8_t	*p;
	uint32_t	 size;
	int		 rc;

	if (*cursor >= s->record_size)
		return 0;
	if ((p = record_at(s, s->record_offset + *cursor, &size)) == NULL || p[SR_SERIAL_LEN] == 0)
		return ICERT_E_MALFORMED;
	if ((rc = record_read(s, p, size, r)) < 0)
		return rc;
	key->issuer = p[SR_ISSUER];
	key->serial = p + get16(p + SR_SERIAL);
	key->serial_len = p[SR_SERIAL_LEN];
	*cursor += size;
	return 1;
}
