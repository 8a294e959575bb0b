/*
 * The walls of the checker, with a parser in it that a file has taken over: it does what such a file would have
 * it do.  Each attempt is stopped, the answer says so, the server lives, and the next file is served.
 * Built without sanitizers, which need what the walls forbid.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "checker/walls.h"
#include "crypt/keyclient.h"
#include "key_server.h"
#include "libicert/error.h"
#include "libicert/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define SECONDS 3	/* the child's, by the clock: enough for all but those that never end */

/* What the parser does: 0 when it was kept from it, 1 when it had its way. */
static pid_t sibling;

static int
opens_files(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0 || open("/tmp/icert-stolen", O_CREAT | O_WRONLY, 0600) >= 0 ||
	    syscall(SYS_open, "/proc/self/environ", O_RDONLY) >= 0 || unlink("/tmp/icert-stolen") == 0;
}

static int
makes_sockets(void)
{
	int pair[2];

	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 || syscall(SYS_io_uring_setup, 1, NULL) >= 0;
}

static int
connects(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(25), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return connect(3, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static int
forks(void)
{
	return fork() >= 0 || vfork() >= 0 || syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 || syscall(SYS_clone3, NULL, 0) >= 0;
}

static int
executes(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 1;
}

static int
kills(void)
{
	return kill(getppid(), SIGKILL) == 0 || kill(sibling, SIGKILL) == 0 || kill(0, SIGKILL) == 0 || kill(-1, SIGKILL) == 0 ||
	    syscall(SYS_tgkill, getppid(), getppid(), SIGKILL) == 0 || syscall(SYS_tkill, getppid(), SIGKILL) == 0 ||
	    syscall(SYS_pidfd_open, getppid(), 0) >= 0;
}

static int
traces(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static int
writes_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0 ||
	    mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static int
lifts_limits(void)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_AS, &none) == 0 || setrlimit(RLIMIT_CPU, &none) == 0 || chdir("/tmp") == 0 || setuid(0) == 0;
}

/* Standard output and error are nowhere; all other numbers are closed, but its own two. */
static int
writes_everywhere(void)
{
	int reached = 0;

	for (int fd = 0; fd <= 2; fd++)
		reached |= write(fd, "taken over\n", 11) > 0;
	for (int fd = 3, open = 0; fd < 1024; fd++)
		reached |= fcntl(fd, F_GETFD) >= 0 && ++open > 2;
	return reached;
}

static int
hoards_descriptors(void)
{
	for (int i = 0; i < 1000; i++)
		if (dup(0) < 0)
			return 0;
	return 1;
}

/* Until malloc() says no: 0 is reached below the limit. */
static int
hoards_memory(void)
{
	for (size_t got = 0; got < (size_t)4 << 30; got += 1 << 20) {
		char *p = malloc(1 << 20);

		if (p == NULL)
			return 0;
		p[0] = p[1 << 19] = 1;
	}
	return 1;
}

static volatile int for_ever = 1;

static int
loops(void)
{
	while (for_ever)
		;
	return 1;
}

static int
sleeps(void)
{
	while (for_ever)
		pause();
	return 1;
}

static int
stops_itself(void)
{
	syscall(SYS_tgkill, getpid(), getpid(), SIGSTOP);
	return sleeps();
}

static int
overflows(void)
{
	volatile char *p = NULL;

	*p = 1;
	return 1;
}

static int
answers_rubbish(void)
{
	static const char rubbish[60000] = "rubbish";

	for (int fd = 3; fd < 64; fd++)
		if (send(fd, rubbish, sizeof(rubbish), 0) > 0)
			sleeps();
	return 1;
}

static int
leaves_without_a_word(void)
{
	_exit(0);
}

static const struct misdeed {
	const char *name;
	int (*does)(void);
	int answer;
} misdeeds[] = {
	{ "opens files", opens_files, ICERT_E_DENIED },
	{ "makes sockets", makes_sockets, ICERT_E_DENIED },
	{ "connects", connects, ICERT_E_CRASHED },
	{ "forks", forks, ICERT_E_DENIED },
	{ "executes", executes, ICERT_E_CRASHED },
	{ "kills", kills, ICERT_E_DENIED },
	{ "traces", traces, ICERT_E_CRASHED },
	{ "writes code", writes_code, ICERT_E_DENIED },
	{ "lifts limits", lifts_limits, ICERT_E_CRASHED },
	{ "writes everywhere", writes_everywhere, ICERT_E_DENIED },
	{ "hoards descriptors", hoards_descriptors, ICERT_E_DENIED },
	{ "hoards memory", hoards_memory, ICERT_E_DENIED },
	{ "loops", loops, ICERT_E_TIMEOUT },
	{ "sleeps", sleeps, ICERT_E_TIMEOUT },
	{ "stops itself", stops_itself, ICERT_E_TIMEOUT },
	{ "overflows", overflows, ICERT_E_CRASHED },
	{ "answers rubbish", answers_rubbish, ICERT_E_CRASHED },
	{ "leaves without a word", leaves_without_a_word, ICERT_E_CRASHED }
};

#define MISDEEDS (sizeof(misdeeds) / sizeof(misdeeds[0]))
#define GOOD 255

/* In the child, behind the walls of a release: the purpose says which misdeed; kept from it, it says so itself. */
static int
on_check(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	unsigned what = message_get(q->message, TAG_PURPOSE, 0)->p[0];

	(void)ctx;
	if (what != GOOD)
		return what < MISDEEDS && misdeeds[what].does() == 0 ? ICERT_E_DENIED : ICERT_E_INVALID;
	message_put(&r->body, TAG_TYPE, "\1", 1);
	for (uint16_t tag = TAG_WIDTH; tag <= TAG_DEVIATION; tag++)
		message_put_number(&r->body, tag, 7);
	return 0;
}

static const struct serve_op ops[] = {
	{ .op = OP_CHECK, .sockets = "checker-portal", .handler = on_check, .forked = 1, .seconds = SECONDS, .enter = checker_enter_child }
};
static const struct serve serve = { .ops = ops, .n = 1 };
static struct key_server server;

/* As programs/checker.c: sockets, walls, then strangers. */
static int
setup(void **state)
{
	static const char *const names[] = { "checker-portal" };

	(void)state;
	bind_server(&server, names, 1);
	if ((sibling = fork()) == 0) {
		alarm(120);
		for (;;)
			pause();
	}
	fflush(NULL);
	if ((server.pid = fork()) == 0) {
		alarm(120);
		_exit(sandbox_keep_only(server.sockets.fd, 1) == 0 && checker_enter() == 0 && serve_run(&serve, &server.sockets) == 0 ? 0 : 1);
	}
	return server.pid < 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(stop_server(&server), 0);
	kill(sibling, SIGKILL);
	assert_int_equal(waitpid(sibling, NULL, 0), sibling);
	remove_server(&server);
	return 0;
}

static int
check(struct keyclient *c, unsigned what)
{
	static struct message reply;
	uint8_t byte = (uint8_t)what;
	int file = memfd_create("in", MFD_CLOEXEC), fd = -1;
	struct buf b = BUF_INIT;
	int error;

	keyclient_begin(c, &b, OP_CHECK);
	message_put(&b, TAG_KIND, "\0", 1);
	message_put(&b, TAG_PURPOSE, &byte, 1);
	c->timeout_ms = 30000;
	error = keyclient_call(c, &b, file, &reply, &fd, 0);
	buf_free(&b);
	close(file);
	if (fd >= 0)
		close(fd);
	return error;
}

static void
each_misdeed_is_stopped(void **state)
{
	struct keyclient c;

	(void)state;
	keyclient_init(&c, server.path[0]);
	assert_int_equal(check(&c, GOOD), 0);
	for (unsigned i = 0; i < MISDEEDS; i++) {
		int answer = check(&c, i);

		if (answer != misdeeds[i].answer)
			fail_msg("it %s: %s, not %s", misdeeds[i].name, icert_err_code(answer), icert_err_code(misdeeds[i].answer));
		/* The server is the same one, and serves. */
		assert_int_equal(kill(server.pid, 0), 0);
		assert_int_equal(waitpid(server.pid, NULL, WNOHANG), 0);
		if (check(&c, GOOD) != 0)
			fail_msg("it %s: the next file is not served", misdeeds[i].name);
	}
	keyclient_close(&c);
	assert_int_equal(waitpid(sibling, NULL, WNOHANG), 0);
	assert_int_not_equal(access("/tmp/icert-stolen", F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_misdeed_is_stopped) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
