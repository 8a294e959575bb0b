#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "libicert/siphash.h"
#include "libicert/status_write.h"
#include "libicert/status_format.h"

static const uint8_t	 seed[STATUS_SEAL_KEY] = "0123456789abcdef0123456789abcde";
static char		 folder[] = "/tmp/icert-status-XXXXXX";
static int		 dirfd;

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	dirfd = open(folder, O_RDONLY | O_DIRECTORY);
	return dirfd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	static const char	*const names[] = { "a.seg", "b.seg", "c.crl", "manifest" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(dirfd, names[i], 0);
	close(dirfd);
	return rmdir(folder);
}

/* The vectors of the SipHash paper's reference: key 00..0f, data 00..n-1. */
static void
test_siphash(void **state)
{
	uint8_t	key[16], data[16];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = data[i] = i;
	assert_true(siphash(key, data, 0) == 0x726fdb47dd0e0e31ULL);
	assert_true(siphash(key, data, 1) == 0x74f839c593dc67fdULL);
	assert_true(siphash(key, data, 8) == 0x93f5f5799a932462ULL);
	assert_true(siphash(key, data, 15) == 0xa129ca6149be45e5ULL);
}

/* Serial n as 4 octets, never with a leading zero. */
static void
serial_of(uint32_t n, uint8_t out[4])
{
	out[0] = (uint8_t)(0x40 | n >> 24);
	out[1] = (uint8_t)(n >> 16);
	out[2] = (uint8_t)(n >> 8);
	out[3] = (uint8_t)n;
}

static int
segment_write(const char *file, uint32_t records, struct status_entry *entry)
{
	struct status_writer	*w;
	int			 tail;

	assert_int_equal(status_writer_open(&w, dirfd, file, 7, 1, 9), 0);
	assert_int_equal(status_writer_issuer(w, "name0", 5, "key0", 4), 0);
	assert_int_equal(status_writer_issuer(w, "name1", 5, "key1", 4), 1);
	tail = status_writer_tail(w, "TAIL", 4);
	assert_int_equal(tail, 0);
	for (uint32_t i = 0; i < records; i++) {
		char			 sha1[16], sha256[16];
		uint8_t			 serial[5] = { 0 };
		struct status_record_in	 r = {
			.issuer = i & 1, .serial = serial, .serial_len = 5,
			.state = i % 10 == 3 ? STATUS_REVOKED : STATUS_GOOD,
			.reason = i % 10 == 3 ? 4 : STATUS_NO_REASON,
			.this_update = 1000, .next_update = 2000 + i, .revoked_at = i % 10 == 3 ? 900 : 0,
			.answer = { { sha1, 0, 0 }, { sha256, 0, 0 } },
		};

		serial_of(i, serial + 1);
		r.answer[0].len = (size_t)snprintf(sha1, sizeof(sha1), "one%u", i);
		r.answer[1].len = i % 7 == 0 ? 0 : (size_t)snprintf(sha256, sizeof(sha256), "two%u", i);
		assert_int_equal(status_writer_record(w, &r), 0);
	}
	return status_writer_finish(w, "base", entry);
}

static void
test_segment(void **state)
{
	struct status_entry	 entry;
	struct status_segment	 s;
	struct status_record	 r;
	const void		*map;
	uint8_t			 serial[4], name[32], key[32];
	char			 text[16];

	(void)state;
	assert_int_equal(segment_write("a.seg", 5000, &entry), 0);
	assert_string_equal(entry.name, "base");
	assert_int_equal(entry.next_update, 2000);
	assert_int_equal(status_map(dirfd, &entry, &map), 0);
	assert_int_equal(status_segment_init(&s, map, entry.size, entry.digest), 0);
	assert_int_equal(status_segment_verify(&s), 0);
	assert_int_equal(s.epoch, 7);
	assert_int_equal(s.records, 5000);
	assert_true(s.slots * 6 >= s.records * 10);

	SHA1((const void *)"name1", 5, name);
	SHA1((const void *)"key1", 4, key);
	assert_int_equal(status_segment_issuer(&s, STATUS_SHA1, name, key), 1);
	SHA256((const void *)"name0", 5, name);
	SHA256((const void *)"key0", 4, key);
	assert_int_equal(status_segment_issuer(&s, STATUS_SHA256, name, key), 0);
	key[31] ^= 1;
	assert_int_equal(status_segment_issuer(&s, STATUS_SHA256, name, key), -1);

	for (uint32_t i = 0; i < 5000; i++) {
		serial_of(i, serial);
		assert_int_equal(status_segment_find(&s, i & 1, serial, 4, &r), 1);
		snprintf(text, sizeof(text), "one%u", i);
		assert_int_equal(r.answer[0].head_len, strlen(text));
		assert_memory_equal(r.answer[0].head, text, strlen(text));
		assert_memory_equal(r.answer[0].tail, "TAIL", 4);
		assert_int_equal(r.answer[0].tail_len, 4);
		assert_int_equal(r.answer[1].head == NULL, i % 7 == 0);
		assert_int_equal(r.next_update, 2000 + i);
		assert_int_equal(r.state, i % 10 == 3 ? STATUS_REVOKED : STATUS_GOOD);
		assert_int_equal(r.reason, i % 10 == 3 ? 4 : STATUS_NO_REASON);
		assert_int_equal(r.revoked_at, i % 10 == 3 ? 900 : 0);
		/* Another issuer's certificate of that serial is another certificate. */
		assert_int_equal(status_segment_find(&s, !(i & 1), serial, 4, &r), 0);
		assert_int_equal(status_segment_find(&s, i & 1, serial, 3, &r), 0);
	}
	serial_of(5000, serial);
	assert_int_equal(status_segment_find(&s, 0, serial, 4, &r), 0);
	assert_int_equal(status_segment_find(&s, 2, serial, 4, &r), 0);
	status_unmap(map, entry.size);
}

/* The serial is not stored again where an answer holds it; both kinds are found and walked. */
static void
test_walk(void **state)
{
	static const uint8_t	 serial[] = { 0x71, 2, 3, 4 }, other[] = { 0x72, 2, 3, 4 };
	static const char	 held[] = "0 head with \x71\x02\x03\x04 within", bare[] = "\x72\x02\x03";
	struct status_record_in	 in = { .serial = serial, .serial_len = 4, .state = STATUS_GOOD,
		.reason = STATUS_NO_REASON, .this_update = 5, .next_update = STATUS_NEVER,
		.answer = { { held, sizeof(held), 0 } } };
	struct status_writer	*w;
	struct status_segment	 s;
	struct status_record	 r;
	struct status_entry	 entry;
	struct status_key	 key;
	const void		*map;
	uint64_t		 cursor = 0;

	(void)state;
	assert_int_equal(status_writer_open(&w, dirfd, "b.seg", 1, 0, 0), 0);
	assert_int_equal(status_writer_issuer(w, "n", 1, "k", 1), 0);
	assert_int_equal(status_writer_tail(w, "T", 1), 0);
	assert_int_equal(status_writer_record(w, &in), 0);
	in.serial = other;
	in.answer[0].head = bare;
	in.answer[0].len = sizeof(bare);
	in.state = STATUS_PENDING;
	in.next_update = 7;
	assert_int_equal(status_writer_record(w, &in), 0);
	in.this_update = -1;
	assert_int_equal(status_writer_record(w, &in), ICERT_E_TOO_LARGE);
	assert_int_equal(status_writer_finish(w, "base", &entry), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), 0);
	assert_int_equal(status_segment_init(&s, map, entry.size, entry.digest), 0);
	assert_int_equal(s.index_offset % 64, 0);
	assert_int_equal(status_segment_find(&s, 0, serial, 4, &r), 1);
	assert_true(r.next_update == STATUS_NEVER);
	assert_int_equal(r.answer[0].head_len, sizeof(held));
	assert_int_equal(status_segment_find(&s, 0, other, 4, &r), 1);
	assert_int_equal(r.state, STATUS_PENDING);
	assert_memory_equal(r.answer[0].head, bare, sizeof(bare));

	assert_int_equal(status_segment_next(&s, &cursor, &key, &r), 1);
	assert_int_equal(key.serial_len, 4);
	assert_memory_equal(key.serial, serial, 4);
	assert_in_range(key.serial - r.answer[0].head, 1, (int)sizeof(held));
	assert_int_equal(status_segment_next(&s, &cursor, &key, &r), 1);
	assert_memory_equal(key.serial, other, 4);
	assert_int_equal(status_segment_next(&s, &cursor, &key, &r), 0);
	status_unmap(map, entry.size);
}

static void
record_number(struct status_writer *w, uint32_t n)
{
	uint8_t			 serial[4];
	char			 head[] = "0 head ........ tail";
	struct status_record_in	 r = { .serial = serial, .serial_len = 4, .reason = STATUS_NO_REASON,
		.this_update = 10, .next_update = 20 + n, .answer = { { head, sizeof(head), 0 } } };

	serial_of(n, serial);
	memcpy(head + 7, serial, 4);
	assert_int_equal(status_writer_record(w, &r), 0);
}

/* Left after a mark and again by a crash: what came after the mark is made anew, and nothing twice. */
static void
test_resume(void **state)
{
	struct status_writer	*w;
	struct status_segment	 s;
	struct status_record	 r;
	struct status_entry	 entry;
	const void		*map;
	uint8_t			 serial[4], note[STATUS_NOTE_MAX];
	size_t			 len;
	int			 fd;

	(void)state;
	assert_int_equal(status_writer_resume(&w, dirfd, note, &len), ICERT_E_NOT_FOUND);
	assert_int_equal(status_writer_open(&w, dirfd, "b.seg", 3, 1, 2), 0);
	assert_int_equal(status_writer_issuer(w, "n", 1, "k", 1), 0);
	assert_int_equal(status_writer_tail(w, "tail", 4), 0);
	assert_int_equal(status_writer_tail(w, "tail", 4), 0);
	for (uint32_t n = 0; n < 1000; n++)
		record_number(w, n);
	assert_int_equal(status_writer_mark(w, "1000", 5), 0);
	for (uint32_t n = 1000; n < 1300; n++)
		record_number(w, n);
	status_writer_leave(w);

	assert_int_equal(status_writer_resume(&w, dirfd, note, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal((char *)note, "1000");
	assert_int_equal(status_writer_records(w), 1000);
	for (uint32_t n = 1000; n < 1500; n++)
		record_number(w, n);
	assert_int_equal(status_writer_finish(w, "base", &entry), 0);
	assert_int_equal(status_writer_resume(&w, dirfd, note, &len), ICERT_E_NOT_FOUND);
	assert_int_equal(status_map(dirfd, &entry, &map), 0);
	assert_int_equal(status_segment_init(&s, map, entry.size, entry.digest), 0);
	assert_int_equal(status_segment_verify(&s), 0);
	assert_int_equal(s.records, 1500);
	assert_int_equal(s.epoch, 3);
	assert_int_equal(s.min_next_update, 20);
	for (uint32_t n = 0; n < 1500; n++) {
		serial_of(n, serial);
		assert_int_equal(status_segment_find(&s, 0, serial, 4, &r), 1);
		assert_int_equal(r.next_update, 20 + n);
	}
	status_unmap(map, entry.size);

	/* One flipped octet of what was marked: it is not taken up. */
	assert_int_equal(status_writer_open(&w, dirfd, "b.seg", 3, 1, 2), 0);
	assert_int_equal(status_writer_issuer(w, "n", 1, "k", 1), 0);
	assert_int_equal(status_writer_tail(w, "tail", 4), 0);
	record_number(w, 7);
	assert_int_equal(status_writer_mark(w, "", 0), 0);
	status_writer_leave(w);
	fd = openat(dirfd, ".b.seg.new", O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, STATUS_HEADER_SIZE + 30), 1);
	close(fd);
	assert_int_equal(status_writer_resume(&w, dirfd, note, &len), ICERT_E_MALFORMED);
	status_writer_discard(dirfd);
	assert_int_equal(faccessat(dirfd, ".b.seg.new", F_OK, 0), -1);
	assert_int_equal(faccessat(dirfd, STATUS_MARK_FILE, F_OK, 0), -1);
}

static void
test_empty_segment(void **state)
{
	struct status_entry	 entry;
	struct status_segment	 s;
	struct status_record	 r;
	const void		*map;
	uint8_t			 serial[1] = { 5 };

	(void)state;
	assert_int_equal(segment_write("b.seg", 0, &entry), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), 0);
	assert_int_equal(status_segment_init(&s, map, entry.size, entry.digest), 0);
	assert_int_equal(status_segment_find(&s, 0, serial, 1, &r), 0);
	status_unmap(map, entry.size);
}

static void
test_duplicate_and_order(void **state)
{
	struct status_writer	*w;
	struct status_entry	 entry;
	uint8_t			 one[] = { 1 }, padded[] = { 0, 1 };
	struct status_record_in	 r = { .serial = one, .serial_len = 1, .reason = STATUS_NO_REASON };

	(void)state;
	assert_int_equal(status_writer_open(&w, dirfd, "b.seg", 1, 0, 0), 0);
	assert_int_equal(status_writer_record(w, &r), ICERT_E_TOO_LARGE);
	assert_int_equal(status_writer_issuer(w, "n", 1, "k", 1), 0);
	assert_int_equal(status_writer_record(w, &r), 0);
	r.serial = padded;
	r.serial_len = 2;
	assert_int_equal(status_writer_record(w, &r), 0);
	assert_int_equal(status_writer_finish(w, "base", &entry), ICERT_E_EXISTS);
	assert_int_equal(faccessat(dirfd, ".b.seg.new", F_OK, 0), -1);
	assert_int_equal(status_writer_open(&w, dirfd, "../b.seg", 1, 0, 0), ICERT_E_TOO_LARGE);
}

/* So many records that most are in the file before it is finished; the last one is the first again, where `twice` says so. */
static void
many(struct status_writer **w, unsigned n, int twice)
{
	static uint8_t		 head[4096];
	uint8_t			 serial[4];
	struct status_record_in	 r = { .serial = serial, .serial_len = sizeof(serial), .reason = STATUS_NO_REASON,
	    .answer[STATUS_SHA1] = { .head = head, .len = sizeof(head) } };

	assert_int_equal(status_writer_open(w, dirfd, "b.seg", 1, 0, 0), 0);
	assert_int_equal(status_writer_issuer(*w, "n", 1, "k", 1), 0);
	assert_int_equal(status_writer_tail(*w, "t", 1), 0);
	for (unsigned i = 1; i <= n; i++) {
		put32(serial, 0x80000001U + (twice && i == n ? 1 : i) * 0x10000U);
		assert_int_equal(status_writer_record(*w, &r), 0);
	}
}

static void
flip(off_t at)
{
	int	fd = openat(dirfd, ".b.seg.new", O_RDWR);
	uint8_t	octet;

	assert_int_equal(pread(fd, &octet, 1, at), 1);
	octet ^= 1;
	assert_int_equal(pwrite(fd, &octet, 1, at), 1);
	close(fd);
}

/* What is in the file is not what was written: whether it was read back on the way or at the end. */
static void
test_read_back(void **state)
{
	struct status_writer	*w;
	struct status_entry	 entry;

	(void)state;
	many(&w, 2000, 0);
	assert_int_equal(status_writer_read_back(w), 0);
	assert_int_equal(status_writer_finish(w, "base", &entry), 0);
	assert_int_equal(unlinkat(dirfd, "b.seg", 0), 0);
	many(&w, 2000, 0);
	flip(1000);
	assert_int_equal(status_writer_read_back(w), 0);
	assert_int_equal(status_writer_finish(w, "base", &entry), ICERT_E_FORGED);
	/* So few are read at the end alone. */
	many(&w, 100, 0);
	assert_int_equal(status_writer_read_back(w), 0);
	flip(100000);
	assert_int_equal(status_writer_finish(w, "base", &entry), ICERT_E_FORGED);
	assert_int_equal(faccessat(dirfd, ".b.seg.new", F_OK, 0), -1);
	many(&w, 3000, 1);
	assert_int_equal(status_writer_finish(w, "base", &entry), ICERT_E_EXISTS);
}

/* A flipped octet anywhere is noticed by the header's digest or by a section's. */
static void
test_damage(void **state)
{
	struct status_entry	 entry;
	struct status_segment	 s;
	const void		*map;
	uint8_t			*copy;

	(void)state;
	assert_int_equal(segment_write("a.seg", 40, &entry), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), 0);
	copy = malloc(entry.size);
	memcpy(copy, map, entry.size);
	for (uint64_t i = 0; i < entry.size; i++) {
		copy[i] ^= 0x10;
		if (status_segment_init(&s, copy, entry.size, entry.digest) == 0)
			assert_int_equal(status_segment_verify(&s), ICERT_E_FORGED);
		copy[i] ^= 0x10;
	}
	assert_int_equal(status_segment_init(&s, copy, entry.size - 1, entry.digest), ICERT_E_MISMATCH);
	assert_int_equal(status_segment_init(&s, copy, 100, NULL), ICERT_E_MALFORMED);
	free(copy);
	status_unmap(map, entry.size);
	entry.size--;
	assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_MISMATCH);
}

/* Cut at every 512 octets: also a manifest that names what is cut is not believed. */
static void
test_cut(void **state)
{
	struct status_entry	 entry;
	struct status_segment	 s;
	const void		*map;
	uint64_t		 whole;
	int			 fd;

	(void)state;
	assert_int_equal(segment_write("a.seg", 400, &entry), 0);
	whole = entry.size;
	assert_true(whole > 8 * 512);
	for (uint64_t size = (whole - 1) / 512 * 512; size > 0; size -= 512) {
		fd = openat(dirfd, "a.seg", O_WRONLY);
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		close(fd);
		entry.size = whole;
		assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_MISMATCH);
		entry.size = size;
		assert_int_equal(status_map(dirfd, &entry, &map), 0);
		assert_int_equal(status_segment_init(&s, map, size, entry.digest), ICERT_E_MISMATCH);
		status_unmap(map, size);
	}
}

/* What somebody else may write is not mapped, and nothing that is no file of the folder. */
static void
test_whose(void **state)
{
	struct status_entry	 entry;
	const void		*map;

	(void)state;
	assert_int_equal(segment_write("a.seg", 4, &entry), 0);
	assert_int_equal(fchmodat(dirfd, "a.seg", 0664, 0), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_DENIED);
	assert_int_equal(fchmodat(dirfd, "a.seg", 0646, 0), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_DENIED);
	assert_int_equal(fchmodat(dirfd, "a.seg", 0444, 0), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), 0);
	status_unmap(map, entry.size);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(dirfd, "a.seg", 65534, 65534, 0), 0);
		assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_DENIED);
		assert_int_equal(fchownat(dirfd, "a.seg", 0, 0, 0), 0);
	}
	assert_int_equal(renameat(dirfd, "a.seg", dirfd, "b.seg"), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_SYSTEM);
	assert_int_equal(symlinkat("b.seg", dirfd, "a.seg"), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_SYSTEM);
	assert_int_equal(unlinkat(dirfd, "a.seg", 0), 0);
	assert_int_equal(mkfifoat(dirfd, "a.seg", 0600), 0);
	assert_int_equal(status_map(dirfd, &entry, &map), ICERT_E_MISMATCH);
	assert_int_equal(unlinkat(dirfd, "a.seg", 0), 0);
}

static void
test_manifest(void **state)
{
	static struct status_manifest	 m, back;
	uint8_t				 bytes[STATUS_MANIFEST_MAX], public_key[STATUS_SEAL_KEY];
	size_t				 len = sizeof(bytes);
	const void			*map;

	(void)state;
	m.epoch = 12;
	m.heartbeat = 1700000000;
	assert_int_equal(segment_write("a.seg", 3, &m.entry[0]), 0);
	assert_int_equal(status_write_file(dirfd, STATUS_KIND_CRL, "icert.crl", "c.crl", "crl!", 4, 5, 6,
	    &m.entry[1]), 0);
	m.count = 2;
	assert_int_equal(status_manifest_seal(&m, seed, bytes, &len), 0);
	assert_int_equal(status_seal_public(seed, public_key), 0);
	assert_int_equal(status_manifest_read(&back, bytes, len, public_key), 0);
	assert_memory_equal(&back, &m, sizeof(m));
	assert_ptr_equal(status_manifest_entry(&back, "icert.crl"), &back.entry[1]);
	assert_null(status_manifest_entry(&back, "other"));
	assert_int_equal(status_map(dirfd, &back.entry[1], &map), 0);
	assert_memory_equal(map, "crl!", 4);
	status_unmap(map, 4);
	back.entry[1].digest[0] ^= 1;
	assert_int_equal(status_map(dirfd, &back.entry[1], &map), ICERT_E_FORGED);

	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= 1;
		assert_int_not_equal(status_manifest_read(&back, bytes, len, public_key), 0);
		bytes[i] ^= 1;
	}
	assert_int_not_equal(status_manifest_read(&back, bytes, len - 1, public_key), 0);
	public_key[0] ^= 1;
	assert_int_not_equal(status_manifest_read(&back, bytes, len, public_key), 0);

	len = 100;
	assert_int_equal(status_manifest_seal(&m, seed, bytes, &len), ICERT_E_TOO_LARGE);
	assert_int_equal(status_manifest_write(dirfd, &m, seed), 0);
	/* A name that leaves the folder is refused even under a good seal. */
	strcpy(m.entry[1].file, "../c.crl");
	len = sizeof(bytes);
	assert_int_equal(status_manifest_seal(&m, seed, bytes, &len), 0);
	public_key[0] ^= 1;
	assert_int_equal(status_manifest_read(&back, bytes, len, public_key), ICERT_E_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_segment),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_empty_segment),
		cmocka_unit_test(test_duplicate_and_order),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_manifest),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
