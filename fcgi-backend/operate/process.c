#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libicert/sanitized.h"
#include "operate/files.h"
#include "operate/process.h"

#define FIRST_PASSED_FD 3

_Noreturn static void
child_fail(const char *what)
{
	dprintf(STDERR_FILENO, "icertctl: %s: %s\n", what, strerror(errno));
	_exit(127);
}

static void
child_fds(const struct process_spec *spec)
{
	int kept[PROCESS_FDS_MAX], i, in = spec->stdin_fd, log = spec->log_fd, output = spec->output_fd;

	/* Out of the way first: a source may have the number of a target. */
	if (in < 0)
		in = open("/dev/null", O_RDONLY);
	in = fcntl(in, F_DUPFD, 64);
	if (log >= 0)
		log = fcntl(log, F_DUPFD, 64);
	if (output > 0)
		output = fcntl(output, F_DUPFD, 64);
	for (i = 0; i < spec->nfds; i++)
		if ((kept[i] = fcntl(spec->fds[i], F_DUPFD, 64)) < 0)
			child_fail("passing a socket");
	if (in < 0 || dup2(in, 0) < 0)
		child_fail("standard input");
	if (log >= 0 && (dup2(log, 1) < 0 || dup2(log, 2) < 0))
		child_fail("log");
	if (output != 0 && dup2(output, 1) < 0)
		child_fail("standard output");
	for (i = 0; i < spec->nfds; i++)
		if (dup2(kept[i], FIRST_PASSED_FD + i) < 0)
			child_fail("passing a socket");
	close_range((unsigned)(FIRST_PASSED_FD + spec->nfds), ~0U, 0);
}

/* How a sanitized build reports is for whoever started us to say; strings stay valid past clearenv(). */
static void
child_clear_env(void)
{
	static const char *const kept[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS" };
	const char *value[sizeof(kept) / sizeof(kept[0])] = { NULL };
	size_t i;

	for (i = 0; ICERT_SANITIZED && i < sizeof(kept) / sizeof(kept[0]); i++)
		value[i] = getenv(kept[i]);
	clearenv();
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (value[i] != NULL)
			setenv(kept[i], value[i], 1);
}

static void
child_env(const struct process_spec *spec)
{
	char text[32];
	int i;

	child_clear_env();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	setenv("HOME", "/", 1);
	if (spec->nfds > 0) {
		snprintf(text, sizeof(text), "%ld", (long)getpid());
		setenv("LISTEN_PID", text, 1);
		snprintf(text, sizeof(text), "%d", spec->nfds);
		setenv("LISTEN_FDS", text, 1);
		setenv("LISTEN_FDNAMES", spec->fdnames, 1);
	}
	for (i = 0; spec->env != NULL && spec->env[i] != NULL; i++)
		putenv((char *)(uintptr_t)spec->env[i]);
}

static void
child_rights(const struct process_spec *spec)
{
	const struct user *u = spec->user;

	if (u != NULL && geteuid() == 0 &&
	    (setgroups((size_t)u->ngroups, u->groups) != 0 ||
	    setresgid(u->gid, u->gid, u->gid) != 0 ||
	    setresuid(u->uid, u->uid, u->uid) != 0))
		child_fail("dropping rights");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		child_fail("no_new_privs");
}

pid_t
process_start(const struct process_spec *spec)
{
	pid_t parent = getpid(), pid;
	sigset_t none;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return complain("fork: %s", strerror(errno));
	if (pid > 0)
		return pid;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	umask(027);
	child_fds(spec);
	child_env(spec);
	if (chdir("/") != 0)
		child_fail("/");
	/* Above the starter's own, which may be anything; beyond the last it stays there. */
	errno = 0;
	if (spec->niceness > 0 && nice(spec->niceness) == -1 && errno != 0)
		child_fail("niceness");
	child_rights(spec);
	/* After the change of user, which would have cleared it. */
	if (!spec->keep_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(127);
	}
	execv(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
	child_fail(spec->argv[0]);
}

static void
close_both(int fds[2])
{
	int n;

	for (n = 0; n < 2; n++)
		if (fds[n] >= 0)
			close(fds[n]);
}

pid_t
process_piped(const struct process_spec *spec, int *to, int *from)
{
	struct process_spec with = *spec;
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	pid_t pid;

	if ((to != NULL && pipe2(in, O_CLOEXEC) != 0) || (from != NULL && pipe2(out, O_CLOEXEC) != 0)) {
		close_both(in);
		return complain("pipe: %s", strerror(errno));
	}
	/* One that ends early is told of by write(). */
	signal(SIGPIPE, SIG_IGN);
	if (to != NULL)
		with.stdin_fd = in[0];
	if (from != NULL)
		with.output_fd = out[1];
	if ((pid = process_start(&with)) < 0) {
		close_both(in);
		close_both(out);
		return -1;
	}
	if (to != NULL) {
		close(in[0]);
		*to = in[1];
	}
	if (from != NULL) {
		close(out[1]);
		*from = out[0];
	}
	return pid;
}

int
process_wait(const struct process_spec *spec)
{
	pid_t pid = process_start(spec);

	return pid < 0 ? -1 : process_join(pid);
}

int
process_join(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return complain("wait: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
process_call(const char *const *argv, const struct user *user)
{
	struct process_spec spec = { .argv = argv, .user = user, .stdin_fd = -1, .log_fd = -1 };

	return process_wait(&spec);
}
