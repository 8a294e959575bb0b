#ifndef LIBICERT_SANDBOX_H
#define LIBICERT_SANDBOX_H

#include <stddef.h>

/*
 * Dropping rights.  A process that holds a secret, or that parses a stranger's file, opens what
 * it needs, drops every other right, and only then reads a byte from anyone.
 *
 * After sandbox_enter(): no new privileges; no core file, no ptrace by the same user; limits on memory, CPU and
 * descriptors; no memory that is executable and was not before; no socket is made or connected, no program started, no other process
 * signalled without SANDBOX_FORK; a
 * system call that is not in the list of its rights fails with EPERM, those of an attacker kill the process (seccomp-bpf); and with
 * SANDBOX_FILES only the named folders can be reached (Landlock, where the kernel has it).
 */
enum sandbox_right {
	SANDBOX_FILES = 1,	/* open, write, rename and unlink files below the folders */
	SANDBOX_FORK = 2,	/* fork children, and let them drop still more */
	SANDBOX_THREADS = 4	/* start threads, which have the same rights */
};

#define SANDBOX_FOLDERS 8

struct sandbox {
	unsigned rights;			/* of enum sandbox_right */
	const char *writable[SANDBOX_FOLDERS];	/* up to a NULL; must exist */
	const char *readable[SANDBOX_FOLDERS];
	size_t memory;				/* bytes of address space; 0: no limit */
	unsigned cpu_seconds;			/* 0: no limit */
	unsigned descriptors;			/* 0: 256 */
};

/*
 * Closes every descriptor above 2 that is not in keep (in any order; -1 is skipped).
 * 0 or ICERT_E_SYSTEM.
 */
int sandbox_keep_only(const int *keep, size_t n);

/*
 * Drops the rights, for this process and what it forks.  0, ICERT_E_SYSTEM or
 * ICERT_E_UNSUPPORTED (no seccomp): the caller must not go on.  In a build with sanitizers (libicert/sanitized.h) the
 * limit of memory, the filter and the ban on tracing are left out, and /proc can be read.
 */
int sandbox_enter(const struct sandbox *);

/*
 * 1 when this kernel confines files to folders (Landlock), 0 when the wall is missing: for the
 * list of missing walls that `up` prints.
 */
int sandbox_has_folders(void);

#endif
