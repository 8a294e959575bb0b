#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/base.h"
#include "publish/base_source.h"

#define THREADS_MAX 16
#define BATCHES (2 * THREADS_MAX + 2)
#define MARK_RECORDS 200000	/* two seconds of two cores */

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
	int64_t now, until;
	uint8_t after[16];
	uint8_t tail[8];	/* of the responder's certificate */
};

struct base {
	/* the order */
	char conninfo[512], socket[128];
	int has_conninfo;
	struct ocsp_template template;
	unsigned hashes, threads;
	int64_t resume_within;
	uint64_t epoch;
	int dirfd;

	struct segments published;
	struct status_writer *writer;
	unsigned issuer, tail;
	struct base_note note;

	pthread_t master, worker[THREADS_MAX];
	unsigned workers;
	pthread_mutex_t lock;
	pthread_cond_t filled, done;
	struct batch batch[BATCHES];
	size_t ring;			/* batches in use */
	uint64_t taken;			/* the next that a worker takes */
	int over;			/* nothing more will be filled */
	atomic_int stop;
	atomic_ullong records;
	atomic_int finished;
	int error;
	struct status_entry entry;
};

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
			pthread_cond_wait(&b->filled, &b->lock);
			continue;
		}
		batch->state = BATCH_TAKEN;
		b->taken++;
		pthread_mutex_unlock(&b->lock);
		batch->error = answers_make(&batch->answers, &signer);
		pthread_mutex_lock(&b->lock);
		batch->state = BATCH_DONE;
		pthread_cond_broadcast(&b->done);
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
	if (error == 0 && len == sizeof(note) && memcmp(note.tail, b->note.tail, sizeof(note.tail)) == 0 &&
	    b->note.now - note.now < b->resume_within && note.now <= b->note.now) {
		b->note = note;
		log_info("base_resumed", "%" PRIu64 " certificates are there", status_writer_records(b->writer));
		return answers_begin(&b->template, b->writer, &b->issuer, &b->tail);
	}
	status_writer_abort(b->writer);
	b->writer = NULL;
	status_writer_discard(b->dirfd);
	snprintf(file, sizeof(file), "base-%016" PRIx64 "-%08" PRIx64, b->epoch, (uint64_t)b->note.now);
	if ((error = status_writer_open(&b->writer, b->dirfd, file, b->epoch, 0, 0)) != 0)
		return error;
	return answers_begin(&b->template, b->writer, &b->issuer, &b->tail);
}

static int
write_batch(struct base *b, struct batch *batch, uint64_t *marked)
{
	struct answers *a = &batch->answers;
	int error = batch->error;

	if (error == 0)
		error = answers_write(a, b->writer, b->issuer, b->tail);
	if (error != 0)
		return error;
	memcpy(b->note.after, a->status[a->n - 1].serial, 16);
	atomic_store(&b->records, status_writer_records(b->writer));
	if (status_writer_records(b->writer) - *marked < MARK_RECORDS)
		return 0;
	*marked = status_writer_records(b->writer);
	return status_writer_mark(b->writer, &b->note, sizeof(b->note));
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
	uint64_t filled = 0, written = 0, marked = status_writer_records(b->writer);
	struct batch *batch;
	int more = 1, error = 0;

	while (error == 0 && (more || written < filled)) {
		if (atomic_load(&b->stop)) {
			error = status_writer_mark(b->writer, &b->note, sizeof(b->note));
			return error != 0 ? error : ICERT_E_BUSY;
		}
		batch = &b->batch[filled % b->ring];
		if (more && filled - written < b->ring) {
			if ((error = fill(source, &batch->answers, &more)) != 0 || batch->answers.n == 0)
				continue;
			pthread_mutex_lock(&b->lock);
			batch->state = BATCH_FILLED;
			pthread_cond_signal(&b->filled);
			pthread_mutex_unlock(&b->lock);
			filled++;
			continue;
		}
		batch = &b->batch[written % b->ring];
		pthread_mutex_lock(&b->lock);
		while (batch->state != BATCH_DONE)
			pthread_cond_wait(&b->done, &b->lock);
		pthread_mutex_unlock(&b->lock);
		error = write_batch(b, batch, &marked);
		pthread_mutex_lock(&b->lock);
		batch->state = BATCH_FREE;
		pthread_mutex_unlock(&b->lock);
		written++;
	}
	return error;
}

static void
stop_workers(struct base *b)
{
	pthread_mutex_lock(&b->lock);
	b->over = 1;
	pthread_cond_broadcast(&b->filled);
	pthread_mutex_unlock(&b->lock);
	while (b->workers > 0)
		pthread_join(b->worker[--b->workers], NULL);
}

static void *
master(void *arg)
{
	struct base *b = arg;
	struct base_source source;
	size_t i;
	int error;

	memset(&source, 0, sizeof(source));
	if ((error = begin_writer(b)) != 0)
		goto out;
	for (i = 0; i < b->ring; i++) {
		b->batch[i].answers.template = &b->template;
		b->batch[i].answers.hashes = b->hashes;
		b->batch[i].answers.this_update = b->note.now;
		b->batch[i].answers.next_update = b->note.until;
	}
	if ((error = base_source_open(&source, &b->published, b->has_conninfo ? b->conninfo : NULL, b->note.after)) != 0)
		goto out;
	while (b->workers < b->threads && error == 0)
		error = pthread_create(&b->worker[b->workers], NULL, work, b) == 0 ? (b->workers++, 0) : ICERT_E_SYSTEM;
	if (error == 0)
		error = run(b, &source);
	stop_workers(b);
	if (error == 0) {
		error = status_writer_finish(b->writer, SEGMENT_BASE, &b->entry);
		b->writer = NULL;
	}
out:
	base_source_close(&source);
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

int
base_start(struct base **out, const struct base_order *order)
{
	struct base *b = calloc(1, sizeof(*b));
	uint8_t digest[32];
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
	b->ring = 2 * b->threads + 2;
	b->resume_within = order->resume_within;
	b->epoch = order->epoch;
	b->dirfd = order->dirfd;
	b->note.now = order->now;
	b->note.until = answers_until(order->template, order->now, order->validity);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->filled, NULL);
	pthread_cond_init(&b->done, NULL);
	if ((error = copy_template(&b->template, order->template)) == 0)
		error = segments_open(&b->published, order->dirfd, order->manifest, &b->template);
	if (error == 0 && EVP_Digest(b->template.tail.p, b->template.tail.len, digest, NULL, EVP_sha256(), NULL) != 1)
		error = ICERT_E_CRYPTO;
	if (error == 0) {
		memcpy(b->note.tail, digest, sizeof(b->note.tail));
		if (pthread_create(&b->master, NULL, master, b) == 0) {
			*out = b;
			return 0;
		}
		error = ICERT_E_SYSTEM;
	}
	segments_close(&b->published);
	ocsp_template_free(&b->template);
	free(b);
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

uint64_t
base_records(struct base *b)
{
	return atomic_load(&b->records);
}

void
base_free(struct base *b)
{
	size_t i;

	if (b == NULL)
		return;
	atomic_store(&b->stop, 1);
	pthread_join(b->master, NULL);
	for (i = 0; i < BATCHES; i++)
		answers_free(&b->batch[i].answers);
	segments_close(&b->published);
	ocsp_template_free(&b->template);
	pthread_cond_destroy(&b->filled);
	pthread_cond_destroy(&b->done);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
