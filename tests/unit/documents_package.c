/* documents/package: the same members give the same octets and come back; what a stranger may not put in is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "documents/package.h"
#include "libicert/error.h"

static void
fill(struct package *p)
{
	memset(p, 0, sizeof(*p));
	buf_puts(package_add(p, "uno.txt"), "uno");
	assert_non_null(package_add(p, "dos/vacio.bin"));
	buf_put(package_add(p, "dos/tres.bin"), "\0\1\2", 3);
}

static void
round_trip(void **state)
{
	static struct package a, b, back;
	struct buf one = BUF_INIT, two = BUF_INIT;

	(void)state;
	fill(&a);
	fill(&b);
	assert_int_equal(package_write(&a, &one), 0);
	setenv("TZ", "Pacific/Kiritimati", 1);
	assert_int_equal(package_write(&b, &two), 0);
	unsetenv("TZ");
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.p, two.p, one.len);
	assert_int_equal(package_read(one.p, one.len, &back), 0);
	assert_int_equal(back.n, 3);
	assert_string_equal(buf_str((struct buf *)package_get(&back, "uno.txt")), "uno");
	assert_int_equal(package_get(&back, "dos/vacio.bin")->len, 0);
	assert_memory_equal(package_get(&back, "dos/tres.bin")->p, "\0\1\2", 3);
	assert_null(package_get(&back, "cuatro"));
	package_free(&back);
	/* Cut anywhere it is no archive, or one whose content is damaged. */
	for (size_t n = 0; n < one.len; n += 7) {
		assert_int_not_equal(package_read(one.p, n, &back), 0);
		package_free(&back);
	}
	package_free(&a);
	package_free(&b);
	buf_free(&one);
	buf_free(&two);
}

static void
names_that_are_refused(void **state)
{
	static const char *const names[] = { "", "/etc/passwd", "../a", "a/../b", "a//b", "a/", ".oculto", "a/.b", "ñ", "A", "a b", "a\\b" };
	static struct package p;

	(void)state;
	fill(&p);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(package_add(&p, names[i]));
	assert_null(package_add(&p, "uno.txt"));
	package_free(&p);
}

/* A name changed in the archive itself: what comes out has no way to leave. */
static void
an_archive_of_somebody_else(void **state)
{
	static struct package a, back;
	struct buf out = BUF_INIT;

	(void)state;
	fill(&a);
	assert_int_equal(package_write(&a, &out), 0);
	for (size_t i = 0; i + 7 <= out.len; i++)
		if (memcmp(out.p + i, "uno.txt", 7) == 0)
			memcpy(out.p + i, "../.txt", 7);
	assert_int_equal(package_read(out.p, out.len, &back), ICERT_E_MALFORMED);
	package_free(&back);
	package_free(&a);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(names_that_are_refused),
		cmocka_unit_test(an_archive_of_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
