#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/crl.h"
#include "publish/base_source.h"

static void
serial_of(const struct status_key *key, uint8_t out[16])
{
	memset(out, 0, 16);
	if (key->serial_len <= 16)
		memcpy(out + 16 - key->serial_len, key->serial, key->serial_len);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* The base in place is the last, if it is there; everything else lies over it. */
const struct segment *
base_source_base(const struct segments *published, size_t place)
{
	const struct segment *last = published->n > 0 ? &published->at[published->n - 1] : NULL;

	return last != NULL && last->issuer[place] >= 0 && strcmp(last->entry.name, SEGMENT_BASE) == 0 ? last : NULL;
}

static int
collect_deltas(struct base_source *s)
{
	struct status_record r;
	struct status_key key;
	size_t deltas = s->published->n - (base_source_base(s->published, s->place) != NULL), room = 0, i, n;
	uint64_t cursor;
	int found;

	for (i = 0; i < deltas; i++)
		room += s->published->at[i].s.records;
	if (room == 0)
		return 0;
	if ((s->delta = calloc(room, sizeof(*s->delta))) == NULL)
		return ICERT_E_MEMORY;
	for (i = 0; i < deltas; i++) {
		cursor = 0;
		while ((found = status_segment_next(&s->published->at[i].s, &cursor, &key, &r)) == 1 && s->delta_n < room)
			if ((int)key.issuer == s->published->at[i].issuer[s->place])
				serial_of(&key, s->delta[s->delta_n++]);
		if (found < 0)
			return found;
	}
	qsort(s->delta, s->delta_n, sizeof(*s->delta), compare);
	for (i = n = 0; i < s->delta_n; i++)
		if (n == 0 || compare(s->delta[n - 1], s->delta[i]) != 0)
			memmove(s->delta[n++], s->delta[i], 16);
	s->delta_n = n;
	return 0;
}

static int
next_row(struct base_source *s)
{
	int error;

	if (++s->row < s->row_n)
		return 0;
	if (s->db == NULL || (s->row_n != 0 && s->row_n < STATUS_ROWS_PAGE)) {
		s->rows_end = 1;
		return 0;
	}
	s->row = 0;
	if ((error = status_rows_page(s->db, s->issuer, s->after, s->rows, &s->row_n)) != 0)
		return error;
	s->rows_end = s->row_n == 0;
	return 0;
}

static int
next_base(struct base_source *s)
{
	const struct segment *base = base_source_base(s->published, s->place);
	uint8_t before[16];
	struct status_record r;
	struct status_key key;
	int found;

	memcpy(before, s->base_serial, 16);
	do {
		found = base == NULL ? 0 : status_segment_next(&base->s, &s->cursor, &key, &r);
		if (found < 0)
			return found;
		if (found == 0) {
			s->base_end = 1;
			return 0;
		}
		serial_of(&key, s->base_serial);
	} while ((int)key.issuer != base->issuer[s->place] || memcmp(s->base_serial, s->after, 16) <= 0);
	/* A base is written in the order of serials; one that is not was not written here. */
	return memcmp(s->base_serial, before, 16) > 0 ? 0 : ICERT_E_MALFORMED;
}

int
base_source_open(struct base_source *s, const struct segments *published, size_t place, unsigned issuer,
    const struct revocations *revocations, const char *conninfo, const uint8_t after[16])
{
	int error;

	memset(s, 0, sizeof(*s));
	s->published = published;
	s->revocations = revocations;
	s->place = place;
	s->issuer = issuer;
	memcpy(s->after, after, 16);
	if (conninfo != NULL &&
	    ((s->rows = calloc(STATUS_ROWS_PAGE, sizeof(*s->rows))) == NULL || (s->db = db_open(conninfo)) == NULL))
		return ICERT_E_MEMORY;
	if ((error = collect_deltas(s)) != 0)
		return error;
	while (s->delta_at < s->delta_n && memcmp(s->delta[s->delta_at], after, 16) <= 0)
		s->delta_at++;
	if ((error = next_row(s)) != 0)
		return error;
	return next_base(s);
}

static const uint8_t *
least(const uint8_t *a, const uint8_t *b)
{
	return b == NULL || (a != NULL && memcmp(a, b, 16) <= 0) ? a : b;
}

/* What is public stands above what a row says, where it is the worse. */
static void
settle(struct base_source *s, int has_row, const struct status_record *public, struct cert_status *out)
{
	if (public->state == STATUS_GOOD && !has_row) {
		s->carried++;
		return;
	}
	if (public->state == STATUS_GOOD || out->revoked)
		return;
	/* Revoked in public, or on its way to be: a row that says good was brought back by a restore. */
	if (has_row)
		s->kept++;
	else
		s->carried++;
	out->revoked = 1;
	out->reason = public->reason == STATUS_NO_REASON ? CRL_REASON_UNSPECIFIED : public->reason;
	out->revoked_at = public->revoked_at != 0 ? public->revoked_at : public->this_update;
}

/* Revoked in a list that the signer once signed: not good again, whatever was brought back. */
static void
remember(struct base_source *s, struct cert_status *out)
{
	const struct cert_status *r = revocations_find(s->revocations, out->serial);

	if (r == NULL)
		return;
	out->revoked = 1;
	out->reason = r->reason;
	out->revoked_at = r->revoked_at;
	s->kept++;
}

int
base_source_next(struct base_source *s, struct cert_status *out)
{
	const uint8_t *row = s->rows_end ? NULL : s->rows[s->row].serial;
	const uint8_t *base = s->base_end ? NULL : s->base_serial;
	const uint8_t *delta = s->delta_at < s->delta_n ? s->delta[s->delta_at] : NULL;
	const uint8_t *next = least(least(row, base), delta);
	struct status_record public;
	int has_row, found, error = 0;

	if (next == NULL)
		return 0;
	has_row = row != NULL && memcmp(row, next, 16) == 0;
	memset(out, 0, sizeof(*out));
	memcpy(s->after, next, 16);
	if (has_row)
		*out = s->rows[s->row];
	else
		memcpy(out->serial, next, 16);
	out->issuer = s->issuer;
	if ((found = segments_find(s->published, s->place, out->serial, &public)) < 0)
		return found;
	if (found == 1)
		settle(s, has_row, &public, out);
	if (!out->revoked && s->revocations != NULL)
		remember(s, out);
	if (delta != NULL && memcmp(delta, s->after, 16) == 0)
		s->delta_at++;
	if (has_row && (error = next_row(s)) != 0)
		return error;
	if (base != NULL && memcmp(base, s->after, 16) == 0)
		error = next_base(s);
	return error == 0 ? 1 : error;
}

void
base_source_close(struct base_source *s)
{
	if (s->kept + s->carried > 0 && s->db != NULL)
		log_warn("status_kept", "the published set knows more than the database: %llu revoked kept, %llu unknown carried over",
		    (unsigned long long)s->kept, (unsigned long long)s->carried);
	db_close(s->db);
	free(s->rows);
	free(s->delta);
}
