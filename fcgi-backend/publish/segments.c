#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "libicert/error.h"
#include "publish/segments.h"

static int
segment_open(const struct segments *set, struct segment *g, const struct status_entry *entry)
{
	size_t i;
	int error;

	memset(g, 0, sizeof(*g));
	g->entry = *entry;
	if ((error = status_map(set->dirfd, entry, &g->map)) != 0)
		return error;
	if ((error = status_segment_init(&g->s, g->map, entry->size, entry->digest)) != 0) {
		status_unmap(g->map, entry->size);
		return error;
	}
	for (i = 0; i < set->cas; i++)
		g->issuer[i] = status_segment_issuer(&g->s, STATUS_SHA256, set->ca[i].name_hash, set->ca[i].key_hash);
	return 0;
}

int
segments_ca(struct segments_ca *ca, const uint8_t *certificate, size_t len)
{
	X509 *x = d2i_X509(NULL, &certificate, (long)len);
	const ASN1_BIT_STRING *key = x == NULL ? NULL : X509_get0_pubkey_bitstr(x);
	int error = ICERT_E_MALFORMED;

	if (key != NULL)
		error = X509_NAME_digest(X509_get_subject_name(x), EVP_sha256(), ca->name_hash, NULL) == 1 &&
		    EVP_Digest(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key), ca->key_hash, NULL, EVP_sha256(),
		    NULL) == 1 ? 0 : ICERT_E_CRYPTO;
	X509_free(x);
	return error;
}

void
segments_begin(struct segments *s, int dirfd, const struct segments_ca *ca, size_t n)
{
	memset(s, 0, sizeof(*s));
	s->dirfd = dirfd;
	s->cas = n;
	memcpy(s->ca, ca, n * sizeof(*ca));
}

int
segments_open(struct segments *s, int dirfd, const struct status_manifest *m, const struct segments_ca *ca, size_t n)
{
	uint32_t i;
	int error = 0;

	segments_begin(s, dirfd, ca, n);
	for (i = 0; i < m->count && error == 0; i++) {
		if (m->entry[i].kind != STATUS_KIND_SEGMENT)
			continue;
		error = s->n == SEGMENTS_MAX ? ICERT_E_TOO_LARGE : segment_open(s, &s->at[s->n], &m->entry[i]);
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
segments_push(struct segments *s, const struct status_entry *entry)
{
	struct segment fresh;
	int error;

	if (s->n == SEGMENTS_MAX)
		return ICERT_E_TOO_LARGE;
	if ((error = segment_open(s, &fresh, entry)) != 0)
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
find(const struct segments *s, size_t place, size_t n, const uint8_t *serial, size_t len, struct status_record *r)
{
	size_t i;
	int found = 0;

	while (len > 0 && *serial == 0) {
		serial++;
		len--;
	}
	for (i = 0; i < n && found == 0; i++)
		if (s->at[i].issuer[place] >= 0)
			found = status_segment_find(&s->at[i].s, (unsigned)s->at[i].issuer[place], serial, len, r);
	return found;
}

int
segments_find(const struct segments *s, size_t place, const uint8_t serial[16], struct status_record *r)
{
	return find(s, place, s->n, serial, 16, r);
}

int
segments_copy(const struct segments *s, size_t i, const struct status_key *key, const struct status_record *r,
    struct status_writer *w)
{
	const struct status_segment *from = &s->at[i].s;
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

/* Which of our CAs a record of at[i] is of; the number of them: none. */
static size_t
place_of(const struct segments *s, size_t i, unsigned issuer)
{
	size_t place = 0;

	while (place < s->cas && s->at[i].issuer[place] != (int)issuer)
		place++;
	return place;
}

static int
merge_one(const struct segments *s, size_t i, struct status_writer *w)
{
	struct status_record r, newer;
	struct status_key key;
	uint64_t cursor = 0;
	size_t place;
	int found, error = 0;

	while (error == 0 && (found = status_segment_next(&s->at[i].s, &cursor, &key, &r)) != 0) {
		if (found < 0)
			return found;
		place = place_of(s, i, key.issuer);
		/* Of a CA that is no longer ours: dropped with the segment that has it. */
		if (place == s->cas)
			continue;
		if ((found = find(s, place, i, key.serial, key.serial_len, &newer)) < 0)
			return found;
		if (found == 0)
			error = segments_copy(s, i, &key, &r, w);
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
