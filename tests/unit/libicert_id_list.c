/* The list that only grows: order, reading back, a torn end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libicert/id_list.h"

#define MANY 1000

static char folder[] = "/tmp/icert-unit-XXXXXX";
static char path[64];

static void
id_of(unsigned n, uint8_t out[16])
{
	memset(out, 0, 16);
	/* Not in the order of n. */
	out[0] = (uint8_t)(n * 37);
	out[1] = (uint8_t)(n >> 8);
	out[2] = (uint8_t)n;
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/list", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static off_t
size_of(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
keeps_what_was_added(void **state)
{
	struct id_list l;
	uint8_t id[16];

	(void)state;
	assert_int_equal(id_list_open_path(&l, path), 0);
	for (unsigned n = 0; n < MANY; n++) {
		id_of(n, id);
		assert_false(id_list_has(&l, 'a', id));
		assert_int_equal(id_list_add(&l, 'a', id), 0);
		assert_true(id_list_has(&l, 'a', id));
		assert_false(id_list_has(&l, 'b', id));
	}
	id_list_close(&l);
	assert_int_equal(size_of(), MANY * ID_LIST_ENTRY);
	assert_int_equal(id_list_open_path(&l, path), 0);
	for (unsigned n = 0; n < MANY; n++) {
		id_of(n, id);
		assert_true(id_list_has(&l, 'a', id));
		assert_int_equal(id_list_add(&l, 'a', id), 0);
	}
	id_list_close(&l);
	assert_int_equal(size_of(), MANY * ID_LIST_ENTRY);
}

static void
grows_at_its_end(void **state)
{
	uint8_t before[4 * ID_LIST_ENTRY], after[4 * ID_LIST_ENTRY], id[16];
	struct id_list l;
	int fd = open(path, O_RDONLY);

	(void)state;
	assert_int_equal(read(fd, before, sizeof(before)), sizeof(before));
	assert_int_equal(id_list_open_path(&l, path), 0);
	id_of(MANY, id);
	assert_int_equal(id_list_add(&l, 'z', id), 0);
	id_list_close(&l);
	assert_int_equal(pread(fd, after, sizeof(after), 0), sizeof(after));
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(pread(fd, after, sizeof(after), MANY * ID_LIST_ENTRY), ID_LIST_ENTRY);
	assert_int_equal(after[0], 'z');
	close(fd);
}

static void
cuts_a_torn_end(void **state)
{
	struct id_list l;
	uint8_t id[16];
	off_t whole = size_of();
	int fd = open(path, O_WRONLY | O_APPEND);

	(void)state;
	assert_int_equal(write(fd, "torn", 4), 4);
	close(fd);
	assert_int_equal(id_list_open_path(&l, path), 0);
	assert_int_equal(size_of(), whole);
	id_of(MANY + 1, id);
	assert_int_equal(id_list_add(&l, 'a', id), 0);
	id_list_close(&l);
	assert_int_equal(size_of(), whole + ID_LIST_ENTRY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_added),
		cmocka_unit_test(grows_at_its_end),
		cmocka_unit_test(cuts_a_torn_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
