#ifndef DOCUMENTS_PACKAGE_H
#define DOCUMENTS_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

/*
 * Files in one: a ZIP archive whose members are stored as they are (libarchive), without times and of one mode, so that the
 * same members give the same octets on every host.
 */
#define PACKAGE_FILES 40
#define PACKAGE_NAME 64
#define PACKAGE_MAX (64u << 20)	/* octets, of a package that is read and of what comes out of it */

struct package_file {
	char name[PACKAGE_NAME];	/* [a-z0-9.-], parts joined by one '/' */
	struct buf bytes;
};

struct package {
	struct package_file file[PACKAGE_FILES];
	size_t n;
};

/* An empty member of that name, to be written by the caller; NULL: too many, or no name for a member. */
struct buf *package_add(struct package *, const char *name);
/* The member of that name, NULL when there is none. */
const struct buf *package_get(const struct package *, const char *name);
void	package_free(struct package *);

/* Appends the archive.  ICERT_E_MEMORY, ICERT_E_INVALID: libarchive refused. */
int	package_write(const struct package *, struct buf *out);

/*
 * Reads one from a stranger's hands.  ICERT_E_MALFORMED: no such archive, a folder, a link, another form of name, the same name
 * twice; ICERT_E_TOO_LARGE; ICERT_E_MEMORY.  Freed also after an error.
 */
int	package_read(const void *bytes, size_t len, struct package *);

#endif
