#ifndef CRYPT_SEAL_H
#define CRYPT_SEAL_H

#include "libicert/sealed.h"

#include <stdint.h>

/*
 * Sealed fields: AES-256-GCM under a data key, bound to the place where the value stands, "table|column|row"
 * (row: the id as text).  libicert/sealed.h has the form.  Everything is appended to out.
 */
int seal_field(const uint8_t key[32], const char *place, const void *plain, size_t len, struct buf *out);
/* ICERT_E_FORGED when key, place or bytes are not those of sealing; ICERT_E_MALFORMED. */
int open_field(const uint8_t key[32], const char *place, const void *sealed, size_t len, struct buf *out);

/*
 * Boxes, for a program that may seal but never open (icert-webhook): libsodium's crypto_box_seal, X25519 and XSalsa20-Poly1305.
 * The pair is derived from a data key of kind payments-month: whoever unwraps that key can open.
 */
#define SEAL_BOX_PUBLIC 32
#define SEAL_BOX_OVERHEAD 48
int seal_box_public(const uint8_t key[32], uint8_t public_key[SEAL_BOX_PUBLIC]);
int seal_box(const uint8_t public_key[SEAL_BOX_PUBLIC], const void *plain, size_t len, struct buf *out);
/* ICERT_E_FORGED when it was not sealed for this key. */

/*
 * The same for a program that seals many: one key agreement serves all of them for as long as the sender lives, which should be minutes.
 * Each box is "ICB2", the sender's public key (32), a nonce (24), crypto_box's ciphertext.  Who takes the sender's memory can open what it sealed.
 */
struct seal_sender {
	uint8_t public_key[32], shared[32];
};
int seal_sender_init(const uint8_t public_key[SEAL_BOX_PUBLIC], struct seal_sender *sender);
int seal_box_by(const struct seal_sender *sender, const void *plain, size_t len, struct buf *out);

/* Opens boxes of both kinds. */
int open_box(const uint8_t key[32], const void *sealed, size_t len, struct buf *out);

#endif
