#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "operate/control.h"
#include "operate/folders.h"

#define DOWN_MS 60000
#define POLL_MS 20

static int
control_path(const struct instance *i, char path[FILES_PATH])
{
	return path_join(path, "%s/lock", i->run);
}

long
control_running(const struct instance *i)
{
	char path[FILES_PATH], text[32] = "";
	ssize_t n;
	long pid = 0;
	int fd;

	if (control_path(i, path) != 0 || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		n = read(fd, text, sizeof(text) - 1);
		pid = n > 0 ? atol(text) : 1;
	}
	close(fd);
	return pid;
}

int
control_lock(const struct instance *i)
{
	char path[FILES_PATH];
	int fd;

	if (folder_make(i->run) != 0 || control_path(i, path) != 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return complain("%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return complain("the instance is being started or stopped elsewhere");
	}
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		close(fd);
		return complain("%s: %s", path, strerror(errno));
	}
	return fd;
}

int
control_down(const struct instance *i)
{
	int64_t end = clock_mono_ms() + DOWN_MS;
	struct timespec wait = { 0, POLL_MS * 1000000 };
	long pid = control_running(i);

	if (pid == 0) {
		printf("%s is not running\n", i->prefix);
		return 0;
	}
	if (pid == 1 || kill((pid_t)pid, SIGTERM) != 0)
		return complain("the supervisor of %s cannot be told: %s", i->prefix, strerror(errno));
	while (control_running(i) != 0) {
		if (clock_mono_ms() > end)
			return complain("the supervisor of %s (%ld) does not leave", i->prefix, pid);
		nanosleep(&wait, NULL);
	}
	printf("%s is down\n", i->prefix);
	return 0;
}

int
control_status(const struct instance *i)
{
	char path[FILES_PATH], name[64], state[16];
	long pid, supervisor = control_running(i);
	int restarts, bad = 0;
	FILE *in;

	if (!instance_exists(i)) {
		printf("%s is no instance: nothing was started there\n", i->prefix);
		return 3;
	}
	if (supervisor == 0) {
		printf("%s (port base %d) is down\n", i->prefix, i->port);
		return 3;
	}
	printf("%s (port base %d), supervisor %ld\n", i->prefix, i->port, supervisor);
	if (path_join(path, "%s/state", i->run) != 0 || (in = fopen(path, "r")) == NULL) {
		printf("  starting\n");
		return 1;
	}
	printf("  %-16s %8s  %-9s %s\n", "process", "pid", "state", "restarts");
	while (fscanf(in, "%63s %ld %15s %d", name, &pid, state, &restarts) == 4) {
		printf("  %-16s %8ld  %-9s %d\n", name, pid, state, restarts);
		bad |= strcmp(state, "up") != 0;
	}
	fclose(in);
	return bad;
}

int
control_reset(const struct instance *i)
{
	if (control_running(i) != 0 && control_down(i) != 0)
		return -1;
	if (instance_exists(i)) {
		if (folders_remove(i) != 0)
			return -1;
		printf("%s and all its data are removed\n", i->prefix);
		return 0;
	}
	/* A prefix that was removed by hand leaves these. */
	if ((tree_remove(i->run) | tree_remove(i->shm)) != 0)
		return -1;
	printf("%s holds no instance\n", i->prefix);
	return 0;
}
