#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/base.h"
#include "publish/base_source.h"

#define THREADS_MAX 16
#define BATCHES (2 * THREADS_MAX + 16)	/* more than are with the signer: it must not wait while the master marks */
#define MARK_MS 1000		/* as much signing may be lost */

/*
 * Batches go round: the master fills them in the order of serials, the workers have them signed in any order, the
 * master writes them in the first one again.
 */
enum batch_state { BATCH_FREE, BATCH_FILLED, BATCH_TAKEN, BATCH_DONE };

struct batch {
	enum batch_state state;
	int error;
	struct answers answers;
};

/* Where a build stands, for its mark. */
struct base_note {
	int64_t now;
	uint8_t after[16];
	uint8_t tails[8];	/* of the responders' certificates */
	uint32_t place;		/* of the CA at work */
	uint32_t reserved;
	char newest[STATUS_FILE_MAX + 1];	/* of the segments in place at the first beginning: what is written has seen no later one */
};

_Static_assert(sizeof(struct base_note) <= STATUS_NOTE_MAX, "a note has its place in the mark");

struct part {
	struct ocsp_template template;
	struct revocations revocations;
	unsigned number;
	int ended;
};

struct base {
	/* the order */
	char conninfo[512], socket[128];
	int has_conninfo;
	struct part part[ISSUERS_MAX];
	size_t parts;
	unsigned hashes, threads;
	int64_t validity, resume_within;
	uint64_t epoch;
	int dirfd;

	struct segments published;
	struct status_writer *writer;
	unsigned issuer, tail;		/* of the part at work, in the segment */
	struct base_note note;

	pthread_t master, worker[THREADS_MAX];
	unsigned workers;
	pthread_mutex_t lock;
	pthread_cond_t ready, done;
	struct batch batch[BATCHES];
	size_t ring;			/* batches in use */
	uint64_t filled, written;	/* the next that the master fills, writes */
	uint64_t taken;			/* the next that a worker takes */
	int over;			/* nothing more will be filled */
	int reading;			/* a worker reads back what was written */
	int unread;			/* what that ended with */
	atomic_int stop;
	atomic_ullong records;
	atomic_int finished;
	int error;
	struct status_entry entry;
};

/* One worker at a time reads back what the master has written, so that little is left to verify at the end; with the lock. */
static void
read_back(struct base *b)
{
	int error;

	if (b->reading || b->unread != 0)
		return;
	b->reading = 1;
	pthread_mutex_unlock(&b->lock);
	error = status_writer_read_back(b->writer);
	pthread_mutex_lock(&b->lock);
	b->unread = error;
	b->reading = 0;
}

static void *
work(void *arg)
{
	struct base *b = arg;
	struct keyclient signer;
	struct batch *batch;

	keyclient_init(&signer, b->socket);
	pthread_mutex_lock(&b->lock);
	for (;;) {
		batch = &b->batch[b->taken % b->ring];
		if (batch->state != BATCH_FILLED) {
			if (b->over)
				break;
			pthread_cond_wait(&b->ready, &b->lock);
			continue;
		}
		batch->state = BATCH_TAKEN;
		b->taken++;
		pthread_mutex_unlock(&b->lock);
		batch->error = answers_make(&batch->answers, &signer);
		pthread_mutex_lock(&b->lock);
		batch->state = BATCH_DONE;
		pthread_cond_signal(&b->done);
		read_back(b);
	}
	pthread_mutex_unlock(&b->lock);
	keyclient_close(&signer);
	return NULL;
}

static int
begin_writer(struct base *b)
{
	char file[STATUS_FILE_MAX + 1];
	struct base_note note;
	size_t len = 0;
	int error;

	error = status_writer_resume(&b->writer, b->dirfd, &note, &len);
	if (error == 0 && len == sizeof(note) && memcmp(note.tails, b->note.tails, sizeof(note.tails)) == 0 &&
	    note.place < b->parts && note.newest[STATUS_FILE_MAX] == '\0' && b->note.now - note.now < b->resume_within && note.now <= b->note.now) {
		b->note = note;
		log_info("base_resumed", "%" PRIu64 " certificates are there", status_writer_records(b->writer));
		return 0;
	}
	status_writer_abort(b->writer);
	b->writer = NULL;
	status_writer_discard(b->dirfd);
	snprintf(file, sizeof(file), "base-%016" PRIx64 "-%08" PRIx64, b->epoch, (uint64_t)b->note.now);
	return status_writer_open(&b->writer, b->dirfd, file, b->epoch, 0, 0);
}

static int
write_batch(struct base *b, struct batch *batch, int64_t *marked)
{
	struct answers *a = &batch->answers;
	int error = batch->error;

	if (error == 0)
		error = answers_write(a, b->writer, b->issuer, b->tail);
	if (error != 0)
		return error;
	memcpy(b->note.after, a->status[a->n - 1].serial, 16);
	atomic_store(&b->records, status_writer_records(b->writer));
	if (clock_mono_ms() - *marked < MARK_MS)
		return 0;
	error = status_writer_mark(b->writer, &b->note, sizeof(b->note));
	*marked = clock_mono_ms();
	return error;
}

static int
fill(struct base_source *source, struct answers *a, int *more)
{
	size_t room = answers_room(a);
	int found = 1;

	a->n = 0;
	while (a->n < room && (found = base_source_next(source, &a->status[a->n])) == 1)
		a->n++;
	*more = found == 1;
	return found < 0 ? found : 0;
}

/* Fills and writes until the source is dry and all that was filled is written. */
static int
run(struct base *b, struct base_source *source)
{
	int64_t marked = clock_mono_ms();
	struct batch *batch;
	int more = 1, error = 0;

	while (error == 0 && (more || b->written < b->filled)) {
		if (atomic_load(&b->stop)) {
			error = status_writer_mark(b->writer, &b->note, sizeof(b->note));
			return error != 0 ? error : ICERT_E_BUSY;
		}
		batch = &b->batch[b->filled % b->ring];
		if (more && b->filled - b->written < b->ring) {
			if ((error = fill(source, &batch->answers, &more)) != 0 || batch->answers.n == 0)
				continue;
			pthread_mutex_lock(&b->lock);
			batch->state = BATCH_FILLED;
			pthread_cond_signal(&b->ready);
			pthread_mutex_unlock(&b->lock);
			b->filled++;
			continue;
		}
		batch = &b->batch[b->written % b->ring];
		pthread_mutex_lock(&b->lock);
		while (batch->state != BATCH_DONE)
			pthread_cond_wait(&b->done, &b->lock);
		pthread_mutex_unlock(&b->lock);
		error = write_batch(b, batch, &marked);
		pthread_mutex_lock(&b->lock);
		batch->state = BATCH_FREE;
		pthread_mutex_unlock(&b->lock);
		b->written++;
	}
	return error;
}

/* Has this CA given its last answers, all of them? */
static int
is_final(struct base *b, size_t place)
{
	const struct segment *base = base_source_base(&b->published, place);
	struct status_record r;
	struct status_key key;
	uint64_t cursor;
	size_t i;

	if (base == NULL)
		return 0;
	for (i = 0; i < b->published.n; i++) {
		cursor = 0;
		while (status_segment_next(&b->published.at[i].s, &cursor, &key, &r) == 1)
			if ((int)key.issuer == b->published.at[i].issuer[place] &&
			    (&b->published.at[i] != base || r.state == STATUS_PENDING || r.next_update != STATUS_NEVER))
				return 0;
	}
	return 1;
}

static int
copy_part(struct base *b, size_t place)
{
	size_t last = b->published.n - 1;
	struct status_record r;
	struct status_key key;
	uint64_t cursor = 0;
	int found, error = 0;

	while (error == 0 && (found = status_segment_next(&b->published.at[last].s, &cursor, &key, &r)) != 0) {
		if (found < 0)
			return found;
		if ((int)key.issuer == b->published.at[last].issuer[place])
			error = segments_copy(&b->published, last, &key, &r, b->writer);
	}
	return error;
}

/* One CA's part, from where the note stands. */
static int
run_part(struct base *b, size_t place)
{
	struct part *part = &b->part[place];
	struct base_source source;
	size_t i;
	int error;

	/* A mark within would have to say where; such a part is a copy, and whole in seconds. */
	if (part->ended && is_final(b, place))
		return copy_part(b, place);
	memset(&source, 0, sizeof(source));
	if ((error = answers_begin(&part->template, b->writer, &b->issuer, &b->tail)) != 0)
		return error;
	for (i = 0; i < b->ring; i++) {
		b->batch[i].answers.template = &part->template;
		b->batch[i].answers.hashes = b->hashes;
		b->batch[i].answers.this_update = b->note.now;
		b->batch[i].answers.next_update = part->ended ? STATUS_NEVER :
		    answers_until(&part->template, b->note.now, b->validity);
	}
	error = base_source_open(&source, &b->published, place, part->number, &part->revocations,
	    b->has_conninfo ? b->conninfo : NULL, b->note.after);
	if (error == 0)
		error = run(b, &source);
	base_source_close(&source);
	return error;
}

static void
stop_workers(struct base *b)
{
	pthread_mutex_lock(&b->lock);
	b->over = 1;
	pthread_cond_broadcast(&b->ready);
	pthread_mutex_unlock(&b->lock);
	while (b->workers > 0)
		pthread_join(b->worker[--b->workers], NULL);
}

static void *
master(void *arg)
{
	struct base *b = arg;
	int error;

	if ((error = begin_writer(b)) != 0)
		goto out;
	while (b->workers < b->threads && error == 0)
		error = pthread_create(&b->worker[b->workers], NULL, work, b) == 0 ? (b->workers++, 0) : ICERT_E_SYSTEM;
	while (error == 0 && b->note.place < b->parts) {
		if ((error = run_part(b, b->note.place)) != 0)
			break;
		b->note.place++;
		memset(b->note.after, 0, sizeof(b->note.after));
	}
	stop_workers(b);
	if (error == 0)
		error = b->unread;
	if (error == 0) {
		error = status_writer_finish(b->writer, SEGMENT_BASE, &b->entry);
		b->writer = NULL;
	}
out:
	/* What the disk did not take is given back to it, rather than kept for going on: there may be no room but this. */
	if (error == ICERT_E_SYSTEM && b->writer != NULL) {
		status_writer_abort(b->writer);
		status_writer_discard(b->dirfd);
	} else
		status_writer_leave(b->writer);
	b->writer = NULL;
	b->error = error;
	atomic_store(&b->finished, 1);
	return NULL;
}

/* The template's octets are the caller's; a build outlives them. */
static int
copy_template(struct ocsp_template *to, const struct ocsp_template *from)
{
	*to = *from;
	buf_init(&to->tail);
	buf_init(&to->issuer_name);
	buf_init(&to->issuer_key);
	buf_put(&to->tail, from->tail.p, from->tail.len);
	buf_put(&to->issuer_name, from->issuer_name.p, from->issuer_name.len);
	buf_put(&to->issuer_key, from->issuer_key.p, from->issuer_key.len);
	if (buf_error(&to->tail) != 0 || buf_error(&to->issuer_name) != 0 || buf_error(&to->issuer_key) != 0)
		return ICERT_E_MEMORY;
	return 0;
}

/* The CAs' parts, the segments in place opened for them, and what a mark must agree with. */
static int
take_cas(struct base *b, const struct base_order *order)
{
	struct segments_ca names[ISSUERS_MAX];
	struct buf tails = BUF_INIT;
	uint8_t digest[32];
	size_t i;
	int error = order->cas == 0 || order->cas > ISSUERS_MAX ? ICERT_E_INVALID : 0;

	for (i = 0; i < order->cas && error == 0; i++) {
		names[i] = order->ca[i].names;
		b->part[i].number = order->ca[i].number;
		b->part[i].ended = order->ca[i].ended;
		buf_put(&tails, order->ca[i].template->tail.p, order->ca[i].template->tail.len);
		buf_putc(&tails, order->ca[i].ended);
		b->parts++;
		error = copy_template(&b->part[i].template, order->ca[i].template);
		if (error == 0 && order->ca[i].revocations != NULL)
			error = revocations_copy(&b->part[i].revocations, order->ca[i].revocations);
	}
	if (error == 0 && (error = buf_error(&tails)) == 0 && (error = ocsp_digest(tails.p, tails.len, digest)) == 0)
		memcpy(b->note.tails, digest, sizeof(b->note.tails));
	buf_free(&tails);
	if (error != 0 || (error = segments_open(&b->published, order->dirfd, order->manifest, names, order->cas)) != 0)
		return error;
	if (b->published.n > 0)
		snprintf(b->note.newest, sizeof(b->note.newest), "%s", b->published.at[0].entry.file);
	return 0;
}

static void
base_dispose(struct base *b)
{
	size_t i;

	for (i = 0; i < BATCHES; i++)
		answers_free(&b->batch[i].answers);
	for (i = 0; i < b->parts; i++) {
		ocsp_template_free(&b->part[i].template);
		revocations_free(&b->part[i].revocations);
	}
	segments_close(&b->published);
	pthread_cond_destroy(&b->ready);
	pthread_cond_destroy(&b->done);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int
base_start(struct base **out, const struct base_order *order)
{
	struct base *b = calloc(1, sizeof(*b));
	int error;

	if (b == NULL)
		return ICERT_E_MEMORY;
	if (order->conninfo != NULL) {
		snprintf(b->conninfo, sizeof(b->conninfo), "%s", order->conninfo);
		b->has_conninfo = 1;
	}
	snprintf(b->socket, sizeof(b->socket), "%s", order->socket);
	b->hashes = order->hashes;
	b->threads = order->threads < 1 ? 1 : order->threads > THREADS_MAX ? THREADS_MAX : order->threads;
	b->ring = 2 * b->threads + 16;
	b->resume_within = order->resume_within;
	b->epoch = order->epoch;
	b->dirfd = order->dirfd;
	b->note.now = order->now;
	b->validity = order->validity;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->ready, NULL);
	pthread_cond_init(&b->done, NULL);
	if ((error = take_cas(b, order)) == 0) {
		if (pthread_create(&b->master, NULL, master, b) == 0) {
			*out = b;
			return 0;
		}
		error = ICERT_E_SYSTEM;
	}
	base_dispose(b);
	return error;
}

int
base_poll(struct base *b, int *error, struct status_entry *entry)
{
	if (!atomic_load(&b->finished))
		return 1;
	*error = b->error;
	*entry = b->entry;
	return 0;
}

const char *
base_newest(const struct base *b)
{
	return b->note.newest;
}

uint64_t
base_records(struct base *b)
{
	return atomic_load(&b->records);
}

void
base_free(struct base *b)
{
	if (b == NULL)
		return;
	atomic_store(&b->stop, 1);
	pthread_join(b->master, NULL);
	base_dispose(b);
}
