#ifndef KEYS_KEEPER_DELIVERY_H
#define KEYS_KEEPER_DELIVERY_H

#include "keys/keeper_record.h"

/*
 * Delivery keys inside the keeper: delivery/CASE.LABEL is the one place where such a key exists.  The
 * envelope's has a companion CASE.code with the opening code and what became of it (keeper_envelope.c).
 */
#define CODE_LABEL "code"

void delivery_name(char out[RECORD_NAME], const uint8_t case_id[16], const char *label);
/* The id under which a name stands in the list of destroyed ones.  0, ICERT_E_CRYPTO. */
int delivery_id(const uint8_t case_id[16], const char *label, uint8_t out[16]);
/* 0 while it may exist, else how it ended: ICERT_E_CODE_SPENT, ICERT_E_DESTROYED. */
int delivery_ended(const struct keeper *, const uint8_t case_id[16], const char *label);

/* key and made_at may be NULL.  0, how it ended, and the errors of record_read(). */
int delivery_key_read(const struct keeper *, const uint8_t case_id[16], const char *label, uint8_t key[32], int64_t *made_at);
/* The key that is there, or a new one: whoever resumes gets the same. */
int delivery_key(const struct keeper *, const uint8_t case_id[16], const char *label, uint8_t key[32]);
/* First the list, then the files: what is being destroyed is refused from the first step on. */
int delivery_destroy(struct keeper *, const uint8_t case_id[16], const char *label, char kind);
/* Into the reply when error is 0; wiped in any case.  Returns error. */
int delivery_put_key(struct serve_reply *, uint8_t key[32], int error);

/*
 * Once a minute, for each CASE.code: the digits that were told a minute ago are wiped.  Whether the envelope has to go: it
 * was opened half an hour ago, or delivery_days have passed since it was made; a lock or a new code moves neither.
 */
int envelope_due(const struct keeper *, const uint8_t case_id[16]);

#endif
