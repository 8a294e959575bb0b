#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "libicert/status_writer.h"

/*
 * The mark of a segment being built: this, then the issuers, then for each tail its
 * length and octets, then SHA-256 of everything before.  Written and read on one
 * machine, by one program: a mark of another build is refused, not converted.
 */
#define MARK_MAGIC	"icertMRK"
#define MARK_VERSION	2U
#define MARK_MAX	(TAIL_MAX + 65536)

struct mark {
	char		magic[8];
	uint32_t	version;
	uint32_t	note_len;
	uint8_t		note[STATUS_NOTE_MAX];
	char		file[STATUS_FILE_MAX + 1];
	uint64_t	at, epoch, sequence_first, sequence_last, records;
	int64_t		this_update, min_next_update;
	uint8_t		seed[SIPHASH_SEED];
	uint8_t		digest[STATUS_DIGEST];	/* of the records so far */
	uint32_t	issuers, tails;
};

uint64_t
status_writer_size(const struct status_writer *w)
{
	return w->at;
}

uint64_t
status_writer_records(const struct status_writer *w)
{
	return w->slots;
}

static int
digest_so_far(const struct status_writer *w, uint8_t out[STATUS_DIGEST])
{
	EVP_MD_CTX	*copy = EVP_MD_CTX_new();
	int		 ok;

	ok = copy != NULL && EVP_MD_CTX_copy_ex(copy, w->record_digest) == 1 &&
	    EVP_DigestFinal_ex(copy, out, NULL) == 1;
	EVP_MD_CTX_free(copy);
	return ok ? 0 : ICERT_E_CRYPTO;
}

/* The mark, its length on return; out has room for MARK_MAX. */
static size_t
mark_encode(const struct status_writer *w, const struct mark *mark, uint8_t *out)
{
	size_t	at = sizeof(*mark);

	memcpy(out, mark, sizeof(*mark));
	memcpy(out + at, w->issuer, (size_t)w->issuers * SI_SIZE);
	at += (size_t)w->issuers * SI_SIZE;
	for (uint32_t i = 0; i < w->tails; i++) {
		put32(out + at, w->tail_len[i]);
		memcpy(out + at + 4, w->tail[i], w->tail_len[i]);
		at += 4 + w->tail_len[i];
	}
	SHA256(out, at, out + at);
	return at + STATUS_DIGEST;
}

int
status_writer_mark(struct status_writer *w, const void *note, size_t len)
{
	struct mark		 mark;
	struct status_file	 f = { .fd = -1 };
	uint8_t			*bytes = NULL;
	int			 rc;

	if (len > STATUS_NOTE_MAX)
		return ICERT_E_TOO_LARGE;
	memset(&mark, 0, sizeof(mark));
	memcpy(mark.magic, MARK_MAGIC, 8);
	mark.version = MARK_VERSION;
	mark.note_len = (uint32_t)len;
	memcpy(mark.note, note, len);
	memcpy(mark.file, w->file.name, strlen(w->file.name));
	mark.at = w->at;
	mark.epoch = w->epoch;
	mark.sequence_first = w->sequence_first;
	mark.sequence_last = w->sequence_last;
	mark.records = w->slots;
	mark.this_update = w->this_update;
	mark.min_next_update = w->min_next_update;
	memcpy(mark.seed, w->seed, sizeof(mark.seed));
	mark.issuers = w->issuers;
	mark.tails = w->tails;
	/* What the mark speaks of is on disk before the mark is. */
	if ((rc = digest_so_far(w, mark.digest)) != 0 || (rc = status_file_flush(&w->file)) != 0)
		return rc;
	if (fdatasync(w->file.fd) == -1)
		return ICERT_E_SYSTEM;
	if ((bytes = malloc(MARK_MAX)) == NULL)
		return ICERT_E_MEMORY;
	if ((rc = status_file_open(&f, w->file.dirfd, STATUS_MARK_FILE)) == 0 &&
	    (rc = status_file_append(&f, bytes, mark_encode(w, &mark, bytes))) == 0)
		rc = status_file_commit(&f);
	w->marked |= rc == 0;
	status_file_abort(&f);
	free(bytes);
	return rc;
}

static int
mark_read(int dirfd, uint8_t *bytes, size_t *len)
{
	int	fd = openat(dirfd, STATUS_MARK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t	n;

	if (fd == -1)
		return errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM;
	*len = 0;
	while ((n = read(fd, bytes + *len, MARK_MAX - *len)) > 0)
		*len += (size_t)n;
	close(fd);
	return n < 0 ? ICERT_E_SYSTEM : 0;
}

/* Fills the writer from a mark; what is in it was written by us and has its digest. */
static int
mark_decode(struct status_writer *w, const uint8_t *bytes, size_t len, struct mark *mark)
{
	uint8_t		md[STATUS_DIGEST];
	size_t		at = sizeof(*mark), end;
	uint32_t	n;

	if (len < sizeof(*mark) + STATUS_DIGEST)
		return ICERT_E_MALFORMED;
	end = len - STATUS_DIGEST;
	SHA256(bytes, end, md);
	memcpy(mark, bytes, sizeof(*mark));
	if (memcmp(md, bytes + end, sizeof(md)) != 0 || memcmp(mark->magic, MARK_MAGIC, 8) != 0 ||
	    mark->version != MARK_VERSION || mark->note_len > STATUS_NOTE_MAX ||
	    mark->file[STATUS_FILE_MAX] != '\0' || mark->issuers > STATUS_ISSUERS_MAX ||
	    mark->tails > STATUS_TAILS_MAX || (size_t)mark->issuers * SI_SIZE > end - at ||
	    mark->at < STATUS_HEADER_SIZE)
		return ICERT_E_MALFORMED;
	w->at = mark->at;
	w->epoch = mark->epoch;
	w->sequence_first = mark->sequence_first;
	w->sequence_last = mark->sequence_last;
	w->this_update = mark->this_update;
	w->min_next_update = mark->min_next_update;
	memcpy(w->seed, mark->seed, sizeof(w->seed));
	w->issuers = mark->issuers;
	memcpy(w->issuer, bytes + at, (size_t)w->issuers * SI_SIZE);
	at += (size_t)w->issuers * SI_SIZE;
	for (uint32_t i = 0; i < mark->tails; i++, at += n) {
		if (end - at < 4 || (n = get32(bytes + at)) > end - at - 4)
			return ICERT_E_MALFORMED;
		at += 4;
		if (status_writer_tail(w, bytes + at, n) != (int)i)
			return ICERT_E_MALFORMED;
	}
	return 0;
}

/* Walks the records that are there: their digest must be the mark's; the index is made of them again. */
static int
records_read(struct status_writer *w, const struct mark *mark)
{
	uint64_t	 end = w->at;
	uint8_t		*map, md[STATUS_DIGEST];
	uint32_t	 size;
	int		 rc = 0;

	if ((map = mmap(NULL, end, PROT_READ, MAP_SHARED, w->file.fd, 0)) == MAP_FAILED)
		return ICERT_E_SYSTEM;
	if (EVP_DigestUpdate(w->record_digest, map + STATUS_HEADER_SIZE, end - STATUS_HEADER_SIZE) != 1 ||
	    digest_so_far(w, md) != 0)
		rc = ICERT_E_CRYPTO;
	else if (memcmp(md, mark->digest, sizeof(md)) != 0)
		rc = ICERT_E_MALFORMED;
	for (w->at = STATUS_HEADER_SIZE; rc == 0 && w->at < end; w->at += size) {
		const uint8_t	*p = map + w->at;

		size = end - w->at >= SR_HEADER ? (uint32_t)get16(p + SR_SIZE) * SR_UNIT : 0;
		if (size < SR_HEADER || size > end - w->at || p[SR_SERIAL_LEN] > STATUS_SERIAL_MAX ||
		    (uint32_t)get16(p + SR_SERIAL) + p[SR_SERIAL_LEN] > size)
			rc = ICERT_E_MALFORMED;
		else
			rc = status_writer_slot(w, status_hash(w->seed, p[SR_ISSUER], p + get16(p + SR_SERIAL),
			    p[SR_SERIAL_LEN]));
	}
	munmap(map, end);
	return rc != 0 ? rc : w->slots == mark->records ? 0 : ICERT_E_MALFORMED;
}

int
status_writer_resume(struct status_writer **out, int dirfd, void *note, size_t *len)
{
	struct status_writer	*w = NULL;
	struct mark		 mark;
	uint8_t			*bytes;
	size_t			 n;
	int			 rc;

	*out = NULL;
	if ((bytes = malloc(MARK_MAX)) == NULL)
		return ICERT_E_MEMORY;
	if ((rc = mark_read(dirfd, bytes, &n)) != 0)
		goto out;
	rc = ICERT_E_MEMORY;
	if ((w = status_writer_new()) == NULL)
		goto out;
	if ((rc = mark_decode(w, bytes, n, &mark)) != 0 ||
	    (rc = status_file_reopen(&w->file, dirfd, mark.file, w->at)) != 0 ||
	    (rc = records_read(w, &mark)) != 0)
		goto out;
	if ((rc = status_back_begin(w)) != 0)
		goto out;
	memcpy(note, mark.note, mark.note_len);
	*len = mark.note_len;
	w->marked = 1;
	*out = w;
	w = NULL;
out:
	free(bytes);
	status_writer_abort(w);
	return rc;
}

void
status_writer_leave(struct status_writer *w)
{
	if (w != NULL && w->file.fd != -1) {
		close(w->file.fd);
		w->file.fd = -1;
	}
	status_writer_abort(w);
}

void
status_writer_discard(int dirfd)
{
	struct mark	 mark;
	uint8_t		*bytes = malloc(MARK_MAX);
	char		 name[STATUS_FILE_MAX + 8];
	size_t		 n;

	if (bytes != NULL && mark_read(dirfd, bytes, &n) == 0 && n >= sizeof(mark)) {
		memcpy(&mark, bytes, sizeof(mark));
		mark.file[STATUS_FILE_MAX] = '\0';
		if (strchr(mark.file, '/') == NULL) {
			snprintf(name, sizeof(name), ".%s.new", mark.file);
			unlinkat(dirfd, name, 0);
		}
	}
	free(bytes);
	unlinkat(dirfd, STATUS_MARK_FILE, 0);
}
