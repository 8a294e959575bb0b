#ifndef ICERT_OPERATE_SUPERVISOR_H
#define ICERT_OPERATE_SUPERVISOR_H
/*
 * The processes of one instance: started in order, watched, restarted with a
 * growing pause when they die, stopped in the opposite order.
 */
#include <stdint.h>
#include <sys/types.h>

#include "operate/instance.h"
#include "operate/users.h"

#define UNIT_ARGS 24
#define UNIT_ENV 8
#define UNIT_SOCKETS 6
#define UNITS_MAX 24

struct unit {
	char name[32];
	struct user user;
	int as_admin;			/* keeps the caller's rights (nginx master) */
	char *argv[UNIT_ARGS];		/* malloc'd */
	char *env[UNIT_ENV];		/* malloc'd */
	int stdin_fd;			/* -1: none */
	int niceness;
	int nfds;
	int fds[UNIT_SOCKETS];
	char fdnames[256];
	int stop_signal;		/* asks it to leave */
	/* Does it answer?  NULL: it says so itself (libicert/ready.h). */
	int (*ready)(const struct instance *, const struct unit *);

	pid_t pid;			/* 0 while it does not run */
	int restarts;
	int64_t started;		/* clock_mono_ms() */
	int64_t restart_at;		/* clock_mono_ms(); 0: not waiting */
	int is_ready;
	int told;			/* it has said that it works */
};

struct supervisor {
	struct instance *instance;
	struct unit units[UNITS_MAX];
	int n;
	unsigned asked;			/* whose turn it is to be asked whether it is ready */
	int stopping;
	int notify_fd;			/* where units say that they work */
	int64_t began;			/* clock_real() */
};

/*
 * Block the signals that the loop takes (SIGCHLD, SIGINT, SIGTERM, SIGHUP);
 * before anything is started.
 */
void	supervisor_signals(void);

/*
 * Open the socket at which units say that they work; before the first of them is
 * started.  0, or -1 after a message.
 */
int	supervisor_listen(struct supervisor *s);

/* Add a unit and start it at once.  u is copied; what is in it is taken over, and freed when the start fails. */
struct unit *supervisor_start(struct supervisor *s, const struct unit *u);

/* Wait up to ms until all units started so far answer; 0, -1 after naming those
 * that do not, or -2 when a signal asked to stop. */
int	supervisor_wait_ready(struct supervisor *s, int ms);

/* Watch until SIGINT or SIGTERM. */
void	supervisor_watch(struct supervisor *s);

/* Stop all, the last started first. */
void	supervisor_stop(struct supervisor *s);

/* The strings of one that is not started, and its sockets. */
void	unit_free(struct unit *u);

/* Helpers to fill a unit. */
void	unit_init(struct unit *u, const char *name);
int	unit_arg(struct unit *u, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));
int	unit_env(struct unit *u, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));

#endif
