#include "checker/walls.h"

#include "libicert/error.h"
#include "libicert/sandbox.h"
#include "libicert/sanitized.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY ((size_t)1024 << 20)
#define CHILD_MEMORY ((size_t)640 << 20)
#define CHILD_DESCRIPTORS 16

int
checker_enter(void)
{
	const struct sandbox sandbox = { .rights = SANDBOX_FORK, .memory = MEMORY };

	return sandbox_enter(&sandbox);
}

/*
 * A file that cannot grow stands in for 0, 1 and 2: libraries may write there what they like, and no
 * descriptor of theirs gets one of these numbers.  A sanitizer's report needs the log.
 */
static int
say_nothing(void)
{
	int sink;

	if (ICERT_SANITIZED)
		return 0;
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	sink = memfd_create("nowhere", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (sink != 0 || fcntl(sink, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL) != 0 ||
	    dup(sink) != 1 || dup(sink) != 2)
		return ICERT_E_SYSTEM;
	return 0;
}

int
checker_enter_child(void *ctx)
{
	struct sandbox sandbox = { .memory = CHILD_MEMORY, .cpu_seconds = CHECKER_CPU, .descriptors = CHILD_DESCRIPTORS };
	int error = say_nothing();

	(void)ctx;
	return error != 0 ? error : sandbox_enter(&sandbox);
}
