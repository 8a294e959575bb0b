/*
 * One file of the status store on its way to the disk: temporary name,
 * buffered appends, fsync, rename, fsync of the folder.  For the store's
 * writers only.
 */
#ifndef LIBICERT_STATUS_FILE_H
#define LIBICERT_STATUS_FILE_H

#include <stdatomic.h>
#include <stddef.h>

#include "libicert/status.h"

struct status_file {
	int	 dirfd;		/* the caller's */
	int	 fd;		/* -1: none open */
	char	 name[STATUS_FILE_MAX + 1];
	char	 temporary[STATUS_FILE_MAX + 8];
	unsigned char *buffer;
	size_t	 used;
	atomic_ullong written;	/* octets that are in the file, by appending; another thread may look */
	uint64_t under_way;	/* of them, told to go to the disk */
};

/* Opens the temporary file; a stale one of that name is replaced. */
int	status_file_open(struct status_file *, int dirfd, const char *name);

/* Opens a temporary file that is there, cut to its first size octets, to go on with it. */
int	status_file_reopen(struct status_file *, int dirfd, const char *name, uint64_t size);

/* Appends through a buffer; flush writes what is in it. */
int	status_file_append(struct status_file *, const void *, size_t);
int	status_file_flush(struct status_file *);

/* Sets the disk to work on all that was written, without waiting for it. */
void	status_file_hasten(struct status_file *);

/* Flush, fsync, rename to its name, fsync of the folder, close. */
int	status_file_commit(struct status_file *);

/* Closes, unlinks the temporary name, frees.  After commit: nothing. */
void	status_file_abort(struct status_file *);

#endif
