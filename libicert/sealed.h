#ifndef LIBICERT_SEALED_H
#define LIBICERT_SEALED_H

#include "libicert/buf.h"

/*
 * AES-256-GCM (NIST SP 800-38D) of a field or a file: version byte 1, 12 random
 * bytes of nonce, cipher text, 16 bytes of tag.  The context (where the value
 * belongs) is bound as additional data and is not stored: a value moved to another
 * place does not open.
 */
#define SEALED_KEY 32
#define SEALED_OVERHEAD 29
#define SEALED_MAX ((size_t)64 << 20)

/* Appends the sealed form to out.  0, ICERT_E_TOO_LARGE, ICERT_E_CRYPTO, ICERT_E_SYSTEM, ICERT_E_MEMORY. */
int sealed_make(const uint8_t key[SEALED_KEY], const char *context, const void *plain, size_t len,
    struct buf *out);
/*
 * Appends the plain bytes to out.  0, ICERT_E_MALFORMED (no such form), ICERT_E_FORGED (another key,
 * another context, or changed bytes; out is as before), ICERT_E_CRYPTO, ICERT_E_MEMORY.
 */
int sealed_open(const uint8_t key[SEALED_KEY], const char *context, const void *sealed, size_t len,
    struct buf *out);

#endif
