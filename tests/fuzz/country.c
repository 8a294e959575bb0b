/*
 * A database of countries from anywhere: what is opened says so by its type and date, and whatever address is asked, the answer is two
 * capitals or none, and the same the second time.  The library opens a path, so the octets lie in memory that has one.
 */
#include "libicert/country.h"

#include <sys/mman.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW	UINT64_C(1800000000)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
const char *__lsan_default_suppressions(void);

/* libmaxminddb 1.7 gives a list of entries back only when all of it could be read: 5 KB for a bad file, each of which is opened once. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb.so\n";
}

static void
ask(const MMDB_s *db, const struct sockaddr *address)
{
	char code[COUNTRY_CODE], again[COUNTRY_CODE];
	int found = country_find(db, address, code);

	if (found != country_find(db, address, again) || (found && memcmp(code, again, COUNTRY_CODE) != 0))
		abort();
	for (int i = 0; found && i < COUNTRY_CODE; i++)
		if (code[i] < 'A' || code[i] > 'Z')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint32_t four[] = { 0, 0x7f000001, 0x7f000101, 0x7f000201, 0xba041234, 0xffffffff };
	char path[64];
	MMDB_s db;
	int fd = memfd_create("country", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (country_open(&db, path, 0, NOW) == NULL) {
		if (db.metadata.build_epoch > NOW + COUNTRY_AHEAD_MAX)
			abort();
		for (size_t i = 0; i < sizeof(four) / sizeof(four[0]); i++) {
			struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(four[i]) };
			struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

			ask(&db, (struct sockaddr *)&in);
			memcpy(&in6.sin6_addr.s6_addr[i & 1 ? 0 : 12], &four[i], 4);
			ask(&db, (struct sockaddr *)&in6);
		}
		MMDB_close(&db);
		/* One as new as itself is taken, one that is older than another is not. */
		if (country_open(&db, path, NOW + COUNTRY_AHEAD_MAX + 1, NOW) == NULL)
			abort();
	}
	close(fd);
	return 0;
}
