#ifndef ICERT_CLOCK_H
#define ICERT_CLOCK_H
/*
 * The one clock.  Certificates, OCSP, CRL, TOTP, sessions and codes live in
 * real time; the deadlines of the business live in business time, which a test
 * may move.  A build with ICERT_PRODUCTION knows no test clock.
 */
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT 21		/* "2026-11-23T20:00:00Z" and its NUL */

/*
 * Map the offset of the test clock: a file of 8 bytes, an int64 in
 * little-endian, seconds added to real time; mapped read-only, so that a change
 * is seen at once.  NULL or "" means none.  Returns 0; -1 after a log line when
 * the file cannot be mapped (clock_unreadable) or when this is a production
 * build and a file was named (clock_refused).
 */
int	clock_open(const char *path);

/* Seconds since 1970, UTC. */
int64_t	clock_real(void);

/* The same in milliseconds. */
int64_t	clock_real_ms(void);

/* The same plus the test offset: for deadlines of the business only. */
int64_t	clock_business(void);

/* Milliseconds that never go back; no relation to the date. */
int64_t	clock_mono_ms(void);

/* t in ISO 8601, UTC, seconds (RFC 3339); out holds CLOCK_TEXT bytes. */
char	*clock_text(int64_t t, char out[CLOCK_TEXT]);

#endif
