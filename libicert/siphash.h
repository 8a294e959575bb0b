/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012), 64-bit output: the keyed hash
 * of every table whose keys a stranger chooses.
 */
#ifndef LIBICERT_SIPHASH_H
#define LIBICERT_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_SEED 16		/* octets of key */

/* The hash of len octets of data under a seed of SIPHASH_SEED octets. */
uint64_t siphash(const uint8_t *seed, const void *data, size_t len);

#endif
