#ifndef ICERT_OPERATE_PROCESS_H
#define ICERT_OPERATE_PROCESS_H
/*
 * Starting another program with exactly the rights it is to have.
 */
#include <sys/types.h>

#include "operate/users.h"

#define PROCESS_FDS_MAX 8

struct process_spec {
	const char *const *argv;	/* argv[0] is an absolute path; NULL-terminated */
	const char *const *env;		/* added to PATH, LANG and TZ; NULL: nothing */
	const struct user *user;	/* NULL: the caller's own rights */
	int stdin_fd;			/* becomes fd 0; -1: /dev/null */
	int log_fd;			/* becomes fd 1 and 2; -1: inherited */
	int output_fd;			/* becomes fd 1 alone; 0: as log_fd says */
	int nfds;			/* passed as fd 3… with LISTEN_FDS */
	int fds[PROCESS_FDS_MAX];
	const char *fdnames;		/* LISTEN_FDNAMES, joined by colons; NULL when nfds is 0 */
	int niceness;			/* above the starter's */
	int keep_parent;		/* 0: gets SIGTERM when the starter dies */
};

/*
 * Fork and execute in a process group of its own, from folder "/", umask 027,
 * with no_new_privs.  Returns the pid; -1 after telling why.  A program that
 * cannot be executed exits with 127 after a line in its log.
 */
pid_t	process_start(const struct process_spec *spec);

/* Start, wait, and return the exit status (128 + signal when killed by one); -1
 * after telling why it could not be started. */
int	process_wait(const struct process_spec *spec);

/*
 * process_start() joined to the caller by pipes: what is written to *to the program reads, what it prints can be
 * read from *from.  NULL: as spec says.  The caller closes them.
 */
pid_t	process_piped(const struct process_spec *spec, int *to, int *from);

/* Wait for one that was started; the same exit status. */
int	process_join(pid_t pid);

/* process_wait() with the caller's rights and output, or the rights of user. */
int	process_call(const char *const *argv, const struct user *user);

#endif
