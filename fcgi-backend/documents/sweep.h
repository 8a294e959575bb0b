#ifndef ICERT_DOCUMENTS_SWEEP_H
#define ICERT_DOCUMENTS_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "documents/store.h"

#define SWEEP_BATCH 64		/* files asked about at once */

/*
 * A file is stored before its row: a program that dies in between leaves one
 * that nothing names.  document_sweep() asks about every file last written
 * before `before` (UTC seconds; leave requests in hand their time) and unlinks
 * those that are not known, and half-written ones.
 *
 * known() fills known[i] for n ids; an error of its ends the sweep and is
 * returned, with nothing of that batch unlinked.  *dropped counts, also then.
 */
int document_sweep(const struct document_store *, int64_t before,
    int (*known)(void *ctx, const char (*ids)[ID_TEXT], size_t n, bool *known), void *ctx, size_t *dropped);

#endif
