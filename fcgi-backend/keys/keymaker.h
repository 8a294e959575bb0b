#ifndef KEYS_KEYMAKER_H
#define KEYS_KEYMAKER_H

#include "keys/serve.h"

/*
 * The keymaker: applicants' keys, one forked child a job.  The child makes or packs one key and is gone; it holds no key
 * of ours.  The server holds the Ed25519 key of its word, and never an applicant's.
 *
 * Its folder (0700, its own user's): word.key, 32 bytes; public.key, 32 bytes.
 */
struct keymaker;

/* Makes word.key where there is none, and public.key.  0, ICERT_E_SYSTEM, ICERT_E_CRYPTO, ICERT_E_MALFORMED. */
int keymaker_init(const char *folder);

/* iterations: of the PKCS#12 derivations.  0, ICERT_E_NOT_FOUND (not initialised), ICERT_E_MALFORMED, ICERT_E_SYSTEM, ICERT_E_MEMORY. */
int keymaker_open(struct keymaker **, const char *folder, int iterations);
void keymaker_close(struct keymaker *);
/* Another clock, for tests. */
void keymaker_set_clock(struct keymaker *, int64_t (*now)(void));

void keymaker_serve(struct keymaker *, struct serve *);

#endif
