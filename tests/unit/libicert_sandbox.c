/*
 * Rights that are dropped, each tried in a child.  The filter of system calls is left out of builds with
 * sanitizers, so what it stops is only tried in a build without them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libicert/sandbox.h"
#include "libicert/sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char inside[64], outside[64];

/* The exit status of a child that does this; 256 + the signal when it was killed. */
static int
in_child(int (*what)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(what());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int
setup(void **state)
{
	(void)state;
	strcpy(inside, "/tmp/icert-unit-XXXXXX");
	strcpy(outside, "/tmp/icert-unit-XXXXXX");
	return mkdtemp(inside) == NULL || mkdtemp(outside) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", inside, outside);
	return system(command);
}

static int
create_in(const char *folder)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : errno;
}

static int
confined(void)
{
	struct sandbox s = { .rights = SANDBOX_FILES, .writable = { inside } };

	if (sandbox_enter(&s) != 0)
		return 1;
	if (create_in(inside) != 0)
		return 2;
	if (create_in(outside) != EACCES || open("/etc/passwd", O_RDONLY) >= 0)
		return 3;
	return 0;
}

static void
only_its_folder(void **state)
{
	(void)state;
	if (!sandbox_has_folders())
		skip();
	assert_int_equal(in_child(confined), 0);
}

static int
readable_only(void)
{
	struct sandbox s = { .rights = SANDBOX_FILES, .readable = { inside } };
	int fd;

	if (create_in(inside) != 0 || sandbox_enter(&s) != 0)
		return 1;
	fd = openat(open(inside, O_RDONLY | O_DIRECTORY), "file", O_RDONLY);
	return fd < 0 ? 2 : create_in(inside) == EACCES ? 0 : 3;
}

static void
reading_is_not_writing(void **state)
{
	(void)state;
	if (!sandbox_has_folders())
		skip();
	assert_int_equal(in_child(readable_only), 0);
}

static int
limits(void)
{
	struct sandbox s = { .rights = SANDBOX_FORK, .descriptors = 20, .cpu_seconds = 5 };
	struct rlimit r;

	if (sandbox_enter(&s) != 0)
		return 1;
	/* A sanitizer looks for leaks as a tracer does. */
	if (!ICERT_SANITIZED && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 2;
	if (getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max != 0)
		return 3;
	for (int i = 0; i < 30; i++)
		if (memfd_create("x", 0) < 0)
			return errno == EMFILE ? 0 : 4;
	return 5;
}

static void
limits_hold(void **state)
{
	(void)state;
	assert_int_equal(in_child(limits), 0);
}

static int
missing_folder(void)
{
	struct sandbox s = { .rights = SANDBOX_FILES, .writable = { "/nonexistent" } };

	return sandbox_enter(&s) != 0 ? 0 : 1;
}

static void
a_folder_that_is_not_there(void **state)
{
	(void)state;
	if (!sandbox_has_folders())
		skip();
	assert_int_equal(in_child(missing_folder), 0);
}

static int
keep_some(void)
{
	int a = fcntl(0, F_DUPFD, 40), b = fcntl(0, F_DUPFD, 50), c = fcntl(0, F_DUPFD, 60);
	const int keep[] = { c, -1, a };

	if (sandbox_keep_only(keep, 3) != 0)
		return 1;
	if (fcntl(a, F_GETFD) < 0 || fcntl(c, F_GETFD) < 0 || fcntl(b, F_GETFD) >= 0)
		return 2;
	for (int fd = 3; fd < 100; fd++)
		if (fd != a && fd != c && fcntl(fd, F_GETFD) >= 0)
			return 3;
	return 0;
}

static void
descriptors_are_closed(void **state)
{
	(void)state;
	assert_int_equal(in_child(keep_some), 0);
}

#if !defined(__SANITIZE_ADDRESS__)
static void *
nothing(void *arg)
{
	return arg;
}

static int
start_thread(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, nothing, NULL);

	if (error == 0)
		pthread_join(thread, NULL);
	return error;
}

/* Threads where the right was kept, and no child with it. */
static int
threads_only(void)
{
	struct sandbox s = { .rights = SANDBOX_THREADS };

	if (sandbox_enter(&s) != 0 || start_thread() != 0)
		return 100;
	return fork() == -1 ? errno : 101;
}

static int
no_threads(void)
{
	struct sandbox s = { .rights = 0 };

	return sandbox_enter(&s) != 0 ? 100 : start_thread();
}

static int
calls_refused(void)
{
	struct sandbox s = { .rights = 0 };

	if (sandbox_enter(&s) != 0)
		return 1;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM)
		return 2;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 3;
	if (fork() >= 0)
		return 4;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 5;
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return 6;
	/* its own process it may signal, as abort() does, and no other */
	if (syscall(SYS_tgkill, getpid(), getpid(), 0) != 0)
		return 7;
	if (syscall(SYS_tgkill, getppid(), getppid(), 0) == 0 || errno != EPERM)
		return 8;
	return 0;
}

static int
call_exec(void)
{
	struct sandbox s = { .rights = SANDBOX_FORK };

	if (sandbox_enter(&s) != 0)
		return 1;
	execl("/bin/true", "true", (char *)NULL);
	return 2;
}

static void
system_calls(void **state)
{
	(void)state;
	assert_int_equal(in_child(calls_refused), 0);
	assert_int_equal(in_child(threads_only), EPERM);
	assert_int_equal(in_child(no_threads), EPERM);
	assert_int_equal(in_child(call_exec), 256 + SIGSYS);
}
#else
static void
system_calls(void **state)
{
	(void)state;
	skip();
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_its_folder),
		cmocka_unit_test(reading_is_not_writing),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_folder_that_is_not_there),
		cmocka_unit_test(descriptors_are_closed),
		cmocka_unit_test(system_calls)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
