/*
 * Countries of addresses from a MaxMind DB (format 2.0), read by libmaxminddb.  The file is the administrator's but comes from
 * somewhere else, and is replaced while it is used: what does not hold in all that is asked of it here is never used.
 */
#ifndef LIBICERT_COUNTRY_H
#define LIBICERT_COUNTRY_H

#include <sys/socket.h>

#include <maxminddb.h>
#include <stdint.h>

#define COUNTRY_CODE		2			/* two capitals (ISO 3166-1), without an end */
#define COUNTRY_SIZE_MIN	128			/* octets of a file */
#define COUNTRY_SIZE_MAX	(INT64_C(1) << 30)
#define COUNTRY_AHEAD_MAX	86400			/* seconds by which a clock elsewhere may be ahead of ours */

/*
 * Opens a database that names countries and was built at `oldest` or later (Unix seconds; 0: whenever), and not after `now`, for one
 * from the future would keep every later one out.  NULL, and *db is the caller's to MMDB_close(); or what is wrong with
 * the file, a literal that follows its name, and *db is nothing.
 */
const char	*country_open(MMDB_s *db, const char *path, uint64_t oldest, uint64_t now);

/*
 * Keeps the octets of an opened database in a file of our own, put in its place by a rename and left alone when it holds them already: what
 * was taken once is there for whoever starts later, also when the file it came from is bad by then, and nobody
 * shortens it while it is mapped.  0, or an errno.
 */
int		 country_keep(const MMDB_s *db, const char *path);

/* The country of an address: 1 and its code, 0 when none is known. */
int	country_find(const MMDB_s *db, const struct sockaddr *, char code[COUNTRY_CODE]);

#endif
