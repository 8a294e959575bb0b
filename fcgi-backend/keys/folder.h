#ifndef KEYS_FOLDER_H
#define KEYS_FOLDER_H

#include "libicert/buf.h"

/*
 * Small whole files in a folder that was opened before rights were dropped.
 */
#define FOLDER_MAX 65536
#define FOLDER_NAME 80

/* Appends the file's bytes to out.  0, ICERT_E_NOT_FOUND, ICERT_E_MALFORMED (no plain file, or above FOLDER_MAX), ICERT_E_SYSTEM, ICERT_E_MEMORY. */
int folder_read(int folder, const char *name, struct buf *out);
/*
 * Writes a new file, syncs it, renames it over the old one and syncs the folder: after 0 it is on the disk, whole.
 * ICERT_E_SYSTEM, ICERT_E_INVALID (the name is too long); then the old one is as it was.
 */
int folder_write(int folder, const char *name, const void *, size_t, unsigned mode);

#endif
