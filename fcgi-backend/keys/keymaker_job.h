#ifndef KEYS_KEYMAKER_JOB_H
#define KEYS_KEYMAKER_JOB_H

#include "keys/keymaker.h"

#include <stdint.h>

/* Inside the keymaker only. */
struct keymaker {
	uint8_t word_key[32];		/* Ed25519, private; zeros in a job's child */
	uint8_t word_public[32];
	int iterations;
	int64_t (*now)(void);
};

/*
 * Secrets that a person reads and types: groups of four from 32 characters that are not mistaken for one another, five bits each.
 * out holds 5 * groups characters (the last a NUL).
 */
int secret_word(char *out, unsigned groups);
#define PASSWORD_GROUPS 5	/* 20 characters, 100 bits */
#define REVOCATION_GROUPS 4	/* 16 characters, 80 bits */

/* What a child does: one key made, or packed; or an envelope for a key that is elsewhere. */
int keymaker_on_make(void *, const struct serve_request *, struct serve_reply *);
int keymaker_on_pack(void *, const struct serve_request *, struct serve_reply *);
int keymaker_on_envelope(void *, const struct serve_request *, struct serve_reply *);

#endif
