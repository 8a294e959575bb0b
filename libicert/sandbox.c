#include "libicert/sandbox.h"

#include "libicert/error.h"
#include "libicert/sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
compare(const void *a, const void *b)
{
	int x = *(const int *)a;
	int y = *(const int *)b;

	return x < y ? -1 : x > y;
}

int
sandbox_keep_only(const int *keep, size_t n)
{
	int sorted[128];
	unsigned from = 3;

	if (n > sizeof(sorted) / sizeof(sorted[0]))
		return ICERT_E_SYSTEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = keep[i];
	qsort(sorted, n, sizeof(sorted[0]), compare);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] < (int)from)
			continue;
		if (sorted[i] > (int)from && close_range(from, (unsigned)sorted[i] - 1, 0) != 0)
			return ICERT_E_SYSTEM;
		from = (unsigned)sorted[i] + 1;
	}
	return close_range(from, ~0u, 0) == 0 ? 0 : ICERT_E_SYSTEM;
}

static int
limit(int resource, rlim_t value)
{
	struct rlimit r = { value, value };
	struct rlimit now;

	/* A harder limit that is there already stays. */
	if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < value)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &r) == 0 ? 0 : ICERT_E_SYSTEM;
}

static int
set_limits(const struct sandbox *s)
{
	int error = limit(RLIMIT_CORE, 0);

	if (error == 0)
		error = limit(RLIMIT_NOFILE, s->descriptors == 0 ? 256 : s->descriptors);
	if (error == 0 && s->cpu_seconds > 0)
		error = limit(RLIMIT_CPU, s->cpu_seconds);
	if (error == 0 && s->memory > 0 && !ICERT_SANITIZED)
		error = limit(RLIMIT_AS, s->memory);
	return error;
}

/*
 * Landlock has no wrapper in the C library of Debian 12.
 */
#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR)
#define ALL_RIGHTS (READ_RIGHTS | WRITE_RIGHTS | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
	LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

int
sandbox_has_folders(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static int
allow_folder(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	long rc;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return ICERT_E_SYSTEM;
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc == 0 ? 0 : ICERT_E_SYSTEM;
}

static int
confine_to_folders(const struct sandbox *s)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = ALL_RIGHTS };
	int ruleset;
	int error = 0;

	if (!sandbox_has_folders())
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return ICERT_E_SYSTEM;
	for (size_t i = 0; error == 0 && i < SANDBOX_FOLDERS && s->writable[i] != NULL; i++)
		error = allow_folder(ruleset, s->writable[i], READ_RIGHTS | WRITE_RIGHTS);
	for (size_t i = 0; error == 0 && i < SANDBOX_FOLDERS && s->readable[i] != NULL; i++)
		error = allow_folder(ruleset, s->readable[i], READ_RIGHTS);
	/* Leaks are looked for in /proc/self. */
	if (error == 0 && ICERT_SANITIZED)
		error = allow_folder(ruleset, "/proc", READ_RIGHTS);
	if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		error = ICERT_E_SYSTEM;
	close(ruleset);
	return error;
}

/* What a server with open sockets needs to answer requests and to compute. */
static const int base_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(fcntl), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(ftruncate), SCMP_SYS(memfd_create),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(accept4), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mlock), SCMP_SYS(munlock),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(restart_syscall), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(exit), SCMP_SYS(exit_group)
};

static const int file_calls[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir), SCMP_SYS(getdents64), SCMP_SYS(flock), SCMP_SYS(fallocate), SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat), SCMP_SYS(chmod), SCMP_SYS(umask), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd)
};

static const int fork_calls[] = {
	SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(socketpair),
	SCMP_SYS(pipe2), SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(setrlimit), SCMP_SYS(prctl), SCMP_SYS(seccomp)
};

/* Nobody calls these by mistake. */
static const int fatal_calls[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setns),
	SCMP_SYS(unshare), SCMP_SYS(mount), SCMP_SYS(bpf), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load)
};

static int
add_calls(scmp_filter_ctx f, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(f, action, calls[i], 0) != 0)
			return -1;
	return 0;
}

#define CALLS(list) list, sizeof(list) / sizeof(list[0])

static int
fill_filter(scmp_filter_ctx f, unsigned rights)
{
	const struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp no_namespace = SCMP_A0(SCMP_CMP_MASKED_EQ,
	    CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 0);
	const struct scmp_arg_cmp a_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);

	if (add_calls(f, SCMP_ACT_ALLOW, CALLS(base_calls)) != 0 ||
	    add_calls(f, SCMP_ACT_KILL_PROCESS, CALLS(fatal_calls)) != 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, not_executable) != 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_executable) != 0)
		return -1;
	if ((rights & SANDBOX_FILES) && add_calls(f, SCMP_ACT_ALLOW, CALLS(file_calls)) != 0)
		return -1;
	/* clone3 hides its flags from a filter; without it the C library falls back to clone. */
	if ((rights & (SANDBOX_FORK | SANDBOX_THREADS)) &&
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) != 0)
		return -1;
	if ((rights & SANDBOX_THREADS) && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, a_thread) != 0)
		return -1;
	/* abort() signals its own process; a child that parses strangers' files signals no other of its user's. */
	if (!(rights & SANDBOX_FORK))
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (add_calls(f, SCMP_ACT_ALLOW, CALLS(fork_calls)) != 0)
		return -1;
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, no_namespace);
}

static int
load_filter(unsigned rights)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int ok;

	if (f == NULL)
		return ICERT_E_UNSUPPORTED;
	ok = seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 1) == 0 && fill_filter(f, rights) == 0 && seccomp_load(f) == 0;
	seccomp_release(f);
	return ok ? 0 : ICERT_E_UNSUPPORTED;
}

int
sandbox_enter(const struct sandbox *s)
{
	int error;

	if ((!ICERT_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ICERT_E_SYSTEM;
	error = set_limits(s);
	if (error == 0 && (s->rights & SANDBOX_FILES))
		error = confine_to_folders(s);
	if (error == 0 && !ICERT_SANITIZED)
		error = load_filter(s->rights);
	return error;
}
