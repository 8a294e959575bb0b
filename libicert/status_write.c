#include <sys/mman.h>
#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "libicert/status_file.h"
#include "libicert/status_format.h"
#include "libicert/status_write.h"
#include "libicert/status_writer.h"

#define ALIGNMENT	64		/* of the index: a slot lies in one cache line */
#define AHEAD		16		/* slots whose lines are fetched before they are needed */

struct status_writer *
status_writer_new(void)
{
	struct status_writer	*w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->file.fd = -1;
	w->min_next_update = INT64_MAX;
	if ((w->record_digest = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex(w->record_digest, EVP_sha256(), NULL) != 1) {
		status_writer_abort(w);
		return NULL;
	}
	return w;
}

int
status_writer_open(struct status_writer **out, int dirfd, const char *file, uint64_t epoch,
    uint64_t sequence_first, uint64_t sequence_last)
{
	static const uint8_t	 blank[STATUS_HEADER_SIZE];
	struct status_writer	*w;
	int			 rc = ICERT_E_SYSTEM;

	*out = NULL;
	if ((w = status_writer_new()) == NULL)
		return ICERT_E_MEMORY;
	w->epoch = epoch;
	w->sequence_first = sequence_first;
	w->sequence_last = sequence_last;
	if (getrandom(w->seed, sizeof(w->seed), 0) != (ssize_t)sizeof(w->seed) ||
	    (rc = status_file_open(&w->file, dirfd, file)) != 0 ||
	    (rc = status_file_append(&w->file, blank, sizeof(blank))) != 0) {
		status_writer_abort(w);
		return rc;
	}
	w->at = sizeof(blank);
	if ((rc = status_back_begin(w)) != 0) {
		status_writer_abort(w);
		return rc;
	}
	*out = w;
	return 0;
}

void
status_writer_abort(struct status_writer *w)
{
	if (w == NULL)
		return;
	status_file_abort(&w->file);
	for (uint32_t i = 0; i < w->tails; i++)
		free(w->tail[i]);
	EVP_MD_CTX_free(w->record_digest);
	EVP_MD_CTX_free(w->back_digest);
	free(w->slot);
	free(w);
}

/* The number of an issuer's hashes, which may be there already. */
static int
issuer_put(struct status_writer *w, const uint8_t hashes[SI_SIZE])
{
	for (uint32_t i = 0; i < w->issuers; i++)
		if (memcmp(w->issuer + (size_t)i * SI_SIZE, hashes, SI_SIZE) == 0)
			return (int)i;
	if (w->issuers == STATUS_ISSUERS_MAX)
		return ICERT_E_TOO_LARGE;
	memcpy(w->issuer + (size_t)w->issuers * SI_SIZE, hashes, SI_SIZE);
	return (int)w->issuers++;
}

int
status_writer_issuer(struct status_writer *w, const void *name, size_t name_len, const void *key,
    size_t key_len)
{
	uint8_t	i[SI_SIZE];

	SHA1(name, name_len, i + SI_SHA1_NAME);
	SHA1(key, key_len, i + SI_SHA1_KEY);
	SHA256(name, name_len, i + SI_SHA256_NAME);
	SHA256(key, key_len, i + SI_SHA256_KEY);
	return issuer_put(w, i);
}

int
status_writer_issuer_of(struct status_writer *w, const struct status_segment *s, unsigned issuer)
{
	if (issuer >= s->issuers)
		return ICERT_E_MALFORMED;
	return issuer_put(w, s->map + s->issuer_offset + (uint64_t)issuer * SI_SIZE);
}

int
status_writer_tail(struct status_writer *w, const void *tail, size_t len)
{
	for (uint32_t i = 0; i < w->tails; i++)
		if (w->tail_len[i] == len && memcmp(w->tail[i], tail, len) == 0)
			return (int)i;
	if (w->tails == STATUS_TAILS_MAX || len > TAIL_MAX - w->tail_total)
		return ICERT_E_TOO_LARGE;
	if ((w->tail[w->tails] = malloc(len != 0 ? len : 1)) == NULL)
		return ICERT_E_MEMORY;
	if (len != 0)
		memcpy(w->tail[w->tails], tail, len);
	w->tail_len[w->tails] = (uint32_t)len;
	w->tail_total += len;
	return (int)w->tails++;
}

static int
record_append(struct status_writer *w, const void *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if (EVP_DigestUpdate(w->record_digest, bytes, len) != 1)
		return ICERT_E_MEMORY;
	w->at += len;
	return status_file_append(&w->file, bytes, len);
}

int
status_writer_slot(struct status_writer *w, uint64_t hash)
{
	struct slot_in	*grown;
	size_t		 room;

	if (w->slots == w->room) {
		room = w->room != 0 ? w->room * 2 : 1024;
		if ((grown = reallocarray(w->slot, room, sizeof(*grown))) == NULL)
			return ICERT_E_MEMORY;
		w->slot = grown;
		w->room = room;
	}
	w->slot[w->slots].hash = hash;
	w->slot[w->slots].offset = w->at;
	w->slots++;
	return 0;
}

/* A time as it is stored: until 2106, or never.  0: stored. */
static int
time_put(uint8_t *p, int64_t t)
{
	if (t == STATUS_NEVER) {
		put32(p, SR_NEVER);
		return 0;
	}
	if (t < 0 || t >= SR_NEVER)
		return ICERT_E_TOO_LARGE;
	put32(p, (uint32_t)t);
	return 0;
}

/*
 * Where the serial stands in one of the heads, counted from the first: every
 * answer carries it in its CertID, so it need not be stored again.
 */
static size_t
serial_in_heads(const struct status_record_in *r, const uint8_t *serial, size_t len)
{
	const uint8_t	*found;
	size_t		 before = 0;

	for (int a = 0; a < STATUS_ALGORITHMS; before += r->answer[a++].len) {
		if (r->answer[a].len == 0)
			continue;
		found = memmem(r->answer[a].head, r->answer[a].len, serial, len);
		if (found != NULL)
			return before + (size_t)(found - (const uint8_t *)r->answer[a].head);
	}
	return SIZE_MAX;
}

/* What stands before the heads; *size is that of the whole record, *before its own. */
static int
record_head(const struct status_writer *w, const struct status_record_in *r, const uint8_t *serial,
    size_t len, uint8_t *p, size_t *before, size_t *size)
{
	size_t	at = SR_HEADER, heads = 0, in_heads = serial_in_heads(r, serial, len);
	uint8_t	parts = 0;

	if (time_put(p + SR_THIS_UPDATE, r->this_update) != 0 ||
	    time_put(p + SR_NEXT_UPDATE, r->next_update) != 0)
		return ICERT_E_TOO_LARGE;
	if (r->revoked_at != 0) {
		if (time_put(p + at, r->revoked_at) != 0)
			return ICERT_E_TOO_LARGE;
		parts |= SR_HAS_REVOKED_AT;
		at += 4;
	}
	for (int a = 0; a < STATUS_ALGORITHMS; a++) {
		const struct status_answer_in	*answer = &r->answer[a];

		if (answer->len == 0)
			continue;
		if (answer->len > UINT16_MAX || answer->tail >= w->tails)
			return ICERT_E_TOO_LARGE;
		parts |= (uint8_t)(1U << a);
		put16(p + at, (uint16_t)answer->len);
		p[at + 2] = (uint8_t)answer->tail;
		at += SR_ANSWER_SIZE;
		heads += answer->len;
	}
	if (in_heads == SIZE_MAX) {
		parts |= SR_HAS_SERIAL;
		memcpy(p + at, serial, len);
		in_heads = 0;
		put16(p + SR_SERIAL, (uint16_t)at);
		at += len;
	} else if (at + in_heads <= UINT16_MAX) {
		put16(p + SR_SERIAL, (uint16_t)(at + in_heads));
	} else {
		return ICERT_E_TOO_LARGE;
	}
	*before = at;
	*size = (at + heads + SR_UNIT - 1) / SR_UNIT * SR_UNIT;
	if (*size / SR_UNIT > UINT16_MAX)
		return ICERT_E_TOO_LARGE;
	put16(p + SR_SIZE, (uint16_t)(*size / SR_UNIT));
	p[SR_ISSUER] = (uint8_t)r->issuer;
	p[SR_STATE] = (uint8_t)(r->state |
	    (r->reason == STATUS_NO_REASON ? SR_REASON_NONE : r->reason) << SR_REASON_SHIFT);
	p[SR_SERIAL_LEN] = (uint8_t)len;
	p[SR_PARTS] = parts;
	return 0;
}

int
status_writer_record(struct status_writer *w, const struct status_record_in *r)
{
	static const uint8_t	 zero[SR_UNIT];
	const uint8_t		*serial = r->serial;
	uint8_t			 p[SR_HEADER + 4 + STATUS_ALGORITHMS * SR_ANSWER_SIZE + STATUS_SERIAL_MAX];
	size_t			 len = r->serial_len, before, size;
	uint64_t		 start = w->at;
	int			 rc;

	while (len > 0 && serial[0] == 0) {
		serial++;
		len--;
	}
	if (len == 0 || len > STATUS_SERIAL_MAX || r->issuer >= w->issuers || r->reason < 0 ||
	    (r->reason >= SR_REASON_NONE && r->reason != STATUS_NO_REASON))
		return ICERT_E_TOO_LARGE;
	if ((rc = record_head(w, r, serial, len, p, &before, &size)) != 0)
		return rc;
	if ((start + size) / SR_UNIT > SLOT_OFFSET_MASK)
		return ICERT_E_TOO_LARGE;
	if ((rc = status_writer_slot(w, status_hash(w->seed, r->issuer, serial, len))) != 0 ||
	    (rc = record_append(w, p, before)) != 0)
		return rc;
	for (int a = 0; a < STATUS_ALGORITHMS; a++)
		if ((rc = record_append(w, r->answer[a].head, r->answer[a].len)) != 0)
			return rc;
	if (r->next_update < w->min_next_update)
		w->min_next_update = r->next_update;
	if (r->this_update > w->this_update)
		w->this_update = r->this_update;
	return record_append(w, zero, start + size - w->at);
}

static int
slot_compare(const void *a, const void *b)
{
	const struct slot_in	*x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The hash that the index's slot was made of: slots were added as records were written, so by their offsets. */
static uint64_t
slot_hash(const struct status_writer *w, uint64_t slot)
{
	const struct slot_in	 key = { 0, (slot & SLOT_OFFSET_MASK) * SR_UNIT };
	const struct slot_in	*found = bsearch(&key, w->slot, w->slots, sizeof(key), slot_compare);

	return found->hash;
}

/* Puts one slot; two equal 64-bit hashes under a random seed are one serial added twice. */
static int
slot_put(const struct status_writer *w, uint8_t *index, uint64_t slots, const struct slot_in *s)
{
	uint64_t	n = s->hash & (slots - 1), tag = s->hash >> SLOT_OFFSET_BITS, taken;

	while ((taken = get64(index + 8 * n)) != 0) {
		/* They collide in this slot, and one in sixteen million of those has the same tag too. */
		if (taken >> SLOT_OFFSET_BITS == tag && slot_hash(w, taken) == s->hash)
			return ICERT_E_EXISTS;
		n = (n + 1) & (slots - 1);
	}
	put64(index + 8 * n, tag << SLOT_OFFSET_BITS | s->offset / SR_UNIT);
	return 0;
}

/* The index in new memory; *count slots, load at most 0.6. */
static int
index_build(struct status_writer *w, uint8_t **out, uint64_t *count)
{
	uint64_t	 slots = 8;
	uint8_t		*index;
	int		 rc = 0;

	while (slots * 6 < (uint64_t)w->slots * 10)
		slots *= 2;
	if ((index = calloc(slots, 8)) == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < w->slots && rc == 0; i++) {
		if (i + AHEAD < w->slots)
			__builtin_prefetch(index + 8 * (w->slot[i + AHEAD].hash & (slots - 1)), 1);
		rc = slot_put(w, index, slots, &w->slot[i]);
	}
	if (rc != 0) {
		free(index);
		return rc;
	}
	*out = index;
	*count = slots;
	return 0;
}

/* The tail section in new memory, a multiple of 8 octets. */
static uint8_t *
tails_build(const struct status_writer *w, uint64_t *size)
{
	uint64_t	 at = (uint64_t)w->tails * ST_SIZE;
	uint8_t		*out;

	*size = (at + w->tail_total + 7) & ~7ULL;
	if ((out = calloc(1, *size != 0 ? *size : 1)) == NULL)
		return NULL;
	for (uint32_t i = 0; i < w->tails; i++) {
		put32(out + (size_t)i * ST_SIZE + ST_OFFSET, (uint32_t)at);
		put32(out + (size_t)i * ST_SIZE + ST_LENGTH, w->tail_len[i]);
		memcpy(out + at, w->tail[i], w->tail_len[i]);
		at += w->tail_len[i];
	}
	return out;
}

/* Appends a section and writes its offset and digest into the header. */
static int
section_append(struct status_writer *w, const void *bytes, size_t len, uint8_t *h, int offset,
    int digest)
{
	put64(h + offset, w->at);
	SHA256(bytes, len, h + digest);
	w->at += len;
	return status_file_append(&w->file, bytes, len);
}

static int
sections_write(struct status_writer *w, uint8_t *h)
{
	static const uint8_t	 zero[ALIGNMENT];
	uint8_t			*tails = NULL, *index = NULL;
	uint64_t		 tail_size = 0, slots = 0, pad;
	int			 rc;

	put64(h + SH_RECORD_SIZE, w->at - STATUS_HEADER_SIZE);
	if (EVP_DigestFinal_ex(w->record_digest, h + SH_RECORD_DIGEST, NULL) != 1)
		return ICERT_E_MEMORY;
	if ((rc = index_build(w, &index, &slots)) != 0)
		goto out;
	if ((tails = tails_build(w, &tail_size)) == NULL) {
		rc = ICERT_E_MEMORY;
		goto out;
	}
	put64(h + SH_SLOTS, slots);
	put64(h + SH_TAIL_SIZE, tail_size);
	pad = -w->at & (ALIGNMENT - 1);
	w->at += pad;
	if ((rc = status_file_append(&w->file, zero, pad)) != 0 ||
	    (rc = section_append(w, index, slots * 8, h, SH_INDEX_OFFSET, SH_INDEX_DIGEST)) != 0 ||
	    (rc = section_append(w, w->issuer, (size_t)w->issuers * SI_SIZE, h, SH_ISSUER_OFFSET,
	    SH_ISSUER_DIGEST)) != 0 ||
	    (rc = section_append(w, tails, tail_size, h, SH_TAIL_OFFSET, SH_TAIL_DIGEST)) != 0)
		goto out;
	put64(h + SH_FILE_SIZE, w->at);
out:
	free(tails);
	free(index);
	return rc;
}

/* What a reader will check, on the bytes that are in the file now; the records were read back as they were written. */
static int
written_verify(struct status_writer *w, const uint8_t *digest)
{
	struct status_segment	 s;
	void			*map;
	int			 rc;

	map = mmap(NULL, w->at, PROT_READ, MAP_SHARED, w->file.fd, 0);
	if (map == MAP_FAILED)
		return ICERT_E_SYSTEM;
	if ((rc = status_segment_init(&s, map, w->at, digest)) == 0 && (rc = status_segment_verify_rest(&s)) == 0)
		rc = status_back_verify(w, s.record_offset + s.record_size, s.map + SH_RECORD_DIGEST);
	munmap(map, w->at);
	return rc;
}

int
status_writer_finish(struct status_writer *w, const char *name, struct status_entry *entry)
{
	uint8_t	h[STATUS_HEADER_SIZE];
	int	rc;

	memset(h, 0, sizeof(h));
	memset(entry, 0, sizeof(*entry));
	memcpy(h + SH_MAGIC, SEGMENT_MAGIC, 8);
	put32(h + SH_VERSION, STATUS_VERSION);
	put32(h + SH_HEADER_SIZE, STATUS_HEADER_SIZE);
	put64(h + SH_EPOCH, w->epoch);
	put64(h + SH_SEQUENCE_FIRST, w->sequence_first);
	put64(h + SH_SEQUENCE_LAST, w->sequence_last);
	put64(h + SH_MIN_NEXT_UPDATE, (uint64_t)w->min_next_update);
	put64(h + SH_RECORDS, w->slots);
	put32(h + SH_ISSUERS, w->issuers);
	put32(h + SH_TAILS, w->tails);
	memcpy(h + SH_SEED, w->seed, sizeof(w->seed));
	put64(h + SH_RECORD_OFFSET, STATUS_HEADER_SIZE);
	if ((rc = sections_write(w, h)) != 0 ||
	    (rc = status_file_flush(&w->file)) != 0)
		goto out;
	rc = ICERT_E_SYSTEM;
	if (pwrite(w->file.fd, h, sizeof(h), 0) != (ssize_t)sizeof(h))
		goto out;
	status_file_hasten(&w->file);
	entry->kind = STATUS_KIND_SEGMENT;
	SHA256(h, sizeof(h), entry->digest);
	if ((rc = written_verify(w, entry->digest)) != 0)
		goto out;
	rc = ICERT_E_TOO_LARGE;
	if (strlen(name) > STATUS_NAME_MAX || strlen(w->file.name) > STATUS_FILE_MAX)
		goto out;
	strcpy(entry->name, name);
	strcpy(entry->file, w->file.name);
	entry->size = w->at;
	entry->this_update = w->this_update;
	entry->next_update = w->slots != 0 ? w->min_next_update : 0;
	if ((rc = status_file_commit(&w->file)) == 0 && w->marked)
		unlinkat(w->file.dirfd, STATUS_MARK_FILE, 0);
out:
	status_writer_abort(w);
	return rc;
}
