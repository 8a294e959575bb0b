#ifndef TESTS_KEY_SERVER_H
#define TESTS_KEY_SERVER_H

/*
 * A key process for a test: its sockets in a folder of their own, its loop in a child, its clock in shared
 * memory where the test moves it.
 */
#include "keys/serve.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct key_server {
	char folder[64];
	struct serve_sockets sockets;
	char path[SERVE_SOCKETS][128];
	pid_t pid;
};

static volatile int64_t *shared_time;

static inline int64_t
test_clock(void)
{
	return *shared_time;
}

static inline void
test_clock_start(int64_t now)
{
	void *p = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	shared_time = p;
	*shared_time = now;
}

/* Binds the sockets named; run_server() then serves them. */
static inline void
bind_server(struct key_server *s, const char *const names[], size_t n)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->folder, "/tmp/icert-unit-XXXXXX");
	if (mkdtemp(s->folder) == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		snprintf(s->path[i], sizeof(s->path[i]), "%s/%s", s->folder, names[i]);
		strcpy(address.sun_path, s->path[i]);
		strcpy(s->sockets.name[i], names[i]);
		if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 8) != 0)
			abort();
		s->sockets.fd[i] = fd;
	}
	s->sockets.n = n;
}

static inline void
run_server(struct key_server *s, const struct serve *serve)
{
	fflush(NULL);
	s->pid = fork();
	if (s->pid < 0)
		abort();
	if (s->pid == 0) {
		alarm(60);	/* never outlives a test that died */
		_exit(serve_run(serve, &s->sockets) == 0 ? 0 : 1);
	}
}

/* 0 when it ended as asked. */
static inline int
stop_server(struct key_server *s)
{
	int status = 1;

	kill(s->pid, SIGTERM);
	waitpid(s->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static inline void
remove_server(struct key_server *s)
{
	char command[128];

	for (size_t i = 0; i < s->sockets.n; i++)
		close(s->sockets.fd[i]);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->folder);
	if (system(command) != 0)
		abort();
}

#endif
