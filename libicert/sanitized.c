#include "libicert/sanitized.h"

#include <unistd.h>

#if ICERT_SANITIZED
#include <sanitizer/lsan_interface.h>

#define LEAKED 23	/* LeakSanitizer's own exit code */

const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}

/* fontconfig keeps the elements of a pattern by their distance from it, which no search for pointers can see. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfontconfig.so\n";
}
#endif

_Noreturn void
leave(int status)
{
#if ICERT_SANITIZED
	if (__lsan_do_recoverable_leak_check() != 0)
		status = LEAKED;
#endif
	_exit(status);
}
