#ifndef KEYS_SIGNER_REVOKED_H
#define KEYS_SIGNER_REVOKED_H

#include "libicert/buf.h"
#include "libicert/keyproto.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What the signer has signed as revoked.  A list that leaves one of them out is refused: whoever takes the
 * publisher over can repeat an old list until its end, and no more.  Kept in the
 * journal, in memory in the order of the serials.
 */
struct revoked {
	uint8_t serial[16];
	int64_t revoked_at;
	int64_t not_after;	/* of its certificate; INT64_MAX when this signer did not sign it */
	int partition;		/* of the list, as its certificate says; REVOKED_PARTITION_UNREAD */
};

struct revoked_list {
	struct revoked *item;
	size_t n, room;
};

#define REVOKED_PARTITION_UNREAD (-1)	/* as the journal's line is read: it stands in the certificate */
void revoked_free(struct revoked_list *);

/* Adds what is not there yet.  Not in order until revoked_sort().  0, ICERT_E_MEMORY. */
int revoked_add(struct revoked_list *, const struct revoked *);
void revoked_sort(struct revoked_list *);
int revoked_has(const struct revoked_list *, const uint8_t serial[16]);

/* One as it stands in the journal and in a reply: REVOKED_ENTRY octets. */
void revoked_put(struct buf *, const struct revoked *);
void revoked_decode(struct revoked *, const uint8_t in[REVOKED_ENTRY]);

/*
 * The first that must stand in a list and does not, or NULL.  entries are in the order of their serials.
 * Those whose certificate had ended at `ended` have stood in a list after it (RFC 5280, 3.3) and may go.
 */
const struct revoked *revoked_missing(const struct revoked_list *, const struct crl_entry *entries, size_t n, int64_t ended);

#endif
