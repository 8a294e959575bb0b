#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "libicert/log.h"
#include "operate/process.h"
#include "operate/supervisor.h"

#define PAUSE_FIRST_MS 100	/* requests wait meanwhile: the sockets are ours */
#define PAUSE_MOST_MS 30000
#define STEADY_MS 10000		/* alive so long: earlier deaths are forgotten */
#define STOP_MS 8000
#define POLL_MS 20
#define ASK_MS 200		/* in one turn, of units that are not ready */
#define START_DEATHS 4		/* dying so often, it will not come up */

static sigset_t supervisor_set;

void
supervisor_signals(void)
{
	sigemptyset(&supervisor_set);
	sigaddset(&supervisor_set, SIGCHLD);
	sigaddset(&supervisor_set, SIGINT);
	sigaddset(&supervisor_set, SIGTERM);
	sigaddset(&supervisor_set, SIGHUP);
	sigprocmask(SIG_BLOCK, &supervisor_set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void
unit_init(struct unit *u, const char *name)
{
	memset(u, 0, sizeof(*u));
	snprintf(u->name, sizeof(u->name), "%s", name);
	u->stdin_fd = -1;
	u->stop_signal = SIGTERM;
}

void
unit_free(struct unit *u)
{
	int n;

	for (n = 0; n < UNIT_ARGS; n++)
		free(u->argv[n]);
	for (n = 0; n < UNIT_ENV; n++)
		free(u->env[n]);
	for (n = 0; n < u->nfds; n++)
		close(u->fds[n]);
	if (u->stdin_fd >= 0)
		close(u->stdin_fd);
	memset(u->argv, 0, sizeof(u->argv));
	memset(u->env, 0, sizeof(u->env));
	u->nfds = 0;
	u->stdin_fd = -1;
}

static int
unit_add(char **list, int max, const char *format, va_list ap)
{
	int n;

	for (n = 0; list[n] != NULL; n++)
		continue;
	if (n + 1 >= max || vasprintf(&list[n], format, ap) < 0) {
		list[n] = NULL;
		return complain("too many arguments");
	}
	return 0;
}

int
unit_arg(struct unit *u, const char *format, ...)
{
	va_list ap;
	int rc;

	va_start(ap, format);
	rc = unit_add(u->argv, UNIT_ARGS, format, ap);
	va_end(ap);
	return rc;
}

int
unit_env(struct unit *u, const char *format, ...)
{
	va_list ap;
	int rc;

	va_start(ap, format);
	rc = unit_add(u->env, UNIT_ENV, format, ap);
	va_end(ap);
	return rc;
}

/* What `icertctl status` reads: a line a unit; and the file "ready", there while
 * all of them are up, which nginx shows as /readyz. */
static void
supervisor_write_state(const struct supervisor *s)
{
	char path[FILES_PATH], ready[FILES_PATH];
	char *text = NULL;
	int k, all = s->n > 0;
	size_t size;
	FILE *out;

	if ((out = open_memstream(&text, &size)) == NULL)
		return;
	for (k = 0; k < s->n; k++) {
		const struct unit *u = &s->units[k];

		fprintf(out, "%s %ld %s %d\n", u->name, (long)u->pid,
		    u->pid == 0 ? "down" : u->is_ready ? "up" : "starting", u->restarts);
		all &= u->is_ready;
	}
	fclose(out);
	if (path_join(ready, "%s/ready", s->instance->run) == 0) {
		if (!all)
			unlink(ready);
		else if (!file_exists(ready))
			file_write(ready, "ok\n", 3, 0, 0, 0644);
	}
	if (path_join(path, "%s/state", s->instance->run) == 0)
		file_write(path, text, size, 0, 0, 0644);
	free(text);
}

int
supervisor_listen(struct supervisor *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[FILES_PATH];
	int one = 1;

	s->notify_fd = -1;
	if (path_join(path, "%s/notify", s->instance->run) != 0 || strlen(path) >= sizeof(address.sun_path))
		return complain("%s/notify is too long for a socket", s->instance->run);
	memcpy(address.sun_path, path, strlen(path) + 1);
	unlink(path);
	s->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Open to all of this machine: what counts is the kernel's word for whose process it is. */
	if (s->notify_fd < 0 || bind(s->notify_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(path, 0666) != 0 || setsockopt(s->notify_fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) != 0)
		return complain("%s: %s", path, strerror(errno));
	return 0;
}

/* What units have said of themselves. */
static void
supervisor_hear(struct supervisor *s)
{
	union { char bytes[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
	char text[256];
	struct iovec part = { text, sizeof(text) - 1 };
	struct ucred who;
	struct cmsghdr *c;
	ssize_t n;
	int k;

	for (;;) {
		struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
		    .msg_controllen = sizeof(control.bytes) };

		if ((n = recvmsg(s->notify_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0)
			return;
		text[n] = '\0';
		c = CMSG_FIRSTHDR(&m);
		if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(c), sizeof(who));
		for (k = 0; k < s->n; k++)
			if (s->units[k].pid == who.pid && strcmp(text, "READY=1") == 0)
				s->units[k].told = 1;
	}
}

static int
unit_log(const struct supervisor *s, const struct unit *u)
{
	char path[FILES_PATH];
	int fd;

	if (path_join(path, "%s/log/%s.log", s->instance->data, u->name) != 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		complain("%s: %s", path, strerror(errno));
	return fd;
}

static int
unit_launch(const struct supervisor *s, struct unit *u)
{
	struct process_spec spec = {
		.argv = (const char *const *)u->argv,
		.env = (const char *const *)u->env,
		.user = u->as_admin ? NULL : &u->user,
		.stdin_fd = u->stdin_fd,
		.niceness = u->niceness,
		.nfds = u->nfds,
		.fdnames = u->fdnames,
	};
	pid_t pid;

	if ((spec.log_fd = unit_log(s, u)) < 0)
		return -1;
	memcpy(spec.fds, u->fds, sizeof(u->fds));
	pid = process_start(&spec);
	close(spec.log_fd);
	if (pid < 0)
		return -1;
	u->pid = pid;
	u->started = clock_mono_ms();
	u->restart_at = 0;
	u->is_ready = 0;
	u->told = 0;
	return 0;
}

struct unit *
supervisor_start(struct supervisor *s, const struct unit *u)
{
	struct unit *mine;

	if (s->n == UNITS_MAX) {
		struct unit unused = *u;

		complain("too many programs");
		unit_free(&unused);
		return NULL;
	}
	mine = &s->units[s->n];
	*mine = *u;
	if (unit_launch(s, mine) != 0) {
		unit_free(mine);
		return NULL;
	}
	s->n++;
	supervisor_write_state(s);
	return mine;
}

/* Take note of every child that ended; plan its restart. */
static void
supervisor_reap(struct supervisor *s)
{
	int status, k, changed = 0;
	int64_t now = clock_mono_ms();
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (k = 0; k < s->n && s->units[k].pid != pid; k++)
			continue;
		if (k == s->n)
			continue;
		struct unit *u = &s->units[k];

		kill(-pid, SIGKILL);	/* what it may have left behind */
		u->pid = 0;
		u->is_ready = 0;
		changed = 1;
		if (s->stopping)
			continue;
		if (now - u->started > STEADY_MS)
			u->restarts = 0;
		int64_t pause = PAUSE_FIRST_MS << (u->restarts < 7 ? u->restarts : 7);

		u->restarts++;
		u->restart_at = now + (pause > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause);
		log_warn("program_died", "%s: %s %d; again in %lld ms", u->name,
		    WIFEXITED(status) ? "exit" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		    (long long)(u->restart_at - now));
	}
	if (changed)
		supervisor_write_state(s);
}

static void
supervisor_restart(struct supervisor *s)
{
	int64_t now = clock_mono_ms();
	int k, n, changed = 0;

	supervisor_hear(s);
	for (k = 0; k < s->n; k++) {
		struct unit *u = &s->units[k];

		if (u->pid == 0 && u->restart_at != 0 && u->restart_at <= now) {
			if (unit_launch(s, u) != 0)
				u->restart_at = now + PAUSE_MOST_MS;
			changed = 1;
		}
	}
	/* Who does not answer takes a second of asking; the next turn goes on with the next, and starts whoever died meanwhile. */
	for (n = 0; n < s->n && clock_mono_ms() - now < ASK_MS; n++) {
		struct unit *u = &s->units[s->asked++ % (unsigned)s->n];

		if (u->pid != 0 && !u->is_ready && (u->ready != NULL ?
		    u->ready(s->instance, u) : u->told)) {
			u->is_ready = 1;
			changed = 1;
		}
	}
	if (changed)
		supervisor_write_state(s);
}

/* One turn of the loop: 1 when a signal asks to stop. */
static int
supervisor_turn(struct supervisor *s, int ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000 };
	int sig = sigtimedwait(&supervisor_set, NULL, &wait);

	supervisor_reap(s);
	if (sig == SIGINT || sig == SIGTERM)
		return 1;
	supervisor_restart(s);
	return 0;
}

int
supervisor_wait_ready(struct supervisor *s, int ms)
{
	int64_t end = clock_mono_ms() + ms;
	int k, waiting, hopeless = 0;

	while (!hopeless) {
		if (supervisor_turn(s, POLL_MS))
			return -2;
		for (k = waiting = 0; k < s->n; k++) {
			if (s->units[k].is_ready)
				continue;
			waiting++;
			hopeless |= s->units[k].restarts >= START_DEATHS;
		}
		if (waiting == 0)
			return 0;
		if (clock_mono_ms() >= end)
			break;
	}
	for (k = 0; k < s->n; k++)
		if (!s->units[k].is_ready)
			complain("%s is not ready; see %s/log/%s.log", s->units[k].name,
			    s->instance->data, s->units[k].name);
	return -1;
}

static int
supervisor_waiting(const struct supervisor *s)
{
	int k;

	for (k = 0; k < s->n; k++)
		if (!s->units[k].is_ready)
			return 1;
	return 0;
}

void
supervisor_watch(struct supervisor *s)
{
	while (!supervisor_turn(s, supervisor_waiting(s) ? 100 : 1000))
		continue;
}

static void
unit_stop(struct supervisor *s, struct unit *u)
{
	int64_t end = clock_mono_ms() + STOP_MS;

	if (u->pid == 0)
		return;
	kill(u->pid, u->stop_signal);
	while (u->pid != 0 && clock_mono_ms() < end) {
		struct timespec wait = { 0, POLL_MS * 1000000 };

		sigtimedwait(&supervisor_set, NULL, &wait);
		supervisor_reap(s);
	}
	if (u->pid == 0)
		return;
	log_warn("program_killed", "%s did not leave in %d s", u->name, STOP_MS / 1000);
	kill(-u->pid, SIGKILL);
	kill(u->pid, SIGKILL);
	waitpid(u->pid, NULL, 0);
	u->pid = 0;
}

void
supervisor_stop(struct supervisor *s)
{
	int k;

	if (s->n == 0)
		return;
	s->stopping = 1;
	for (k = s->n - 1; k >= 0; k--)
		unit_stop(s, &s->units[k]);
	/* Before who waits for the end may start anew: the ports are the next one's. */
	for (k = 0; k < s->n; k++)
		unit_free(&s->units[k]);
	s->n = 0;
	supervisor_write_state(s);
	close(s->notify_fd);
}
