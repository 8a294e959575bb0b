#include <string.h>

#include "libicert/error.h"
#include "publish/segments.h"

static int
segment_open(struct segment *g, int dirfd, const struct status_entry *entry, const struct ocsp_template *t)
{
	int error;

	memset(g, 0, sizeof(*g));
	g->entry = *entry;
	if ((error = status_map(dirfd, entry, &g->map)) != 0)
		return error;
	if ((error = status_segment_init(&g->s, g->map, entry->size, entry->digest)) != 0) {
		status_unmap(g->map, entry->size);
		return error;
	}
	g->issuer = status_segment_issuer(&g->s, STATUS_SHA256, t->name_hash[OCSP_SHA256], t->key_hash[OCSP_SHA256]);
	return 0;
}

int
segments_open(struct segments *s, int dirfd, const struct status_manifest *m, const struct ocsp_template *t)
{
	uint32_t i;
	int error = 0;

	memset(s, 0, sizeof(*s));
	s->dirfd = dirfd;
	for (i = 0; i < m->count && error == 0; i++) {
		if (m->entry[i].kind != STATUS_KIND_SEGMENT)
			continue;
		error = s->n == SEGMENTS_MAX ? ICERT_E_TOO_LARGE : segment_open(&s->at[s->n], dirfd, &m->entry[i], t);
		s->n += error == 0;
	}
	if (error != 0)
		segments_close(s);
	return error;
}

void
segments_close(struct segments *s)
{
	while (s->n > 0)
		segments_drop(s, s->n - 1);
}

int
segments_push(struct segments *s, const struct status_entry *entry, const struct ocsp_template *t)
{
	struct segment fresh;
	int error;

	if (s->n == SEGMENTS_MAX)
		return ICERT_E_TOO_LARGE;
	if ((error = segment_open(&fresh, s->dirfd, entry, t)) != 0)
		return error;
	memmove(&s->at[1], &s->at[0], s->n * sizeof(s->at[0]));
	s->at[0] = fresh;
	s->n++;
	return 0;
}

void
segments_drop(struct segments *s, size_t i)
{
	status_unmap(s->at[i].map, s->at[i].entry.size);
	s->n--;
	memmove(&s->at[i], &s->at[i + 1], (s->n - i) * sizeof(s->at[0]));
}

/* Serials are kept without leading zero octets. */
static int
find(const struct segments *s, size_t n, const uint8_t *serial, size_t len, struct status_record *r)
{
	size_t i;
	int found = 0;

	while (len > 0 && *serial == 0) {
		serial++;
		len--;
	}
	for (i = 0; i < n && found == 0; i++)
		if (s->at[i].issuer >= 0)
			found = status_segment_find(&s->at[i].s, (unsigned)s->at[i].issuer, serial, len, r);
	return found;
}

int
segments_find(const struct segments *s, const uint8_t serial[16], struct status_record *r)
{
	return find(s, s->n, serial, 16, r);
}

/* A record of one segment into another, answers and all. */
static int
copy(struct status_writer *w, const struct status_segment *from, const struct status_key *key, const struct status_record *r)
{
	struct status_record_in in = { .serial = key->serial, .serial_len = key->serial_len, .state = r->state,
	    .reason = r->reason, .this_update = r->this_update, .next_update = r->next_update, .revoked_at = r->revoked_at };
	int a, n;

	if ((n = status_writer_issuer_of(w, from, key->issuer)) < 0)
		return n;
	in.issuer = (unsigned)n;
	for (a = 0; a < STATUS_ALGORITHMS; a++) {
		if (r->answer[a].head == NULL)
			continue;
		if ((n = status_writer_tail(w, r->answer[a].tail, r->answer[a].tail_len)) < 0)
			return n;
		in.answer[a].head = r->answer[a].head;
		in.answer[a].len = r->answer[a].head_len;
		in.answer[a].tail = (unsigned)n;
	}
	return status_writer_record(w, &in);
}

static int
merge_one(const struct segments *s, size_t i, struct status_writer *w)
{
	struct status_record r, newer;
	struct status_key key;
	uint64_t cursor = 0;
	int found, error = 0;

	while (error == 0 && (found = status_segment_next(&s->at[i].s, &cursor, &key, &r)) != 0) {
		if (found < 0)
			return found;
		if ((found = find(s, i, key.serial, key.serial_len, &newer)) < 0)
			return found;
		if (found == 0)
			error = copy(w, &s->at[i].s, &key, &r);
	}
	return error;
}

int
segments_merge(const struct segments *s, size_t n, const char *file, uint64_t epoch, struct status_entry *entry)
{
	struct status_writer *w;
	size_t i;
	int error;

	if ((error = status_writer_open(&w, s->dirfd, file, epoch, 0, 0)) != 0)
		return error;
	for (i = 0; i < n && error == 0; i++)
		error = merge_one(s, i, w);
	if (error == 0)
		return status_writer_finish(w, SEGMENT_DELTA, entry);
	status_writer_abort(w);
	return error;
}
