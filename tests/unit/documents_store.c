#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "documents/store.h"
#include "libicert/error.h"

static char root[] = "/tmp/icert-documents-XXXXXX";
static char spool[64];
static struct document_store store;
static const uint8_t key[32] = "an unremarkable key of 32 bytes";
static const uint8_t other[32] = "another remarkable key, 32 bytes";

static int
setup(void **state)
{
	char path[128];

	(void)state;
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(spool, sizeof(spool), "%s/spool", root);
	snprintf(path, sizeof(path), "%s/0", spool);
	if (mkdir(spool, 0700) != 0 || mkdir(path, 0700) != 0)
		return -1;
	return document_store_open(&store, root, spool);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	document_store_close(&store);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void
path_of(const char *id, char out[128])
{
	snprintf(out, 128, "%s/%c%c/%s", root, id[0], id[1], id);
}

static void
round_trip(size_t len)
{
	uint8_t *bytes = calloc(1, len + 1);
	struct buf out = BUF_INIT;
	char id[ID_TEXT];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(document_put(&store, key, bytes, len, id), 0);
	assert_int_equal(document_get_bytes(&store, key, id, 1 << 22, &out), 0);
	assert_int_equal(out.len, len);
	if (len > 0)
		assert_memory_equal(out.p, bytes, len);
	buf_reset(&out);
	assert_int_equal(document_get_bytes(&store, other, id, 1 << 22, &out), ICERT_E_FORGED);
	assert_int_equal(document_drop(&store, id), 0);
	assert_int_equal(document_get_bytes(&store, key, id, 1 << 22, &out), ICERT_E_NOT_FOUND);
	assert_int_equal(document_drop(&store, id), 0);
	buf_free(&out);
	free(bytes);
}

static void
test_round_trip(void **state)
{
	(void)state;
	round_trip(0);
	round_trip(1);
	round_trip(STORE_CHUNK - 1);
	round_trip(STORE_CHUNK);
	round_trip(STORE_CHUNK + 1);
	round_trip(3 * STORE_CHUNK + 5);
}

/* The desk reads what the portal put, and puts beside it, as one of their group. */
static void
test_shared(void **state)
{
	mode_t before = umask(0077);
	char id[ID_TEXT], path[128];
	struct stat st;

	(void)state;
	assert_int_equal(document_put(&store, key, "x", 1, id), 0);
	assert_int_equal(umask(before), 0077);
	path_of(id, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0770);
	assert_int_equal(document_drop(&store, id), 0);
	assert_int_equal(rmdir(path), 0);
}

/* Nothing readable on the disk; a cut, a moved or a changed file does not open. */
static void
test_tampering(void **state)
{
	struct buf out = BUF_INIT;
	char id[ID_TEXT], second[ID_TEXT], a[128], b[128];
	uint8_t *bytes = calloc(1, 2 * STORE_CHUNK);
	struct stat st;
	uint8_t c;
	int fd;

	(void)state;
	memcpy(bytes, "MARCA QUE NO DEBE VERSE", 23);
	assert_int_equal(document_put(&store, key, bytes, 2 * STORE_CHUNK, id), 0);
	assert_int_equal(document_put(&store, key, bytes, 2 * STORE_CHUNK, second), 0);
	path_of(id, a);
	path_of(second, b);
	fd = open(a, O_RDWR);
	assert_int_equal(document_read(fd, 1 << 20, &out), 0);
	assert_null(memmem(out.p, out.len, "MARCA", 5));
	assert_int_equal(fstat(fd, &st), 0);

	/* Without its last chunk, exactly at the edge: the first was not the last one. */
	assert_int_equal(ftruncate(fd, 8 + 4 + 29 + STORE_CHUNK), 0);
	buf_reset(&out);
	assert_int_equal(document_get_bytes(&store, key, id, 1 << 20, &out), ICERT_E_FORGED);
	assert_int_equal(ftruncate(fd, 8 + 4 + 100), 0);
	buf_reset(&out);
	assert_int_equal(document_get_bytes(&store, key, id, 1 << 20, &out), ICERT_E_TRUNCATED);
	close(fd);

	/* Another file's bytes under this name. */
	unlink(a);
	assert_int_equal(link(b, a), 0);
	buf_reset(&out);
	assert_int_equal(document_get_bytes(&store, key, id, 1 << 20, &out), ICERT_E_FORGED);
	unlink(a);

	fd = open(b, O_RDWR);
	assert_int_equal(pread(fd, &c, 1, 5000), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, 5000), 1);
	close(fd);
	buf_reset(&out);
	assert_int_equal(document_get_bytes(&store, key, second, 1 << 20, &out), ICERT_E_FORGED);
	document_drop(&store, second);
	buf_free(&out);
	free(bytes);
}

static void
test_spool(void **state)
{
	static const char *const bad[] = { "abc", "/abc", "0/", "../etc/passwd", "0/../x", "0/.x", "./x", "0/a/b", "" };
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/0/file", spool);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(document_spool_open(&store, "0/file", &fd), 0);
	close(fd);
	assert_int_equal(document_spool_open(&store, "0/none", &fd), ICERT_E_NOT_FOUND);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(document_spool_open(&store, bad[i], &fd), ICERT_E_MALFORMED);
	snprintf(path, sizeof(path), "%s/0/link", spool);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(document_spool_open(&store, "0/link", &fd), ICERT_E_NOT_FOUND);
	snprintf(path, sizeof(path), "%s/0/pipe", spool);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(document_spool_open(&store, "0/pipe", &fd), ICERT_E_MALFORMED);
}

static void
test_limit(void **state)
{
	struct buf out = BUF_INIT;
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/0/big", spool);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_int_equal(ftruncate(fd, 2097153), 0);
	assert_int_equal(document_read(fd, 2097152, &out), ICERT_E_TOO_LARGE);
	assert_int_equal(ftruncate(fd, 2097152), 0);
	buf_reset(&out);
	assert_int_equal(document_read(fd, 2097152, &out), 0);
	assert_int_equal(out.len, 2097152);
	close(fd);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_spool), cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
