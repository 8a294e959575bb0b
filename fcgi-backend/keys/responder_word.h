#ifndef KEYS_RESPONDER_WORD_H
#define KEYS_RESPONDER_WORD_H

#include "libicert/approval.h"

/*
 * The status signer's word that it made the key with this SPKI for answering OCSP: a
 * statement under its own Ed25519 key, which the signer pins.  Length-prefixed (u32 big-endian)
 * "icert-responder-v1", SPKI hash (32), time (8).
 */
struct responder_word {
	uint8_t spki_sha256[32];
	int64_t time;		/* UTC seconds */
};

/* The bytes, unsigned yet.  0 or ICERT_E_INVALID. */
int responder_word_build(const struct responder_word *, struct statement *);
/* Reads them back; checks no signature.  0 or ICERT_E_MALFORMED. */
int responder_word_parse(const struct statement *, struct responder_word *);

#endif
