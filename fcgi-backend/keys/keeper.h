#ifndef KEYS_KEEPER_H
#define KEYS_KEEPER_H

#include "keys/serve.h"

#include <stdint.h>

/*
 * The keeper's folder (0700, its own user's):
 *
 *	master		four keys: data keys, look-ups, approvals (Ed25519), the records below.  Backed up.
 *	public.key	the approvals' public key, 32 bytes
 *	totp/STAFF	a staff member's seed, person hash and last used step.  Backed up.
 *	delivery/CASE.LABEL, delivery/CASE.code
 *			delivery keys and opening codes.  Never in a backup: unlinked is gone.
 *	destroyed	ids that are refused for ever.  Only ever grows; never restored from a backup.
 *
 * Every record is sealed under the record key and bound to its own name, written to a new file, synced, renamed.
 */
struct keeper;

/*
 * Makes what is missing in an existing folder: keys, sub-folders, public.key.  Keys that are there are never replaced.
 * 0, ICERT_E_SYSTEM, ICERT_E_CRYPTO, ICERT_E_CONFLICT (no keys, but traces of their use: a half-restored
 * folder), ICERT_E_MALFORMED.
 */
int keeper_init(const char *folder);

/*
 * Opens the folder and reads the keys.  Delivery keys older than delivery_days are destroyed whoever forgot them.
 * 0, ICERT_E_NOT_FOUND (no keys: not initialised), ICERT_E_MALFORMED, ICERT_E_SYSTEM, ICERT_E_MEMORY.
 */
int keeper_open(struct keeper **, const char *folder, int delivery_days);
void keeper_close(struct keeper *);
/* Descriptors to keep open when rights are dropped; how many were written to fds (at most 4). */
size_t keeper_fds(const struct keeper *, int fds[4]);
/* The approvals' public key. */
void keeper_public(const struct keeper *, uint8_t out[32]);
/* Another clock, for tests; UTC seconds. */
void keeper_set_clock(struct keeper *, int64_t (*now)(void));

/* What it answers, and on which sockets; ctx is the struct keeper. */
void keeper_serve(struct keeper *, struct serve *);

#endif
