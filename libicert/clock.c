#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "libicert/log.h"

/* NULL while business time is real time. */
static const volatile unsigned char *clock_offset;

int
clock_open(const char *path)
{
#ifdef ICERT_PRODUCTION
	if (path != NULL && *path != '\0') {
		log_error("clock_refused", "%s: a production build has no test clock", path);
		return -1;
	}
	return 0;
#else
	struct stat st;
	void *map;
	int fd;

	if (path == NULL || *path == '\0')
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size != 8) {
		log_error("clock_unreadable", "%s: %s", path,
		    fd < 0 ? strerror(errno) : "not 8 bytes");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	map = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED) {
		log_error("clock_unreadable", "%s: %s", path, strerror(errno));
		return -1;
	}
	clock_offset = map;
	return 0;
#endif
}

int64_t
clock_real(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

int64_t
clock_real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_business(void)
{
	uint64_t offset = 0;
	int i;

	if (clock_offset != NULL)
		for (i = 7; i >= 0; i--)
			offset = offset << 8 | clock_offset[i];
	return clock_real() + (int64_t)offset;
}

int64_t
clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

char *
clock_text(int64_t t, char out[CLOCK_TEXT])
{
	time_t when = (time_t)t;
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}
