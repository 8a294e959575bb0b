#ifndef PKI_KEYFILE_H
#define PKI_KEYFILE_H

#include "libicert/buf.h"

#include <sys/types.h>

/* Small files of keys and certificates: read whole, written whole or not at all. */

/*
 * Appends the file to out.  0, ICERT_E_NOT_FOUND, ICERT_E_TOO_LARGE (above most), ICERT_E_SYSTEM (errno),
 * ICERT_E_MEMORY.
 */
int keyfile_read(const char *path, size_t most, struct buf *out);
/* Exactly n octets, else ICERT_E_MALFORMED. */
int keyfile_read_exact(const char *path, void *out, size_t n);
/*
 * Replaces the file: temporary name beside it, mode, fsync, rename, fsync of the folder.
 * 0 or ICERT_E_SYSTEM.
 */
int keyfile_write(const char *path, const void *, size_t n, mode_t mode);

#endif
