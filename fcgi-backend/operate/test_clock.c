#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "operate/test_clock.h"

#define YEARS_S (20 * 366 * 86400LL)	/* as far as anybody goes; beyond are slips of the finger */

static int64_t
get(const unsigned char b[8])
{
	uint64_t v = 0;

	for (int k = 7; k >= 0; k--)
		v = v << 8 | b[k];
	return (int64_t)v;
}

static void
put(unsigned char b[8], int64_t v)
{
	for (int k = 0; k < 8; k++)
		b[k] = (unsigned char)((uint64_t)v >> 8 * k);
}

/* "+24h" onto *offset, "0" for none. */
static int
moved(const char *move, int64_t *offset)
{
	static const char units[] = "smhd";
	static const int64_t seconds[] = { 1, 60, 3600, 86400 };
	const char *unit;
	char *end;
	long n;

	if (strcmp(move, "0") == 0) {
		*offset = 0;
		return 0;
	}
	if (move[0] != '+' || move[1] < '0' || move[1] > '9')
		return -1;
	errno = 0;
	n = strtol(move + 1, &end, 10);
	if (errno != 0 || *end == '\0' || end[1] != '\0' || (unit = strchr(units, *end)) == NULL || n > YEARS_S)
		return -1;
	*offset += n * seconds[unit - units];
	return *offset <= YEARS_S ? 0 : -1;
}

int
test_clock_move(const struct instance *i, const char *move)
{
	unsigned char b[8];
	char path[FILES_PATH], text[CLOCK_TEXT];
	int64_t offset;
	int fd, failed;

	/* A path, and nothing that a configuration names: an installation has no such file. */
	if (path_join(path, "%s/clock", i->data) != 0)
		return -1;
	if ((fd = open(path, move != NULL ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC)) < 0)
		return complain("%s: %s", path, strerror(errno));
	if (pread(fd, b, sizeof(b), 0) != sizeof(b)) {
		close(fd);
		return complain("%s: not 8 bytes", path);
	}
	offset = get(b);
	if (move != NULL && moved(move, &offset) != 0) {
		close(fd);
		return complain("clock %s: +N with s, m, h or d (20 years at most), or 0 for real time", move);
	}
	put(b, offset);
	/* In place: the programs have the file mapped. */
	failed = move != NULL && pwrite(fd, b, sizeof(b), 0) != sizeof(b);
	if (close(fd) != 0 || failed)
		return complain("%s: %s", path, strerror(errno));
	printf("real time      %s\n", clock_text(clock_real(), text));
	printf("business time  %s\n", clock_text(clock_real() + offset, text));
	return 0;
}
