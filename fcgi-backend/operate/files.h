#ifndef ICERT_OPERATE_FILES_H
#define ICERT_OPERATE_FILES_H
/*
 * Folders and files of an instance, for code that runs as the administrator.
 * Every function returns 0, or -1 after telling why on stderr (complain()).
 */
#include <stddef.h>
#include <sys/types.h>

#define FILES_PATH 1024

/* Tell the administrator what went wrong; returns -1. */
int	complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* out = the formatted path; -1 when it does not fit in FILES_PATH. */
int	path_join(char out[FILES_PATH], const char *format, ...)
	    __attribute__((format(printf, 2, 3)));

int	file_exists(const char *path);

/* Make the folder and those above it (0755), if it is not there. */
int	folder_make(const char *path);

/* Make the folder if it is not there, and give it owner, group and mode; as an
 * ordinary user owner and group are left alone.  A symbolic link in its place
 * is refused. */
int	folder_own(const char *path, uid_t owner, gid_t group, mode_t mode);

/* The whole file in malloc'd memory, with a NUL after it; NULL on failure. */
char	*file_read(const char *path, size_t *len);

/* Replace the file by these bytes: temporary name, fsync, rename. */
int	file_write(const char *path, const void *bytes, size_t len, uid_t owner,
	    gid_t group, mode_t mode);

/* Copy a file or a whole tree; plain files and folders only, links are
 * followed.  Readable by everybody, executable bits are kept. */
int	tree_copy(const char *from, const char *to);

/* Remove a file or a whole tree without following links; what is not there is no error. */
int	tree_remove(const char *path);

/* Can everybody pass through every folder of this path? */
int	path_traversable(const char *path);

#endif
