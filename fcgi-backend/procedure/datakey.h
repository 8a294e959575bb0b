#ifndef ICERT_PROCEDURE_DATAKEY_H
#define ICERT_PROCEDURE_DATAKEY_H
/*
 * Data keys: one a contact, order and case, wrapped in icert.data_key and
 * opened by the keeper.  Whoever holds the 32 bytes wipes them (bytes_wipe).
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"

#define DATAKEY_BYTES 32

/* A new key of a kind ("order", "case"), its row written in the open transaction. */
int	datakey_new(struct act *, const char *kind, char id[ID_TEXT], uint8_t key[DATAKEY_BYTES]);

/* Opens one key that this identity may see; ICERT_E_NOT_FOUND, ICERT_E_DESTROYED. */
int	datakey_open(struct act *, const char *id, uint8_t key[DATAKEY_BYTES]);

/* Opens a wrapped key as read from its row; n = 0 is ICERT_E_DESTROYED. */
int	datakey_unwrap(struct act *, const uint8_t *wrapped, size_t n, uint8_t key[DATAKEY_BYTES]);

struct datakey_wrapped {
	const uint8_t	*p;
	size_t		 n;
};
/* Opens n (at most 100) in one batch; those that are destroyed are zeros. */
int	datakey_unwrap_many(struct act *, size_t n, const struct datakey_wrapped *, uint8_t (*keys)[DATAKEY_BYTES]);

#endif
