#include "libicert/country.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A list of cities has countries too; one of anonymous networks or of autonomous systems has none. */
static int
names_countries(const char *type)
{
	static const char *const words[] = { "country", "city" };

	for (; type != NULL && *type != '\0'; type++)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strncasecmp(type, words[i], strlen(words[i])) == 0)
				return 1;
	return 0;
}

const char *
country_open(MMDB_s *db, const char *path, uint64_t oldest, uint64_t now)
{
	struct stat st;
	const char *fault = NULL;
	int rc;

	if (stat(path, &st) != 0)
		return "cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "is no regular file";
	if (st.st_size < COUNTRY_SIZE_MIN || st.st_size > COUNTRY_SIZE_MAX)
		return "has no size of a database";
	if ((rc = MMDB_open(path, MMDB_MODE_MMAP, db)) != MMDB_SUCCESS)
		return MMDB_strerror(rc);
	if (!names_countries(db->metadata.database_type))
		fault = "is of a type that names no country";
	else if (db->metadata.build_epoch < oldest)
		fault = "is older than the one in use (a reload takes it)";
	else if (db->metadata.build_epoch > now + COUNTRY_AHEAD_MAX)
		fault = "was built in the future";
	if (fault != NULL)
		MMDB_close(db);
	return fault;
}

static int
holds(const char *path, const MMDB_s *db)
{
	MMDB_s kept;
	int same;

	if (country_open(&kept, path, 0, UINT64_MAX - COUNTRY_AHEAD_MAX) != NULL)
		return 0;
	same = kept.file_size == db->file_size && memcmp(kept.file_content, db->file_content, (size_t)db->file_size) == 0;
	MMDB_close(&kept);
	return same;
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	ssize_t done;

	for (; n > 0; p += done, n -= (size_t)done)
		if ((done = write(fd, p, n)) <= 0)
			return done < 0 ? errno : ENOSPC;
	return 0;
}

int
country_keep(const MMDB_s *db, const char *path)
{
	char temporary[1024];
	int fd, error, n;

	if (holds(path, db))
		return 0;
	/* Several processes may keep the same one at a time. */
	n = snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return ENAMETOOLONG;
	if ((fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644)) < 0)
		return errno;
	/* Not synced: whoever waits for us answers requests, and what a crash of the machine tears is refused or fetched again. */
	error = write_all(fd, db->file_content, (size_t)db->file_size);
	if (close(fd) != 0 && error == 0)
		error = errno;
	if (error == 0 && rename(temporary, path) != 0)
		error = errno;
	if (error != 0)
		unlink(temporary);
	return error;
}

static int
is_capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

int
country_find(const MMDB_s *db, const struct sockaddr *address, char code[COUNTRY_CODE])
{
	static const char *const flat[] = { "country_code", NULL }, *const nested[] = { "country", "iso_code", NULL };
	static const char *const *const paths[] = { flat, nested };
	MMDB_lookup_result_s found;
	MMDB_entry_data_s data;
	int error;

	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return 0;
	found = MMDB_lookup_sockaddr(db, address, &error);
	if (error != MMDB_SUCCESS || !found.found_entry)
		return 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (MMDB_aget_value(&found.entry, &data, (const char *const *)paths[i]) != MMDB_SUCCESS || !data.has_data ||
		    data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != COUNTRY_CODE ||
		    !is_capital(data.utf8_string[0]) || !is_capital(data.utf8_string[1]))
			continue;
		memcpy(code, data.utf8_string, COUNTRY_CODE);
		return 1;
	}
	return 0;
}
