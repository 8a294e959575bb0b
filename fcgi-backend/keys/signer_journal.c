#include "keys/signer_journal.h"
#include "libicert/error.h"
#include "libicert/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_TEXT 64
#define RECENT 65536		/* times kept for the ceilings */
#define REVOKED_LINE 512	/* revocations in one line */

static const char *const kind_names[] = { "begin", "certificate", "crl", "responder", "refused", "revoked" };

struct entry {
	struct journal_certificate c;	/* first: what the look-ups hand out */
	off_t der_at;			/* of its hexadecimal in the file */
	size_t der_hex;			/* digits */
};

/* Open addressing over the entries' numbers + 1; one table a key. */
enum { BY_CASE, BY_SERIAL, BY_SPKI, TABLES };

/* The last times at which something happened, a ring. */
struct recent {
	int64_t at[RECENT];
	size_t n;
};

struct journal {
	int fd;
	off_t size;
	uint64_t sequence;
	char last[HASH_TEXT + 1];
	uint8_t (*hashes)[32];		/* of every line */
	size_t hashes_room;
	struct entry *entries;
	size_t n, room;
	uint32_t *slots[TABLES];
	size_t slots_n;
	struct recent certificates, refusals;
	uint64_t crl_number;
	int64_t crl_time;
	struct revoked_list revoked;
};

static void
recent_add(struct recent *r, int64_t time)
{
	r->at[r->n++ % RECENT] = time;
}

static size_t
recent_since(const struct recent *r, int64_t since)
{
	size_t i, count = 0, most = r->n < RECENT ? r->n : RECENT;

	for (i = 0; i < most; i++)
		count += r->at[(r->n - 1 - i) % RECENT] >= since;
	return count;
}

static const uint8_t *
entry_key(const struct entry *e, int table, size_t *len)
{
	*len = table == BY_SPKI ? 32 : 16;
	return table == BY_CASE ? e->c.case_id : table == BY_SERIAL ? e->c.serial : e->c.spki;
}

static size_t
slot_of(const struct journal *j, const uint8_t *key)
{
	return (size_t)(get_u64le(key) * 0x9E3779B97F4A7C15ULL >> 16) & (j->slots_n - 1);
}

static void
slot_put(struct journal *j, int table, size_t i)
{
	size_t len, at = slot_of(j, entry_key(&j->entries[i], table, &len));

	while (j->slots[table][at] != 0)
		at = (at + 1) & (j->slots_n - 1);
	j->slots[table][at] = (uint32_t)(i + 1);
}

static const struct entry *
find(const struct journal *j, int table, const uint8_t *key)
{
	const struct entry *e;
	size_t len, at;

	if (j->n == 0)
		return NULL;
	for (at = slot_of(j, key); j->slots[table][at] != 0; at = (at + 1) & (j->slots_n - 1)) {
		e = &j->entries[j->slots[table][at] - 1];
		if (memcmp(entry_key(e, table, &len), key, table == BY_SPKI ? 32 : 16) == 0)
			return e;
	}
	return NULL;
}

static int
grow(struct journal *j)
{
	size_t room = j->room == 0 ? 256 : 2 * j->room, slots = 4 * room, i;
	struct entry *entries = realloc(j->entries, room * sizeof(*entries));
	int t;

	if (entries == NULL)
		return ICERT_E_MEMORY;
	j->entries = entries;
	j->room = room;
	j->slots_n = slots;
	for (t = 0; t < TABLES; t++) {
		free(j->slots[t]);
		if ((j->slots[t] = calloc(slots, sizeof(uint32_t))) == NULL)
			return ICERT_E_MEMORY;
		for (i = 0; i < j->n; i++)
			slot_put(j, t, i);
	}
	return 0;
}

static int
remember(struct journal *j, const struct entry *e)
{
	int t, error;

	if (find(j, BY_CASE, e->c.case_id) != NULL)
		return ICERT_E_FORGED;
	if (j->n == j->room && (error = grow(j)) != 0)
		return error;
	j->entries[j->n] = *e;
	for (t = 0; t < TABLES; t++)
		slot_put(j, t, j->n);
	j->n++;
	return 0;
}

/* The value of "name=" in a line, up to the next space; its length in *n. */
static const char *
word(const char *line, const char *name, size_t *n)
{
	char wanted[24];
	const char *at;

	snprintf(wanted, sizeof(wanted), " %s=", name);
	if ((at = strstr(line, wanted)) == NULL)
		return NULL;
	at += strlen(wanted);
	*n = strcspn(at, " ");
	return at;
}

static int
word_bytes(const char *line, const char *name, uint8_t *out, size_t size)
{
	char hex[129];
	size_t n;
	const char *at = word(line, name, &n);

	if (at == NULL || n != 2 * size || n >= sizeof(hex))
		return ICERT_E_FORGED;
	memcpy(hex, at, n);
	hex[n] = '\0';
	return bytes_from_hex(out, size, hex);
}

/* The revocations of a line; put into order when all lines are read. */
static int
take_revoked(struct journal *j, const char *line)
{
	uint8_t bytes[REVOKED_ENTRY];
	char hex[2 * REVOKED_ENTRY + 1];
	struct revoked r;
	const char *value;
	size_t n, at;
	int error;

	if ((value = word(line, "list", &n)) == NULL || n == 0 || n % (2 * REVOKED_ENTRY) != 0)
		return ICERT_E_FORGED;
	for (at = 0; at < n; at += 2 * REVOKED_ENTRY) {
		memcpy(hex, value + at, 2 * REVOKED_ENTRY);
		hex[2 * REVOKED_ENTRY] = '\0';
		if (bytes_from_hex(bytes, sizeof(bytes), hex) != 0)
			return ICERT_E_FORGED;
		revoked_decode(&r, bytes);
		if ((error = revoked_add(&j->revoked, &r)) != 0)
			return error;
	}
	return 0;
}

/* What a line says, once it is known to be linked. */
static int
take(struct journal *j, const char *line, off_t at, const char *kind, int64_t time)
{
	struct entry e;
	const char *value;
	size_t n;

	if (strcmp(kind, "refused") == 0)
		recent_add(&j->refusals, time);
	if (strcmp(kind, "crl") == 0) {
		if ((value = word(line, "number", &n)) == NULL)
			return ICERT_E_FORGED;
		j->crl_number = strtoull(value, NULL, 10);
		j->crl_time = time;
	}
	if (strcmp(kind, "revoked") == 0)
		return take_revoked(j, line);
	if (strcmp(kind, "certificate") != 0)
		return 0;
	recent_add(&j->certificates, time);
	if (word_bytes(line, "case", e.c.case_id, 16) != 0 || word_bytes(line, "serial", e.c.serial, 16) != 0 ||
	    word_bytes(line, "order", e.c.order, 32) != 0 || word_bytes(line, "spki", e.c.spki, 32) != 0 ||
	    (value = word(line, "der", &n)) == NULL)
		return ICERT_E_FORGED;
	e.der_at = at + (value - line);
	e.der_hex = n;
	return remember(j, &e);
}

/* The hash of one more line, before its number is counted. */
static int
keep_hash(struct journal *j, const char hash[HASH_TEXT + 1])
{
	size_t room = j->hashes_room == 0 ? 1024 : 2 * j->hashes_room;
	uint8_t (*hashes)[32];

	if (j->sequence == j->hashes_room) {
		if ((hashes = reallocarray(j->hashes, room, sizeof(*hashes))) == NULL)
			return ICERT_E_MEMORY;
		j->hashes = hashes;
		j->hashes_room = room;
	}
	return bytes_from_hex(j->hashes[j->sequence], 32, hash);
}

static int
hash_text(const char *text, size_t len, char out[HASH_TEXT + 1])
{
	uint8_t digest[32];

	if (EVP_Digest(text, len, digest, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	bytes_to_hex(out, digest, sizeof(digest));
	return 0;
}

/* One whole line, without its end and closed by a NUL. */
static int
read_line(struct journal *j, const char *line, size_t len, off_t at)
{
	char hash[HASH_TEXT + 1], kind[24];
	uint64_t sequence;
	int64_t time;

	if (len < 2 * HASH_TEXT + 2 || hash_text(line, len - HASH_TEXT, hash) != 0 ||
	    memcmp(hash, line + len - HASH_TEXT, HASH_TEXT) != 0)
		return ICERT_E_FORGED;
	if (memcmp(line + len - 2 * HASH_TEXT - 1, j->last, HASH_TEXT) != 0)
		return ICERT_E_FORGED;
	if (sscanf(line, "%" SCNu64 " %" SCNd64 " %23s", &sequence, &time, kind) != 3 || sequence != j->sequence + 1)
		return ICERT_E_FORGED;
	if (keep_hash(j, hash) != 0)
		return ICERT_E_MEMORY;
	memcpy(j->last, hash, sizeof(hash));
	j->sequence = sequence;
	return take(j, line, at, kind, time);
}

static int
read_all(struct journal *j)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	off_t at = 0;
	int copy = dup(j->fd), error = 0;
	FILE *file = copy < 0 ? NULL : fdopen(copy, "r");

	if (file == NULL) {
		if (copy >= 0)
			close(copy);
		return ICERT_E_SYSTEM;
	}
	while (error == 0 && (n = getline(&line, &size, file)) > 0) {
		if (line[n - 1] != '\n') {
			log_warn("journal_torn", "a last line without its end is cut off");
			if (ftruncate(j->fd, at) != 0)
				error = ICERT_E_SYSTEM;
			break;
		}
		line[n - 1] = '\0';
		error = read_line(j, line, (size_t)n - 1, at);
		at += n;
	}
	j->size = at;
	revoked_sort(&j->revoked);
	free(line);
	fclose(file);
	/* The ceremony wrote the first line: an empty file is a lost one. */
	return error == 0 && j->sequence == 0 ? ICERT_E_FORGED : error;
}

int
journal_make(const char *path, int64_t time)
{
	struct journal j = { .fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600) };
	int error;

	if (j.fd < 0)
		return errno == EEXIST ? ICERT_E_EXISTS : ICERT_E_SYSTEM;
	memset(j.last, '0', HASH_TEXT);
	error = journal_append(&j, JOURNAL_BEGIN, time, "");
	free(j.hashes);
	close(j.fd);
	return error;
}

int
journal_open(struct journal **out, const char *path)
{
	struct journal *j = calloc(1, sizeof(*j));
	int error;

	if (j == NULL)
		return ICERT_E_MEMORY;
	memset(j->last, '0', HASH_TEXT);
	j->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (j->fd < 0)
		error = errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM;
	else if (flock(j->fd, LOCK_EX | LOCK_NB) != 0)
		error = ICERT_E_BUSY;
	else
		error = read_all(j);
	if (error != 0) {
		journal_close(j);
		return error;
	}
	*out = j;
	return 0;
}

void
journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	if (j->fd >= 0)
		close(j->fd);
	for (int t = 0; t < TABLES; t++)
		free(j->slots[t]);
	revoked_free(&j->revoked);
	free(j->hashes);
	free(j->entries);
	free(j);
}

/* Writes the line and syncs it; a line that does not get there whole is taken back. */
static int
write_line(struct journal *j, enum journal_kind kind, int64_t time, const char *text, off_t *text_at)
{
	struct buf line = BUF_INIT;
	char hash[HASH_TEXT + 1];
	int error;

	buf_printf(&line, "%" PRIu64 " %" PRId64 " %s ", j->sequence + 1, time, kind_names[kind]);
	*text_at = j->size + (off_t)line.len;
	if (text[0] != '\0')
		buf_printf(&line, "%s ", text);
	buf_printf(&line, "%s ", j->last);
	if ((error = buf_error(&line)) == 0)
		error = hash_text(buf_str(&line), line.len, hash);
	if (error == 0) {
		buf_printf(&line, "%s\n", hash);
		error = buf_error(&line);
	}
	/* Room first: what is on disk must be in memory too. */
	if (error == 0)
		error = keep_hash(j, hash);
	/* Only a full disk takes a part of a line. */
	errno = ENOSPC;
	if (error == 0 && (write(j->fd, line.p, line.len) != (ssize_t)line.len || fsync(j->fd) != 0)) {
		error = icert_err_disk();
		if (ftruncate(j->fd, j->size) != 0)
			log_error("journal_broken", "a torn line could not be taken back");
	}
	if (error == 0) {
		j->size += (off_t)line.len;
		j->sequence++;
		memcpy(j->last, hash, sizeof(hash));
		if (kind == JOURNAL_REFUSED)
			recent_add(&j->refusals, time);
	}
	buf_free(&line);
	return error;
}

int
journal_append(struct journal *j, enum journal_kind kind, int64_t time, const char *text)
{
	off_t at;

	for (const char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return ICERT_E_INVALID;
	return write_line(j, kind, time, text, &at);
}

int
journal_certificate(struct journal *j, int64_t time, const struct journal_certificate *c, const uint8_t *der, size_t len)
{
	struct entry e = { .c = *c };
	struct buf text = BUF_INIT;
	size_t der_at;
	off_t at;
	int error;

	/* Room first: what is on disk must be in memory too. */
	if (j->n == j->room && (error = grow(j)) != 0)
		return error;
	buf_puts(&text, "case=");
	buf_hex(&text, c->case_id, 16);
	buf_puts(&text, " serial=");
	buf_hex(&text, c->serial, 16);
	buf_puts(&text, " order=");
	buf_hex(&text, c->order, 32);
	buf_puts(&text, " spki=");
	buf_hex(&text, c->spki, 32);
	buf_puts(&text, " der=");
	der_at = text.len;
	buf_hex(&text, der, len);
	if ((error = buf_error(&text)) == 0)
		error = write_line(j, JOURNAL_CERTIFICATE, time, buf_str(&text), &at);
	if (error == 0) {
		e.der_at = at + (off_t)der_at;
		e.der_hex = 2 * len;
		recent_add(&j->certificates, time);
		error = remember(j, &e);
	}
	buf_free(&text);
	return error;
}

int
journal_crl(struct journal *j, int64_t time, uint64_t number, size_t entries, const uint8_t digest[32])
{
	char text[128], hex[HASH_TEXT + 1];
	int error;

	bytes_to_hex(hex, digest, 32);
	snprintf(text, sizeof(text), "number=%" PRIu64 " entries=%zu sha256=%s", number, entries, hex);
	if ((error = journal_append(j, JOURNAL_CRL, time, text)) == 0) {
		j->crl_number = number;
		j->crl_time = time;
	}
	return error;
}

static int
revoked_line(struct journal *j, int64_t time, const struct revoked *r, size_t n)
{
	struct buf text = BUF_INIT, bytes = BUF_INIT;
	int error;
	size_t i;

	for (i = 0; i < n; i++)
		revoked_put(&bytes, &r[i]);
	buf_printf(&text, "entries=%zu list=", n);
	buf_hex(&text, bytes.p, bytes.len);
	if ((error = buf_error(&bytes)) == 0 && (error = buf_error(&text)) == 0)
		error = journal_append(j, JOURNAL_REVOKED, time, buf_str(&text));
	for (i = 0; i < n && error == 0; i++)
		error = revoked_add(&j->revoked, &r[i]);
	buf_free(&bytes);
	buf_free(&text);
	return error;
}

int
journal_revoked(struct journal *j, int64_t time, const struct revoked *r, size_t n)
{
	size_t at, now;
	int error = 0;

	for (at = 0; at < n && error == 0; at += now) {
		now = n - at < REVOKED_LINE ? n - at : REVOKED_LINE;
		error = revoked_line(j, time, r + at, now);
	}
	revoked_sort(&j->revoked);
	return error;
}

uint64_t
journal_state(const struct journal *j, uint8_t hash[32])
{
	memcpy(hash, j->hashes[j->sequence - 1], 32);
	return j->sequence;
}

int
journal_hash(const struct journal *j, uint64_t sequence, uint8_t hash[32])
{
	if (sequence == 0 || sequence > j->sequence)
		return ICERT_E_NOT_FOUND;
	memcpy(hash, j->hashes[sequence - 1], 32);
	return 0;
}

const struct journal_certificate *
journal_by_case(const struct journal *j, const uint8_t case_id[16])
{
	const struct entry *e = find(j, BY_CASE, case_id);

	return e == NULL ? NULL : &e->c;
}

const struct journal_certificate *
journal_by_spki(const struct journal *j, const uint8_t spki[32])
{
	const struct entry *e = find(j, BY_SPKI, spki);

	return e == NULL ? NULL : &e->c;
}

const struct journal_certificate *
journal_by_serial(const struct journal *j, const uint8_t serial[16])
{
	const struct entry *e = find(j, BY_SERIAL, serial);

	return e == NULL ? NULL : &e->c;
}

int
journal_read(const struct journal *j, const struct journal_certificate *c, struct buf *der)
{
	const struct entry *e = find(j, BY_CASE, c->case_id);
	char *hex;
	uint8_t *p;
	int error = ICERT_E_SYSTEM;

	if (e == NULL)
		return ICERT_E_NOT_FOUND;
	if ((hex = malloc(e->der_hex + 1)) == NULL)
		return ICERT_E_MEMORY;
	if (pread(j->fd, hex, e->der_hex, e->der_at) == (ssize_t)e->der_hex) {
		hex[e->der_hex] = '\0';
		p = buf_room(der, e->der_hex / 2);
		error = p == NULL ? buf_error(der) : bytes_from_hex(p, e->der_hex / 2, hex);
		if (error == 0)
			buf_took(der, e->der_hex / 2);
	}
	free(hex);
	return error;
}

size_t
journal_certificates_since(const struct journal *j, int64_t since)
{
	return recent_since(&j->certificates, since);
}

size_t
journal_refusals_since(const struct journal *j, int64_t since)
{
	return recent_since(&j->refusals, since);
}

uint64_t
journal_crl_number(const struct journal *j)
{
	return j->crl_number;
}

int64_t
journal_crl_time(const struct journal *j)
{
	return j->crl_time;
}

const struct revoked_list *
journal_revocations(const struct journal *j)
{
	return &j->revoked;
}
