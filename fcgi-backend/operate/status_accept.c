#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "libicert/status_file.h"
#include "operate/files.h"
#include "operate/status_files.h"
#include "operate/status_set.h"

static volatile sig_atomic_t stopping;

static void
stop(int signal)
{
	(void)signal;
	stopping = 1;
}

/* Puts octets in place under a name: temporary name, fsync, rename, fsync of the folder. */
static int
place(int dirfd, const char *name, const void *bytes, size_t len)
{
	struct status_file f = { .fd = -1 };
	int rc;

	if ((rc = status_file_open(&f, dirfd, name)) == 0 && (rc = status_file_append(&f, bytes, len)) == 0)
		rc = status_file_commit(&f);
	status_file_abort(&f);
	return rc;
}

/* A file that was accepted before has a name that is never used again. */
static int
is_there(int dirfd, const struct status_entry *e)
{
	struct stat st;

	return fstatat(dirfd, e->file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->size;
}

static uint64_t
read_high(int dirfd, const char *file)
{
	char text[32] = "";
	uint64_t high = 0;
	int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "%" SCNu64, &high);
	close(fd);
	return high;
}

static int
named(const struct status_manifest *m, const char *file)
{
	uint32_t i;

	for (i = 0; i < m->count; i++)
		if (strcmp(m->entry[i].file, file) == 0)
			return 1;
	return 0;
}

/* What neither the set that was just put in place nor the one before it names. */
static void
sweep(int to, const char *high_file, const struct status_manifest *fresh, const struct status_manifest *former)
{
	int fd = dup(to);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (dir == NULL)
		return;
	rewinddir(dir);
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' && strcmp(d->d_name, STATUS_MANIFEST_FILE) != 0 && strcmp(d->d_name, high_file) != 0 &&
		    !named(fresh, d->d_name) && !named(former, d->d_name))
			unlinkat(to, d->d_name, 0);
	closedir(dir);
}

static int
put_files(const struct status_set_files *s, int to)
{
	uint32_t i;
	size_t segment = 0;
	int rc = 0;

	for (i = 0; i < s->manifest.count && rc == 0; i++) {
		const struct status_entry *e = &s->manifest.entry[i];
		int is_segment = e->kind == STATUS_KIND_SEGMENT;

		if (!is_there(to, e)) {
			/* The digests that a worker does not look at are looked at here, once. */
			if (is_segment)
				rc = status_segment_verify(&s->segment[segment]);
			if (rc == 0)
				rc = place(to, e->file, s->map[i], e->size);
		}
		segment += (size_t)is_segment;
	}
	return rc;
}

static int
accept_once(const struct status_files *f, int to, FILE *out)
{
	static struct status_set_files s;
	static struct status_manifest former;
	const char *high_file = f->high_water != NULL ? f->high_water : "high-water";
	uint8_t now[STATUS_MANIFEST_MAX];
	char text[32];
	ssize_t n = -1;
	int rc, fd;

	if ((rc = status_set_open(&s, f->folder, f->key)) != 0)
		return rc;
	if ((fd = openat(to, STATUS_MANIFEST_FILE, O_RDONLY | O_CLOEXEC)) >= 0) {
		n = read(fd, now, sizeof(now));
		close(fd);
	}
	if (n >= 0 && (size_t)n == s.len && memcmp(now, s.bytes, s.len) == 0)
		goto out;
	rc = ICERT_E_STALE;
	if (s.manifest.epoch < read_high(to, high_file))
		goto out;
	if ((rc = put_files(&s, to)) != 0 || (rc = place(to, STATUS_MANIFEST_FILE, s.bytes, s.len)) != 0)
		goto out;
	snprintf(text, sizeof(text), "%" PRIu64 "\n", s.manifest.epoch);
	rc = place(to, high_file, text, strlen(text));
	/* A former manifest that is not ours names nothing that must stay. */
	if (n < 0 || status_manifest_read(&former, now, (size_t)n, s.key) != 0)
		former.count = 0;
	sweep(to, high_file, &s.manifest, &former);
	fprintf(out, "epoch %" PRIu64 " accepted\n", s.manifest.epoch);
	fflush(out);
out:
	status_set_close(&s);
	return rc;
}

int
status_files_accept(const struct status_files *f, const char *to, int seconds, FILE *out)
{
	struct sigaction action = { .sa_handler = stop };
	struct timespec pause = { seconds, 0 };
	int dirfd, rc, told = 0;

	if ((dirfd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return complain("%s: %s", to, strerror(errno)) != 0;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	do {
		/* Between two files of a copy on its way a set is incomplete: it is tried again. */
		if ((rc = accept_once(f, dirfd, out)) != told && rc != 0)
			complain("%s: not accepted: %s", f->folder, icert_err_code(rc));
		told = rc;
		if (seconds > 0 && !stopping)
			nanosleep(&pause, NULL);
	} while (seconds > 0 && !stopping);
	close(dirfd);
	return rc == 0 ? 0 : 1;
}
