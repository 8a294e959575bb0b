/* Redis that is absent, frozen or wrong costs no more than its 20 ms, once in two seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "libicert/clock.h"
#include "libicert/log.h"
#include "store/cache.h"

#define LIMIT_MS 1000	/* sanitizers and a busy machine; who waited for an answer would wait for ever */

static char folder[] = "/tmp/icert-cache-XXXXXX";
static char path[64];

static int
setup(void **state)
{
	(void)state;
	log_level(LOG_LEVEL_ERROR);
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/redis", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

/* A socket that takes connections and never answers. */
static int
frozen(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	unlink(path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int64_t
time_of_get(struct cache *c)
{
	int64_t from = clock_mono_ms();
	char *value;
	size_t n;

	assert_false(cache_get(c, "k", &value, &n));
	assert_null(value);
	return clock_mono_ms() - from;
}

static void
test_none_configured(void **state)
{
	struct cache *c = cache_open(NULL);

	(void)state;
	assert_true(time_of_get(c) < LIMIT_MS);
	cache_set(c, "k", "v", 1, 10);
	assert_false(cache_del(c, "k"));
	cache_close(c);
	cache_close(NULL);
}

static void
test_absent(void **state)
{
	struct cache *c;

	(void)state;
	unlink(path);
	c = cache_open(path);
	assert_true(time_of_get(c) < LIMIT_MS);
	cache_close(c);
}

static void
test_frozen(void **state)
{
	int fd = frozen();
	struct cache *c = cache_open(path);
	int64_t first = time_of_get(c);
	int waited = 0;

	(void)state;
	assert_true(first >= 15 && first < LIMIT_MS);
	/* The breaker is open: a hundred calls cost nothing; a busy machine may hold up some of them. */
	for (int i = 0; i < 100; i++)
		waited += time_of_get(c) >= 15;
	assert_true(waited < 50);
	assert_false(cache_del(c, "k"));
	cache_close(c);
	close(fd);
}

/* Something that is not Redis answers: no value, and no crash. */
static void
test_strange_answer(void **state)
{
	int fd = frozen(), peer;
	struct cache *c = cache_open(path);
	char *value;
	size_t n;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
		char question[64];

		/* Once it was asked: who had gone before would be no answer at all. */
		peer = accept(fd, NULL, NULL);
		_exit(read(peer, question, sizeof question) > 0 && write(peer, answer, sizeof answer - 1) > 0 ? 0 : 1);
	}
	assert_false(cache_get(c, "k", &value, &n));
	cache_close(c);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_configured),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_strange_answer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
