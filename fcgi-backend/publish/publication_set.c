#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/publication_private.h"

#define COMPACT_FROM 5		/* deltas that are made one: three more fit meanwhile */
#define BASE_FROM 20000		/* records in deltas that are worth a new base, and an eighth of it */
#define BASE_RETRY 10		/* seconds, doubled with every failure */
#define BASE_RETRY_MAX 640
#define CLOCK_SKEW 60		/* seconds: what is from later was made while the clock was wrong */

void
publication_file(char out[STATUS_FILE_MAX + 1], const char *kind, uint64_t epoch, int64_t now)
{
	snprintf(out, STATUS_FILE_MAX + 1, "%s-%016" PRIx64 "-%08" PRIx64, kind, epoch, (uint64_t)now);
}

void
publication_map(struct publication *p)
{
	int error;

	if (p->mapped)
		return;
	p->mapped = 1;
	segments_begin(&p->segments, p->dirfd, p->names, p->cas);
	if (!p->has_manifest || (error = segments_open(&p->segments, p->dirfd, &p->manifest, p->names, p->cas)) == 0)
		return;
	log_error("publish_start", "the set in place cannot be read and is begun anew: %s", icert_err_code(error));
	segments_begin(&p->segments, p->dirfd, p->names, p->cas);
}

/* The entry of a file that does not change from one set to the next; written when it is new. */
static int
put_file(struct publication *p, struct status_manifest *m, enum status_kind kind, const char *name, const struct buf *der,
    int64_t this_update, int64_t next_update)
{
	const struct status_entry *old = status_manifest_entry(&p->manifest, name);
	uint8_t digest[STATUS_DIGEST];
	char file[STATUS_FILE_MAX + 1], hex[17];

	if (EVP_Digest(der->p, der->len, digest, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	/* One that is not known yet stays as it is in place, or is not there. */
	if (der->len == 0 || (old != NULL && memcmp(old->digest, digest, sizeof(digest)) == 0)) {
		if (old != NULL)
			m->entry[m->count++] = *old;
		return 0;
	}
	bytes_to_hex(hex, digest, 8);
	snprintf(file, sizeof(file), "%s-%s", name, hex);
	return status_write_file(p->dirfd, kind, name, file, der->p, der->len, this_update, next_update,
	    &m->entry[m->count++]);
}

/* One that a killed publisher was writing: all but a base that is being built or will be taken up again. */
static int
half_written(const struct publication *p, const char *name)
{
	size_t n = strlen(name);

	if (n < 5 || strcmp(name + n - 4, ".new") != 0)
		return 0;
	if (p->writing[0] != '\0' && strncmp(name + 1, p->writing, strlen(p->writing)) == 0)
		return 0;
	return strncmp(name + 1, SEGMENT_BASE, strlen(SEGMENT_BASE)) != 0 ||
	    (p->base == NULL && faccessat(p->dirfd, STATUS_MARK_FILE, F_OK, 0) != 0);
}

/* Files of the folder that neither this manifest nor the one before names. */
static void
sweep(struct publication *p)
{
	const struct status_manifest *kept[] = { &p->manifest, &p->before };
	int fd = dup(p->dirfd), keep;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	uint32_t k, i;

	if (dir == NULL)
		return;
	rewinddir(dir);
	while ((d = readdir(dir)) != NULL) {
		keep = (d->d_name[0] == '.' && !half_written(p, d->d_name)) || strcmp(d->d_name, STATUS_MARK_FILE) == 0 || strcmp(d->d_name, STATUS_MANIFEST_FILE) == 0 ||
		    strcmp(d->d_name, p->writing) == 0 ||
		    /* One that is ready and waits for its round to be named. */
		    (p->base != NULL && strncmp(d->d_name, SEGMENT_BASE "-", strlen(SEGMENT_BASE "-")) == 0);
		for (k = 0; k < 2 && !keep; k++)
			for (i = 0; i < kept[k]->count && !keep; i++)
				keep = strcmp(kept[k]->entry[i].file, d->d_name) == 0;
		if (!keep)
			unlinkat(p->dirfd, d->d_name, 0);
	}
	closedir(dir);
}

static int
is_base(const struct segment *g)
{
	return strcmp(g->entry.name, SEGMENT_BASE) == 0;
}

/* How many lie over the base. */
static size_t
deltas(const struct publication *p)
{
	size_t n = p->segments.n;

	return n > 0 && is_base(&p->segments.at[n - 1]) ? n - 1 : n;
}

int
publication_has_base(const struct publication *p)
{
	return deltas(p) < p->segments.n;
}

/* A CA's certificate and lists. */
static int
put_ca(struct publication *p, struct status_manifest *m, const struct ca *ca)
{
	unsigned i;
	int error = put_file(p, m, STATUS_KIND_CA, ca->name, &ca->der, 0, 0);

	for (i = 0; i <= ca->partitions && error == 0; i++)
		error = put_file(p, m, STATUS_KIND_CRL, ca->list[i].name, &ca->list[i].der, ca->list[i].crl.this_update,
		    ca->list[i].crl.next_update);
	return error;
}

int
publication_write(struct publication *p, const struct status_entry *segments, size_t n, int64_t now)
{
	/*
	 * The clock keeps it growing even after a restore of the folder itself: in milliseconds, which no burst of sets, each of
	 * them synced to disk, can run ahead of.
	 */
	uint64_t clock = (uint64_t)clock_real_ms();
	uint64_t last = p->manifest.epoch > p->edge_epoch ? p->manifest.epoch : p->edge_epoch;
	struct status_manifest m = { .epoch = last + 1 > clock ? last + 1 : clock, .heartbeat = now };
	int64_t from, until;
	size_t i;
	int error = 0;

	memcpy(m.entry, segments, n * sizeof(*segments));
	m.count = (uint32_t)n;
	publication_crl_times(&p->arl, &from, &until);
	for (i = 0; i < p->cas && error == 0; i++)
		error = put_ca(p, &m, &p->ca[i]);
	if (error != 0 ||
	    (error = put_file(p, &m, STATUS_KIND_CRL, "raiz.crl", &p->arl, from, until)) != 0 ||
	    (error = put_file(p, &m, STATUS_KIND_CA, "raiz.cer", &p->root, 0, 0)) != 0 ||
	    (error = status_manifest_write(p->dirfd, &m, p->seed)) != 0)
		return error;
	p->before = p->manifest;
	p->manifest = m;
	p->has_manifest = 1;
	p->dirty = 0;
	sweep(p);
	return 0;
}

/* The entries in place, behind `room` places kept free. */
static size_t
entries(const struct publication *p, struct status_entry out[], size_t room, size_t from)
{
	size_t i;

	for (i = from; i < p->segments.n; i++)
		out[room + i - from] = p->segments.at[i].entry;
	return room + p->segments.n - from;
}

int
publication_push(struct publication *p, const struct status_entry *entry, size_t more, int instead, int64_t now)
{
	struct status_entry list[SEGMENTS_MAX + 2];
	size_t n;
	int error;

	memcpy(list, entry, more * sizeof(*entry));
	n = entries(p, list, more, instead ? 1 : 0);
	if (n > SEGMENTS_MAX)
		return ICERT_E_TOO_LARGE;
	if ((error = publication_write(p, list, n, now)) != 0)
		return error;
	if (instead)
		segments_drop(&p->segments, 0);
	while (more > 0 && error == 0)
		error = segments_push(&p->segments, &entry[--more]);
	return error;
}

int
publication_beat(struct publication *p, int64_t now)
{
	struct status_manifest m = p->manifest;
	struct status_entry list[SEGMENTS_MAX + 1];
	int error;

	/* The clock went back: edges take an older sign of life only with a new set. */
	if (p->remembered && p->settled && (p->dirty || m.heartbeat > now + CLOCK_SKEW) && publication_has_lists(p) && publication_has_base(p))
		return publication_write(p, list, entries(p, list, 0, 0), now);
	if (!p->has_manifest || now - m.heartbeat < p->beat)
		return 0;
	m.heartbeat = now;
	if ((error = status_manifest_write(p->dirfd, &m, p->seed)) == 0)
		p->manifest = m;
	return error;
}

int
publication_compact(struct publication *p, int64_t now)
{
	struct status_entry list[SEGMENTS_MAX + 1];
	size_t n = deltas(p), i, count;
	char file[STATUS_FILE_MAX + 1];
	int error;

	if (n < COMPACT_FROM)
		return 0;
	publication_file(file, SEGMENT_DELTA, p->manifest.epoch + 1, now);
	if ((error = segments_merge(&p->segments, n, file, p->manifest.epoch + 1, &list[0])) != 0)
		return error;
	count = entries(p, list, 1, n);
	if ((error = publication_write(p, list, count, now)) != 0)
		return error;
	for (i = 0; i < n; i++)
		segments_drop(&p->segments, 0);
	return segments_push(&p->segments, &list[0]);
}

static int64_t
longest_responder(const struct publication *p)
{
	int64_t end = 0;
	size_t i;

	for (i = 0; i < p->cas; i++)
		if (p->ca[i].template.responder_not_after > end)
			end = p->ca[i].template.responder_not_after;
	return end;
}

/* Has a segment an answer of a CA that has ended which is not its last? */
static int
has_unfinished(const struct publication *p, const struct segment *g)
{
	struct status_record r;
	struct status_key key;
	uint64_t cursor;
	size_t i;

	for (i = 0; i < p->cas; i++) {
		if (p->ca[i].state != ISSUER_ENDED || g->issuer[i] < 0)
			continue;
		cursor = 0;
		while (status_segment_next(&g->s, &cursor, &key, &r) == 1)
			if ((int)key.issuer == g->issuer[i] && (!is_base(g) || r.next_update != STATUS_NEVER))
				return 1;
	}
	return 0;
}

/* Last answers are signed together, and then copied: a base of them, and no delta over it.  Each segment is looked at once. */
static int
ended_anew(struct publication *p)
{
	size_t i;

	if (strcmp(p->finished_file, p->segments.at[0].entry.file) == 0)
		return 0;
	for (i = 0; i < p->segments.n; i++)
		if (has_unfinished(p, &p->segments.at[i]))
			return 1;
	snprintf(p->finished_file, sizeof(p->finished_file), "%s", p->segments.at[0].entry.file);
	return 0;
}

/* Is the base old, or much beside it?  What lies over it is younger than it is. */
static int
base_due(struct publication *p, int64_t now)
{
	const struct segment *base;
	uint64_t over = 0;
	size_t i;

	if (!publication_has_base(p))
		return p->remembered && p->last[STEP_DATABASE] == 0;
	if (p->asked_base)
		return 1;
	base = &p->segments.at[p->segments.n - 1];
	for (i = 0; i + 1 < p->segments.n; i++)
		over += p->segments.at[i].s.records;
	if (over > BASE_FROM && over > base->s.records / 8)
		return 1;
	if (ended_anew(p))
		return 1;
	for (i = 0; i < p->segments.n; i++)
		if (p->segments.at[i].entry.this_update > now + CLOCK_SKEW && p->segments.at[i].s.records > 0)
			return 1;
	if (base->s.records == 0)
		return 0;
	/* Only last answers: nothing ends any more. */
	if (base->s.min_next_update == STATUS_NEVER)
		return 0;
	/* Answers cut to the end of a former responder are made anew before they end. */
	return now - base->entry.this_update >= p->refresh ||
	    (base->s.min_next_update - now <= p->validity / 8 && longest_responder(p) > base->s.min_next_update);
}

static int
begin_base(struct publication *p, int64_t now)
{
	struct base_order order = { .socket = config_require(p->config, "sockets", "status-signer-publisher"),
	    .dirfd = p->dirfd, .manifest = &p->manifest, .cas = p->cas, .hashes = p->hashes,
	    .threads = p->threads, .now = now, .validity = p->validity, .resume_within = p->refresh / 4,
	    .epoch = p->manifest.epoch + 1 };
	struct base_ca cas[ISSUERS_MAX];
	size_t i;

	for (i = 0; i < p->cas; i++)
		cas[i] = (struct base_ca){ .template = &p->ca[i].template, .names = p->names[i], .number = p->ca[i].number,
		    .revocations = &p->ca[i].revocations,
		    .ended = p->ca[i].state == ISSUER_ENDED };
	order.ca = cas;
	p->asked_base = 0;
	/* Without the database what is public is signed again as it is. */
	if (p->last[STEP_DATABASE] == 0 && p->remembered)
		order.conninfo = p->conninfo;
	return base_start(&p->base, &order);
}

/*
 * The new base takes the place of every segment that was there when it was first begun, of which newest is the uppermost; what was
 * published meanwhile stays over it.  A delta that was made of such as were there and later ones has a name of its own and
 * stays too.
 */
static int
take_base(struct publication *p, const struct status_entry *fresh, const char *newest, int64_t now)
{
	struct status_entry list[SEGMENTS_MAX + 1];
	struct segments next;
	size_t n = 0, i;
	int error = 0;

	segments_begin(&next, p->dirfd, p->names, p->cas);
	while (n < p->segments.n && strcmp(p->segments.at[n].entry.file, newest) != 0 && !is_base(&p->segments.at[n])) {
		list[n] = p->segments.at[n].entry;
		n++;
	}
	list[n++] = *fresh;
	for (i = n; i > 0 && error == 0; i--)
		error = segments_push(&next, &list[i - 1]);
	if (error == 0)
		error = publication_write(p, list, n, now);
	if (error != 0) {
		segments_close(&next);
		return error;
	}
	segments_close(&p->segments);
	p->segments = next;
	log_info("base_published", "epoch %" PRIu64 ", %" PRIu64 " certificates, %zu deltas over it", p->manifest.epoch,
	    next.at[n - 1].s.records, n - 1);
	return 0;
}

int
publication_base(struct publication *p, int64_t now)
{
	struct status_entry fresh;
	int64_t pause;
	int error;

	if (p->base == NULL) {
		pause = p->base_failed == 0 || p->asked_base ? 0 : (int64_t)BASE_RETRY << (p->base_failed > 6 ? 6 : p->base_failed - 1);
		if ((p->base_tried <= now && p->base_tried > now - (pause < BASE_RETRY_MAX ? pause : BASE_RETRY_MAX)) || !base_due(p, now))
			return p->base_failed ? p->last[STEP_BASE] : 0;
		return begin_base(p, now);
	}
	if (!publication_has_lists(p) || base_poll(p->base, &error, &fresh))
		return 0;
	if (error == 0)
		error = take_base(p, &fresh, base_newest(p->base), now);
	base_free(p->base);
	p->base = NULL;
	p->base_tried = now;
	p->base_failed = error == 0 ? 0 : p->base_failed + 1;
	return error;
}
