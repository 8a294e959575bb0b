#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "libicert/status_file.h"
#include "operate/files.h"
#include "operate/status_files.h"
#include "operate/status_set.h"

#define HIGH_WATER "high-water"
#define REFUSED "refused"	/* there while what is offered is not taken: one line that says why */
#define CHUNK (1 << 20)

/* A folder that sets are offered in, and the one they are put in place in. */
struct acceptance {
	const struct status_files *files;
	const char *high_water;		/* name in the second */
	int from, to;
	uint8_t key[STATUS_SEAL_KEY];
	uint8_t bytes[STATUS_MANIFEST_MAX];	/* offered last */
	size_t len;
	struct status_manifest offered, former;
	int refused;			/* what was last found of it; 0: it is in place */
	int told, began;
};

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

/* The octets of an entry, as they will be read from: not where a copy may still be writing. */
static int
verify_copy(const struct status_file *f, const struct status_entry *e)
{
	struct status_segment segment;
	uint8_t md[STATUS_DIGEST];
	void *map = mmap(NULL, e->size, PROT_READ, MAP_SHARED, f->fd, 0);
	int rc;

	if (map == MAP_FAILED)
		return ICERT_E_SYSTEM;
	if (e->kind == STATUS_KIND_SEGMENT) {
		if ((rc = status_segment_init(&segment, map, e->size, e->digest)) == 0)
			rc = status_segment_verify(&segment);
	} else if (EVP_Digest(map, e->size, md, NULL, EVP_sha256(), NULL) != 1) {
		rc = ICERT_E_CRYPTO;
	} else {
		rc = memcmp(md, e->digest, sizeof(md)) == 0 ? 0 : ICERT_E_FORGED;
	}
	munmap(map, e->size);
	return rc;
}

static int
copy_octets(struct status_file *f, int in, uint64_t size)
{
	uint8_t *chunk = malloc(CHUNK);
	uint64_t at = 0;
	ssize_t n = 1;
	int rc = chunk == NULL ? ICERT_E_MEMORY : 0;

	while (rc == 0 && (n = read(in, chunk, CHUNK)) > 0 && (at += (uint64_t)n) <= size)
		rc = status_file_append(f, chunk, (size_t)n);
	free(chunk);
	return rc != 0 ? rc : n < 0 ? ICERT_E_SYSTEM : at == size ? status_file_flush(f) : ICERT_E_MISMATCH;
}

/* Copied, verified where it lies, renamed: whatever happens to the file it came from meanwhile. */
static int
take_file(const struct acceptance *a, const struct status_entry *e)
{
	int in = openat(a->from, e->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;
	struct status_file f = { .fd = -1 };
	struct stat st;

	if (in < 0)
		return ICERT_E_SYSTEM;
	if (fstat(in, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->size || e->size == 0) {
		close(in);
		return ICERT_E_MISMATCH;
	}
	if ((rc = status_file_open(&f, a->to, e->file)) == 0 && (rc = copy_octets(&f, in, e->size)) == 0 &&
	    (rc = verify_copy(&f, e)) == 0)
		rc = status_file_commit(&f);
	status_file_abort(&f);
	close(in);
	return rc;
}

static ssize_t
read_whole(int dirfd, const char *file, void *out, size_t room)
{
	int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, out, room);

	if (fd >= 0)
		close(fd);
	return n;
}

/* The highest epoch ever taken; a file that says none is no reason to take an older set. */
static int
read_high(const struct acceptance *a, uint64_t *high)
{
	char text[32] = "", *end;
	ssize_t n = read_whole(a->to, a->high_water, text, sizeof(text) - 1);

	*high = 0;
	if (n < 0)
		return errno == ENOENT ? 0 : ICERT_E_SYSTEM;
	*high = strtoull(text, &end, 10);
	return end != text && *end == '\n' ? 0 : ICERT_E_MALFORMED;
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

/* What neither the set that was just put in place nor the one before it names, and what was left half written. */
static void
sweep(const struct acceptance *a)
{
	int fd = dup(a->to);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (dir == NULL)
		return;
	rewinddir(dir);
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 && strcmp(d->d_name, STATUS_MANIFEST_FILE) != 0 &&
		    strcmp(d->d_name, a->high_water) != 0 && strcmp(d->d_name, REFUSED) != 0 &&
		    !named(&a->offered, d->d_name) && !named(&a->former, d->d_name))
			unlinkat(a->to, d->d_name, 0);
	closedir(dir);
}

/* Is what is offered newer than what is in place and than all that ever was?  1: it is the same. */
static int
compare(struct acceptance *a)
{
	uint8_t now[STATUS_MANIFEST_MAX];
	ssize_t n = read_whole(a->to, STATUS_MANIFEST_FILE, now, sizeof(now));
	uint64_t high;
	int rc;

	/* A former manifest that is not ours names nothing that must stay. */
	if (n < 0 || status_manifest_read(&a->former, now, (size_t)n, a->key) != 0)
		memset(&a->former, 0, sizeof(a->former));
	if (n >= 0 && (size_t)n == a->len && memcmp(now, a->bytes, a->len) == 0)
		return 1;
	if ((rc = read_high(a, &high)) != 0)
		return rc;
	if (a->offered.epoch < high || a->offered.epoch < a->former.epoch ||
	    (a->offered.epoch == a->former.epoch && a->offered.heartbeat < a->former.heartbeat))
		return ICERT_E_STALE;
	return 0;
}

static int
accept_once(struct acceptance *a, FILE *out)
{
	ssize_t n = read_whole(a->from, STATUS_MANIFEST_FILE, a->bytes, sizeof(a->bytes));
	char text[32];
	uint32_t i;
	int rc;

	a->len = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		return ICERT_E_SYSTEM;
	if ((rc = status_manifest_read(&a->offered, a->bytes, a->len, a->key)) != 0 || (rc = compare(a)) != 0)
		return rc > 0 ? 0 : rc;
	for (i = 0; i < a->offered.count && rc == 0; i++)
		if (!is_there(a->to, &a->offered.entry[i]))
			rc = take_file(a, &a->offered.entry[i]);
	if (rc != 0 || (rc = place(a->to, STATUS_MANIFEST_FILE, a->bytes, a->len)) != 0)
		return rc;
	sweep(a);
	if (a->offered.epoch == a->former.epoch)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64 "\n", a->offered.epoch);
	rc = place(a->to, a->high_water, text, strlen(text));
	fprintf(out, "epoch %" PRIu64 " accepted\n", a->offered.epoch);
	fflush(out);
	return rc;
}

/*
 * Tells the log, and /readyz of the edge by a file.  Between two files of a copy on its way a set is incomplete: what is
 * not whole at one look may be at the next, and is told when it is not then.
 */
static void
tell(struct acceptance *a, int rc, int again)
{
	char text[128];

	if (rc == 0) {
		/* A word of a former run goes too. */
		if (a->told != 0 || !a->began)
			unlinkat(a->to, REFUSED, 0);
		a->began = 1;
		a->told = a->refused = 0;
		return;
	}
	if (rc != a->told && (!again || rc == a->refused || (rc != ICERT_E_SYSTEM && rc != ICERT_E_MISMATCH))) {
		complain("%s: not accepted: %s", a->files->folder, icert_err_code(rc));
		snprintf(text, sizeof(text), "what is offered is refused: %s\n", icert_err_code(rc));
		place(a->to, REFUSED, text, strlen(text));
		a->told = rc;
	}
	a->refused = rc;
}

int
status_files_accept(const struct status_files *f, const char *to, int seconds, FILE *out)
{
	static struct acceptance a;
	struct sigaction action = { .sa_handler = stop };
	struct timespec pause = { seconds, 0 };
	int rc;

	a.files = f;
	a.high_water = f->high_water != NULL ? f->high_water : HIGH_WATER;
	if ((rc = status_key_read(f->key, a.key)) != 0)
		return complain("%s: %s", f->key, icert_err_code(rc)) != 0;
	if ((a.to = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return complain("%s: %s", to, strerror(errno)) != 0;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	do {
		/* A copy may be a folder that another has taken the place of. */
		a.from = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = a.from < 0 ? ICERT_E_SYSTEM : accept_once(&a, out);
		if (a.from >= 0)
			close(a.from);
		tell(&a, rc, seconds > 0);
		if (seconds > 0 && !stopping)
			nanosleep(&pause, NULL);
	} while (seconds > 0 && !stopping);
	close(a.to);
	return rc == 0 || seconds > 0 ? 0 : 1;
}
