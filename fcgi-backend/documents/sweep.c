#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "documents/sweep.h"
#include "libicert/buf.h"
#include "libicert/error.h"

#define SHELVES 256

struct sweep {
	int shelf;
	int64_t before;
	int (*known)(void *, const char (*)[ID_TEXT], size_t, bool *);
	void *ctx;
	char ids[SWEEP_BATCH][ID_TEXT];
	size_t n;
	size_t *dropped;
};

static int
drop(struct sweep *s, const char *name)
{
	if (unlinkat(s->shelf, name, 0) == 0)
		(*s->dropped)++;
	else if (errno != ENOENT)
		return ICERT_E_SYSTEM;
	return 0;
}

static int
settle(struct sweep *s)
{
	bool known[SWEEP_BATCH] = { false };
	int error;

	if (s->n == 0)
		return 0;
	if ((error = s->known(s->ctx, s->ids, s->n, known)) != 0)
		return error;
	for (size_t i = 0; i < s->n && error == 0; i++)
		if (!known[i])
			error = drop(s, s->ids[i]);
	s->n = 0;
	return error;
}

/* "<id>" is asked about, "<id>.part" was never finished; other names are not ours. */
static int
look(struct sweep *s, const char *name)
{
	char id[ID_TEXT];
	struct stat st;

	if (strlen(name) < ID_TEXT - 1)
		return 0;
	memcpy(id, name, ID_TEXT - 1);
	id[ID_TEXT - 1] = '\0';
	if (!id_valid(id) || fstatat(s->shelf, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_mtime >= s->before)
		return 0;
	if (strcmp(name + ID_TEXT - 1, ".part") == 0)
		return drop(s, name);
	if (name[ID_TEXT - 1] != '\0')
		return 0;
	memcpy(s->ids[s->n++], id, ID_TEXT);
	return s->n == SWEEP_BATCH ? settle(s) : 0;
}

static int
sweep_shelf(struct sweep *s, int root, unsigned number)
{
	struct dirent *entry;
	const uint8_t byte = (uint8_t)number;
	char name[3];
	DIR *dir;
	int fd, error = 0;

	bytes_to_hex(name, &byte, 1);
	if ((fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return errno == ENOENT ? 0 : ICERT_E_SYSTEM;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return ICERT_E_SYSTEM;
	}
	s->shelf = dirfd(dir);
	while (error == 0 && (entry = readdir(dir)) != NULL)
		error = look(s, entry->d_name);
	if (error == 0)
		error = settle(s);
	s->n = 0;
	closedir(dir);
	return error;
}

int
document_sweep(const struct document_store *store, int64_t before,
    int (*known)(void *, const char (*)[ID_TEXT], size_t, bool *), void *ctx, size_t *dropped)
{
	struct sweep s = { .before = before, .known = known, .ctx = ctx, .dropped = dropped };
	int error = 0;

	*dropped = 0;
	/* A shelf that cannot be read keeps the others from nothing. */
	for (unsigned i = 0; i < SHELVES; i++) {
		int failed = sweep_shelf(&s, store->root, i);

		error = error != 0 ? error : failed;
	}
	return error;
}
