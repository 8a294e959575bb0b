#include "libicert/id_list.h"

#include "libicert/error.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_ROOM 64

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, ID_LIST_ENTRY);
}

static int
room(struct id_list *l, size_t n)
{
	size_t cap = l->cap == 0 ? FIRST_ROOM : l->cap;
	void *p;

	if (n <= l->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	p = reallocarray(l->entry, cap, ID_LIST_ENTRY);
	if (p == NULL)
		return ICERT_E_MEMORY;
	l->entry = p;
	l->cap = cap;
	return 0;
}

static int
load(struct id_list *l)
{
	struct stat st;
	size_t n, at = 0;
	ssize_t got;

	if (l->fd < 0 || fstat(l->fd, &st) != 0)
		return ICERT_E_SYSTEM;
	n = (size_t)st.st_size / ID_LIST_ENTRY;
	if ((size_t)st.st_size != n * ID_LIST_ENTRY && ftruncate(l->fd, (off_t)(n * ID_LIST_ENTRY)) != 0)
		return ICERT_E_SYSTEM;
	if (room(l, n + 1) != 0)
		return ICERT_E_MEMORY;
	while (at < n * ID_LIST_ENTRY) {
		got = pread(l->fd, (uint8_t *)l->entry + at, n * ID_LIST_ENTRY - at, (off_t)at);
		if (got <= 0)
			return ICERT_E_SYSTEM;
		at += (size_t)got;
	}
	l->n = n;
	qsort(l->entry, n, ID_LIST_ENTRY, compare);
	return 0;
}

int
id_list_open(struct id_list *l, int folder, const char *name)
{
	memset(l, 0, sizeof(*l));
	l->fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return load(l);
}

int
id_list_open_path(struct id_list *l, const char *path)
{
	return id_list_open(l, AT_FDCWD, path);
}

void
id_list_close(struct id_list *l)
{
	if (l->fd >= 0)
		close(l->fd);
	free(l->entry);
	memset(l, 0, sizeof(*l));
	l->fd = -1;
}

static void
make_entry(uint8_t out[ID_LIST_ENTRY], char kind, const uint8_t id[16])
{
	out[0] = (uint8_t)kind;
	memcpy(out + 1, id, 16);
}

int
id_list_has(const struct id_list *l, char kind, const uint8_t id[16])
{
	uint8_t entry[ID_LIST_ENTRY];

	make_entry(entry, kind, id);
	return l->n > 0 && bsearch(entry, l->entry, l->n, ID_LIST_ENTRY, compare) != NULL;
}

/* Where it belongs in the sorted list. */
static size_t
place_of(const struct id_list *l, const uint8_t entry[ID_LIST_ENTRY])
{
	size_t low = 0, high = l->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(l->entry[middle], entry, ID_LIST_ENTRY) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
id_list_add(struct id_list *l, char kind, const uint8_t id[16])
{
	uint8_t entry[ID_LIST_ENTRY];
	size_t at;

	if (id_list_has(l, kind, id))
		return 0;
	if (room(l, l->n + 1) != 0)
		return ICERT_E_MEMORY;
	make_entry(entry, kind, id);
	/* Written at the counted end, so that a torn earlier try is overwritten. */
	if (pwrite(l->fd, entry, ID_LIST_ENTRY, (off_t)(l->n * ID_LIST_ENTRY)) != ID_LIST_ENTRY || fdatasync(l->fd) != 0)
		return ICERT_E_SYSTEM;
	at = place_of(l, entry);
	memmove(l->entry + at + 1, l->entry + at, (l->n - at) * ID_LIST_ENTRY);
	memcpy(l->entry[at], entry, ID_LIST_ENTRY);
	l->n++;
	return 0;
}
