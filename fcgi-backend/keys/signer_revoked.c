#include "keys/signer_revoked.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

void
revoked_free(struct revoked_list *l)
{
	free(l->item);
	memset(l, 0, sizeof(*l));
}

int
revoked_add(struct revoked_list *l, const struct revoked *r)
{
	size_t room = l->room == 0 ? 64 : 2 * l->room;
	struct revoked *item;

	if (l->n == l->room) {
		if ((item = realloc(l->item, room * sizeof(*item))) == NULL)
			return ICERT_E_MEMORY;
		l->item = item;
		l->room = room;
	}
	l->item[l->n++] = *r;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(((const struct revoked *)a)->serial, ((const struct revoked *)b)->serial, 16);
}

void
revoked_sort(struct revoked_list *l)
{
	if (l->n > 1)
		qsort(l->item, l->n, sizeof(l->item[0]), compare);
}

int
revoked_has(const struct revoked_list *l, const uint8_t serial[16])
{
	struct revoked wanted;

	memcpy(wanted.serial, serial, sizeof(wanted.serial));
	return l->n > 0 && bsearch(&wanted, l->item, l->n, sizeof(wanted), compare) != NULL;
}

void
revoked_put(struct buf *out, const struct revoked *r)
{
	buf_put(out, r->serial, 16);
	buf_u64be(out, (uint64_t)r->revoked_at);
	buf_u64be(out, (uint64_t)r->not_after);
}

void
revoked_decode(struct revoked *r, const uint8_t in[REVOKED_ENTRY])
{
	memcpy(r->serial, in, 16);
	r->revoked_at = (int64_t)get_u64be(in + 16);
	r->not_after = (int64_t)get_u64be(in + 24);
	r->partition = REVOKED_PARTITION_UNREAD;
}

const struct revoked *
revoked_missing(const struct revoked_list *l, const struct crl_entry *entries, size_t n, int64_t ended)
{
	size_t i, at = 0;

	for (i = 0; i < l->n; i++) {
		while (at < n && memcmp(entries[at].serial, l->item[i].serial, 16) < 0)
			at++;
		if ((at == n || memcmp(entries[at].serial, l->item[i].serial, 16) != 0) && l->item[i].not_after > ended)
			return &l->item[i];
	}
	return NULL;
}
