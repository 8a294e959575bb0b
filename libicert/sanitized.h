#ifndef LIBICERT_SANITIZED_H
#define LIBICERT_SANITIZED_H

/*
 * A build under AddressSanitizer, for tests alone (make B=build/asan SAN=address,undefined).  Its runtime maps terabytes
 * of shadow, reads /proc, and starts a thread that traces its own process to find leaks: what the walls of a release
 * forbid.  Each place that gives way asks here, at compile time.
 */
#if defined(__SANITIZE_ADDRESS__)
#define ICERT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ICERT_SANITIZED 1
#endif
#endif
#ifndef ICERT_SANITIZED
#define ICERT_SANITIZED 0
#endif

/*
 * _exit(2), for a forked child that must not run its parent's exit handlers.  Sanitized, it first tells what it
 * leaked, and leaves with status 23 then.
 */
_Noreturn void leave(int status);

#endif
