#ifndef LIBICERT_ID_LIST_H
#define LIBICERT_ID_LIST_H

#include <stddef.h>
#include <stdint.h>

/*
 * A list of ids on disk that only grows: what was destroyed, sent or spent, and must not come
 * back with a restored database.  A file of entries of 17 bytes, kind and id, in the order in
 * which they were added, so that of two copies one always begins with the other.  All of it is
 * held in memory, sorted.  One process writes it.
 */
#define ID_LIST_ENTRY 17

struct id_list {
	int fd;			/* -1: not open */
	uint8_t (*entry)[ID_LIST_ENTRY];
	size_t n, cap;
};

/*
 * Opens, or makes (0600), the file of that name in a folder.  A torn last entry was never answered
 * for and is cut off.  ICERT_E_SYSTEM, ICERT_E_MEMORY; the list is then to be closed all the same.
 */
int id_list_open(struct id_list *, int folder, const char *name);
/* The same by its path. */
int id_list_open_path(struct id_list *, const char *path);
/* Takes a list that was never opened, with fd -1. */
void id_list_close(struct id_list *);

/* Adds an entry that is not there yet; 0 only when it is on the disk. */
int id_list_add(struct id_list *, char kind, const uint8_t id[16]);
int id_list_has(const struct id_list *, char kind, const uint8_t id[16]);

#endif
