#ifndef ICERT_PROCEDURE_RESTORATION_H
#define ICERT_PROCEDURE_RESTORATION_H
/*
 * A database that was restored learns what it forgot: from the signer's journal, the status that was
 * public, and the lists of what was destroyed and spent, all of which a restore leaves as they are.
 * docs/backup.md.
 */
#include <stddef.h>
#include <stdint.h>

#include "procedure/act.h"

/* A certificate of the signer's journal, with the status that the edge last showed. */
struct restoration_certificate {
	uint8_t	serial[16], case_id[16];
	unsigned issuer;	/* number of its CA */
	int64_t	not_after;	/* UTC seconds */
	int	revoked, reason;	/* CRLReason */
	int64_t	revoked_at;
};

struct restoration {
	int64_t	made_at;	/* of the backup, UTC seconds */
	const struct restoration_certificate *certificates;
	size_t	n_certificates;
	/* Raw ids of orders that a certificate was made for. */
	const uint8_t (*spent)[16];
	size_t	n_spent;
	/* Raw ids of data keys that were destroyed. */
	const uint8_t (*destroyed)[16];
	size_t	n_destroyed;
	/* Is the delivery key of this case and label gone, destroyed or lost? */
	int	(*delivery_gone)(void *ctx, const char *application, const char *label);
	void	*ctx;
};

/* How many rows each step has changed. */
struct restoration_report {
	int64_t	revoked;	/* certificates that were good and had been revoked since */
	int64_t	lost;		/* certificates that the database does not know */
	int64_t	undone;		/* cases in `issuing` sent back: their certificate is one of the lost */
	int64_t	spent;		/* orders that count as used */
	int64_t	deliveries;	/* sealed PKCS#12, keys and envelopes that nothing opens any more */
	int64_t	keys;		/* data keys marked as destroyed */
	int64_t	sessions;	/* sessions and codes ended */
	int64_t	audit_size;	/* leaves of the tree as it came back */
};

/*
 * All of it in one transaction, with an audit row; numbers go on well above any that can have been given since the
 * backup; and the breaker of restores trips, so that nothing ends by itself until two people release it.  act->db
 * is the database's superuser: these are not acts of the procedure, but acts of the past taken down again, so
 * triggers do not judge them.  0 or the store's error; nothing is then changed.
 */
int	restoration_reconcile(struct act *, const struct restoration *, struct restoration_report *);

#endif
