#include <stdlib.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "publish/revocations.h"

/* Serials are random, so their octets are a hash. */
static size_t
slot_of(const struct revocations *r, const uint8_t serial[16])
{
	return (size_t)get_u64le(serial + 8) & (r->slots_n - 1);
}

const struct cert_status *
revocations_find(const struct revocations *r, const uint8_t serial[16])
{
	size_t at;

	if (r->slots_n == 0)
		return NULL;
	for (at = slot_of(r, serial); r->slots[at] != 0; at = (at + 1) & (r->slots_n - 1))
		if (memcmp(r->list[r->slots[at] - 1].serial, serial, 16) == 0)
			return &r->list[r->slots[at] - 1];
	return NULL;
}

static void
slot_put(struct revocations *r, size_t i)
{
	size_t at = slot_of(r, r->list[i].serial);

	while (r->slots[at] != 0)
		at = (at + 1) & (r->slots_n - 1);
	r->slots[at] = (uint32_t)(i + 1);
}

static int
grow(struct revocations *r)
{
	size_t room = r->room == 0 ? 256 : 2 * r->room, i;
	struct cert_status *list = reallocarray(r->list, room, sizeof(*list));
	uint32_t *slots;

	if (list == NULL)
		return ICERT_E_MEMORY;
	r->list = list;
	if ((slots = calloc(4 * room, sizeof(*slots))) == NULL)
		return ICERT_E_MEMORY;
	free(r->slots);
	r->slots = slots;
	r->slots_n = 4 * room;
	r->room = room;
	for (i = 0; i < r->n; i++)
		slot_put(r, i);
	return 0;
}

int
revocations_add(struct revocations *r, const struct cert_status *s)
{
	int error;

	if (revocations_find(r, s->serial) != NULL)
		return 0;
	if (r->n == r->room && (error = grow(r)) != 0)
		return error;
	r->list[r->n] = *s;
	slot_put(r, r->n++);
	return 0;
}

int
revocations_add_signed(struct revocations *r, unsigned issuer, const struct signed_revocation *list, size_t n)
{
	struct cert_status s = { .issuer = issuer, .partition = CERT_ANY_PARTITION, .revoked = 1, .reason = CRL_REASON_UNSPECIFIED };
	size_t i;
	int error = 0;

	for (i = 0; i < n && error == 0; i++) {
		memcpy(s.serial, list[i].serial, sizeof(s.serial));
		s.revoked_at = list[i].revoked_at;
		s.not_after = list[i].not_after;
		error = revocations_add(r, &s);
	}
	return error;
}

int
revocations_copy(struct revocations *to, const struct revocations *from)
{
	size_t i;
	int error = 0;

	memset(to, 0, sizeof(*to));
	for (i = 0; i < from->n && error == 0; i++)
		error = revocations_add(to, &from->list[i]);
	if (error != 0)
		revocations_free(to);
	return error;
}

static int
add_segment(struct revocations *r, const struct segment *g, size_t place)
{
	struct cert_status s = { .revoked = 1, .not_after = INT64_MAX, .partition = CERT_ANY_PARTITION };
	struct status_record record;
	struct status_key key;
	uint64_t cursor = 0;
	int found, error = 0;

	while (error == 0 && (found = status_segment_next(&g->s, &cursor, &key, &record)) != 0) {
		if (found < 0)
			return found;
		if (record.state != STATUS_REVOKED || (int)key.issuer != g->issuer[place] || key.serial_len > sizeof(s.serial))
			continue;
		memset(s.serial, 0, sizeof(s.serial));
		memcpy(s.serial + sizeof(s.serial) - key.serial_len, key.serial, key.serial_len);
		s.reason = record.reason == STATUS_NO_REASON ? CRL_REASON_UNSPECIFIED : record.reason;
		s.revoked_at = record.revoked_at;
		error = revocations_add(r, &s);
	}
	return error;
}

int
revocations_add_published(struct revocations *r, const struct segments *segments, size_t place)
{
	size_t i;
	int error = 0;

	for (i = 0; i < segments->n && error == 0; i++)
		error = add_segment(r, &segments->at[i], place);
	return error;
}

int
revocations_entries(const struct revocations *r, unsigned partition, int64_t ended_after, struct crl_entry **out, size_t *n)
{
	struct crl_entry *entries;
	size_t i;

	*out = NULL;
	*n = 0;
	if (r->n == 0)
		return 0;
	if ((entries = calloc(r->n, sizeof(*entries))) == NULL)
		return ICERT_E_MEMORY;
	for (i = 0; i < r->n; i++) {
		if (r->list[i].not_after <= ended_after || (partition != 0 && r->list[i].partition != partition && r->list[i].partition != CERT_ANY_PARTITION))
			continue;
		memcpy(entries[*n].serial, r->list[i].serial, 16);
		entries[*n].revoked_at = r->list[i].revoked_at;
		entries[(*n)++].reason = (uint8_t)r->list[i].reason;
	}
	if (*n == 0) {
		free(entries);
		entries = NULL;
	}
	*out = entries;
	return 0;
}

void
revocations_free(struct revocations *r)
{
	free(r->list);
	free(r->slots);
}
