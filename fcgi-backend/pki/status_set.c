#include "pki/status_set.h"
#include "libicert/error.h"
#include "libicert/status_write.h"

#include <stdlib.h>
#include <string.h>

/* A record with its two answers. */
struct item {
	struct status_set_record r;
	int64_t this_update;		/* 0: no answers */
	int64_t next_update;
	uint8_t *head[OCSP_HASHES];	/* one block: head[0] is what was allocated */
	uint32_t head_len[OCSP_HASHES];
};

struct status_set {
	struct item *items;
	size_t n, room;
	uint32_t *slots;		/* numbers + 1, open addressing by serial */
	size_t slots_n;			/* a power of two, above twice n */
	const struct ocsp_template *template;
};

struct status_set *
status_set_new(void)
{
	return calloc(1, sizeof(struct status_set));
}

static void
drop_answers(struct item *item)
{
	free(item->head[0]);
	memset(item->head, 0, sizeof(item->head));
	item->this_update = 0;
}

void
status_set_free(struct status_set *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->n; i++)
		drop_answers(&s->items[i]);
	free(s->items);
	free(s->slots);
	free(s);
}

/* Serials are random, so their octets are a hash. */
static size_t
slot_of(const struct status_set *s, const uint8_t serial[16])
{
	return (size_t)get_u64le(serial + 8) & (s->slots_n - 1);
}

static struct item *
find(const struct status_set *s, const uint8_t serial[16])
{
	size_t at;

	if (s->slots_n == 0)
		return NULL;
	for (at = slot_of(s, serial); s->slots[at] != 0; at = (at + 1) & (s->slots_n - 1))
		if (memcmp(s->items[s->slots[at] - 1].r.serial, serial, 16) == 0)
			return &s->items[s->slots[at] - 1];
	return NULL;
}

const struct status_set_record *
status_set_find(const struct status_set *s, const uint8_t serial[16])
{
	const struct item *item = find(s, serial);

	return item == NULL ? NULL : &item->r;
}

size_t
status_set_count(const struct status_set *s)
{
	return s->n;
}

static void
slot_put(struct status_set *s, size_t i)
{
	size_t at = slot_of(s, s->items[i].r.serial);

	while (s->slots[at] != 0)
		at = (at + 1) & (s->slots_n - 1);
	s->slots[at] = (uint32_t)(i + 1);
}

static int
grow(struct status_set *s)
{
	size_t room = s->room == 0 ? 1024 : 2 * s->room, i;
	struct item *items = realloc(s->items, room * sizeof(*items));
	uint32_t *slots;

	if (items == NULL)
		return ICERT_E_MEMORY;
	s->items = items;
	if ((slots = calloc(4 * room, sizeof(*slots))) == NULL)
		return ICERT_E_MEMORY;
	free(s->slots);
	s->slots = slots;
	s->slots_n = 4 * room;
	s->room = room;
	for (i = 0; i < s->n; i++)
		slot_put(s, i);
	return 0;
}

int
status_set_put(struct status_set *s, const struct status_set_record *r)
{
	struct item *item = find(s, r->serial);
	int error;

	if (item != NULL) {
		if (item->r.revoked && !r->revoked)
			return ICERT_E_STATE;
		if (item->r.revoked != r->revoked || item->r.reason != r->reason || item->r.revoked_at != r->revoked_at)
			drop_answers(item);
		item->r = *r;
		return 0;
	}
	if (s->n == s->room && (error = grow(s)) != 0)
		return error;
	memset(&s->items[s->n], 0, sizeof(s->items[0]));
	s->items[s->n].r = *r;
	slot_put(s, s->n++);
	return 0;
}

void
status_set_template(struct status_set *s, const struct ocsp_template *template)
{
	size_t i;

	s->template = template;
	for (i = 0; i < s->n; i++)
		drop_answers(&s->items[i]);
}

size_t
status_set_stale(const struct status_set *s, int64_t before)
{
	size_t i, stale = 0;

	for (i = 0; i < s->n; i++)
		stale += s->items[i].this_update == 0 || s->items[i].this_update < before;
	return stale;
}

/* One batch on its way to the signer: two answers a certificate. */
struct batch {
	struct item *item[STATUS_BATCH / OCSP_HASHES];
	struct buf data[STATUS_BATCH];
	uint8_t digest[STATUS_BATCH][32];
	struct status_set_signature signature[STATUS_BATCH];
	size_t n;			/* certificates */
	int64_t now, until;
};

static int
prepare(const struct status_set *s, struct batch *b)
{
	struct ocsp_single single = { .this_update = b->now, .next_update = b->until };
	size_t i, h;
	int error;

	for (i = 0; i < b->n; i++) {
		single.serial = b->item[i]->r.serial;
		single.serial_len = sizeof(b->item[i]->r.serial);
		single.revoked = b->item[i]->r.revoked;
		single.reason = b->item[i]->r.reason;
		single.revoked_at = b->item[i]->r.revoked_at;
		for (h = 0; h < OCSP_HASHES; h++) {
			buf_reset(&b->data[i * OCSP_HASHES + h]);
			if ((error = ocsp_answer_data(s->template, h, &single, &b->data[i * OCSP_HASHES + h],
			    b->digest[i * OCSP_HASHES + h])) != 0)
				return error;
		}
	}
	return 0;
}

static int
keep(const struct status_set *s, struct batch *b, size_t i)
{
	struct buf head = BUF_INIT;
	struct item *item = b->item[i];
	size_t h, first = 0, j;
	uint8_t *block = NULL;
	int error = 0;

	for (h = 0; h < OCSP_HASHES && error == 0; h++) {
		j = i * OCSP_HASHES + h;
		first = h == 1 ? head.len : 0;
		error = ocsp_answer_head(s->template, b->data[j].p, b->data[j].len, b->signature[j].bytes,
		    b->signature[j].len, &head);
	}
	if (error == 0 && (block = malloc(head.len)) == NULL)
		error = ICERT_E_MEMORY;
	if (error == 0) {
		memcpy(block, head.p, head.len);
		drop_answers(item);
		item->head[0] = block;
		item->head_len[0] = (uint32_t)first;
		item->head[1] = block + first;
		item->head_len[1] = (uint32_t)(head.len - first);
		item->this_update = b->now;
		item->next_update = b->until;
	}
	buf_free(&head);
	return error;
}

static int
flush(const struct status_set *s, struct batch *b, status_set_signer signer, void *ctx)
{
	size_t i;
	int error;

	if (b->n == 0)
		return 0;
	if ((error = prepare(s, b)) != 0 ||
	    (error = signer(ctx, b->n * OCSP_HASHES, (const uint8_t (*)[32])b->digest, b->signature)) != 0)
		return error;
	for (i = 0; i < b->n && error == 0; i++)
		error = keep(s, b, i);
	b->n = 0;
	return error;
}

int
status_set_sign(struct status_set *s, int64_t now, int64_t validity, int64_t before, status_set_signer signer, void *ctx)
{
	struct batch *b;
	size_t i;
	int error = 0;

	if (s->template == NULL)
		return ICERT_E_STATE;
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return ICERT_E_MEMORY;
	b->now = now;
	b->until = now + validity < s->template->responder_not_after ? now + validity : s->template->responder_not_after;
	for (i = 0; i < s->n && error == 0; i++) {
		if (s->items[i].this_update != 0 && s->items[i].this_update >= before)
			continue;
		b->item[b->n++] = &s->items[i];
		if (b->n == STATUS_BATCH / OCSP_HASHES)
			error = flush(s, b, signer, ctx);
	}
	if (error == 0)
		error = flush(s, b, signer, ctx);
	for (i = 0; i < STATUS_BATCH; i++)
		buf_free(&b->data[i]);
	free(b);
	return error;
}

static int
write_records(const struct status_set *s, struct status_writer *w, int issuer, int tail)
{
	struct status_record_in record = { .issuer = (unsigned)issuer };
	const struct item *item;
	size_t i;
	int error = 0, h;

	for (i = 0; i < s->n && error == 0; i++) {
		item = &s->items[i];
		record.serial = item->r.serial;
		record.serial_len = sizeof(item->r.serial);
		record.state = item->r.revoked ? STATUS_REVOKED : STATUS_GOOD;
		record.reason = item->r.revoked ? item->r.reason : STATUS_NO_REASON;
		record.revoked_at = item->r.revoked ? item->r.revoked_at : 0;
		record.this_update = item->this_update;
		record.next_update = item->next_update;
		for (h = 0; h < OCSP_HASHES; h++) {
			record.answer[h].head = item->head[h];
			record.answer[h].len = item->head_len[h];
			record.answer[h].tail = (unsigned)tail;
		}
		error = status_writer_record(w, &record);
	}
	return error;
}

int
status_set_write(const struct status_set *s, int dirfd, const char *file, uint64_t epoch, struct status_entry *entry)
{
	struct status_writer *w = NULL;
	int issuer, tail, error;

	if (s->template == NULL || status_set_stale(s, 1) > 0)
		return ICERT_E_STATE;
	error = status_writer_open(&w, dirfd, file, epoch, 0, 0);
	if (error == 0) {
		issuer = status_writer_issuer(w, s->template->issuer_name.p, s->template->issuer_name.len,
		    s->template->issuer_key.p, s->template->issuer_key.len);
		tail = status_writer_tail(w, s->template->tail.p, s->template->tail.len);
		error = issuer < 0 ? issuer : tail < 0 ? tail : write_records(s, w, issuer, tail);
		if (error == 0)
			error = status_writer_finish(w, "base", entry);
		else
			status_writer_abort(w);
	}
	return error;
}

int
status_set_revoked(const struct status_set *s, int64_t ended_after, struct crl_entry **out, size_t *n)
{
	struct crl_entry *entries;
	size_t i, count = 0;

	*out = NULL;
	*n = 0;
	for (i = 0; i < s->n; i++)
		count += s->items[i].r.revoked && s->items[i].r.not_after > ended_after;
	if (count == 0)
		return 0;
	if ((entries = calloc(count, sizeof(*entries))) == NULL)
		return ICERT_E_MEMORY;
	for (i = 0; i < s->n; i++) {
		if (!s->items[i].r.revoked || s->items[i].r.not_after <= ended_after)
			continue;
		memcpy(entries[*n].serial, s->items[i].r.serial, 16);
		entries[*n].revoked_at = s->items[i].r.revoked_at;
		entries[(*n)++].reason = (uint8_t)s->items[i].r.reason;
	}
	*out = entries;
	return 0;
}
