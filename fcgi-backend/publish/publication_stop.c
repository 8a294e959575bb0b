#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/publication_private.h"

/*
 * A revoked certificate stops being good at once, whatever the round waits for: a signer that hangs, a long list, an edge that
 * takes its time.  A thread of its own listens, and puts what is revoked and still good into a pending segment.
 */

#define LOOK_MS 1000		/* for a database that comes back */

struct stopper {
	struct publication *p;
	struct db *db, *listener;
	int wake;			/* eventfd: it is over */
	atomic_int over;
	int last;			/* error, told when it changes */
	pthread_t thread;
};

int
publication_by_serial(const void *a, const void *b)
{
	const struct cert_status *const *x = a, *const *y = b;

	if ((*x)->issuer != (*y)->issuer)
		return (*x)->issuer < (*y)->issuer ? -1 : 1;
	return memcmp((*x)->serial, (*y)->serial, sizeof((*x)->serial));
}

/* The first in place is a pending one. */
static int
over_pending(const struct publication *p)
{
	return p->segments.n > 0 && strcmp(p->segments.at[0].entry.name, SEGMENT_PENDING) == 0;
}

/* A record of the first segment in place, as a status; *issuer of a CA that is no longer ours is none. */
static int
status_of(const struct publication *p, const struct status_key *at, const struct status_record *r, struct cert_status *out)
{
	size_t place = 0;

	while (place < p->cas && p->segments.at[0].issuer[place] != (int)at->issuer)
		place++;
	if (place == p->cas || at->serial_len > sizeof(out->serial))
		return ICERT_E_NOT_FOUND;
	memset(out, 0, sizeof(*out));
	out->issuer = p->ca[place].number;
	out->revoked = 1;
	out->reason = r->reason;
	out->revoked_at = r->revoked_at;
	memcpy(out->serial + sizeof(out->serial) - at->serial_len, at->serial, at->serial_len);
	return 0;
}

/*
 * What the pending segment in front holds and todo does not have as revoked: after a failed round, of a mass revocation, or
 * stopped while todo was being signed.  0 and *left (the caller frees it), or an error.
 */
static int
left_pending(const struct publication *p, const struct cert_status *const *todo, size_t n, struct cert_status **left, size_t *k)
{
	const struct status_segment *s = &p->segments.at[0].s;
	const struct cert_status *key, *const *found;
	struct status_record r;
	struct status_key at;
	uint64_t cursor = 0;
	int next;

	*k = 0;
	if ((*left = calloc(s->records + 1, sizeof(**left))) == NULL)
		return ICERT_E_MEMORY;
	while ((next = status_segment_next(s, &cursor, &at, &r)) == 1 && *k < s->records) {
		if (status_of(p, &at, &r, &(*left)[*k]) != 0)
			continue;
		key = &(*left)[*k];
		found = bsearch(&key, todo, n, sizeof(*todo), publication_by_serial);
		*k += found == NULL || !(*found)->revoked;
	}
	return next < 0 ? next : 0;
}

/* The number in w of the CA at this place, as some segment in place has it; below zero: none has anything of it. */
static int
issuer_in(const struct publication *p, size_t place, struct status_writer *w)
{
	size_t i;

	for (i = 0; i < p->segments.n; i++)
		if (p->segments.at[i].issuer[place] >= 0)
			return status_writer_issuer_of(w, &p->segments.at[i].s, (unsigned)p->segments.at[i].issuer[place]);
	return ICERT_E_NOT_FOUND;
}

static int
write_pending(struct publication *p, const struct cert_status *const *todo, size_t n, int64_t now, struct status_entry *entry)
{
	struct status_record_in record = { .state = STATUS_PENDING, .this_update = now, .next_update = STATUS_NEVER };
	char file[STATUS_FILE_MAX + 1];
	struct status_writer *w;
	int error, issuer;
	size_t i;

	publication_file(file, SEGMENT_PENDING, p->manifest.epoch + 1, now);
	if ((error = status_writer_open(&w, p->dirfd, file, p->manifest.epoch + 1, 0, 0)) != 0)
		return error;
	for (i = 0; i < n && error == 0; i++) {
		issuer = todo[i]->revoked ? issuer_in(p, publication_place(p, todo[i]->issuer), w) : ICERT_E_NOT_FOUND;
		/* Of a CA of which nothing is in the set nothing is good. */
		if (issuer == ICERT_E_NOT_FOUND)
			continue;
		if (issuer < 0) {
			error = issuer;
			break;
		}
		record.issuer = (unsigned)issuer;
		record.serial = todo[i]->serial;
		record.serial_len = sizeof(todo[i]->serial);
		record.revoked_at = todo[i]->revoked_at;
		record.reason = todo[i]->reason;
		error = status_writer_record(w, &record);
	}
	if (error == 0)
		return status_writer_finish(w, SEGMENT_PENDING, entry);
	status_writer_abort(w);
	return error;
}

int
publication_pending(struct publication *p, const struct cert_status *const *todo, size_t n, int64_t now)
{
	struct cert_status *left = NULL;
	struct status_entry entry;
	size_t k = 1;
	int error = 0;

	if (over_pending(p))
		error = left_pending(p, todo, n, &left, &k);
	free(left);
	if (error == 0 && (error = write_pending(p, todo, n, now, &entry)) == 0)
		error = publication_push(p, &entry, 1, k == 0, now);
	return error;
}

/*
 * What was stopped while todo was being signed must not be good again by an older word for it: it stays in front, but without what
 * todo has as revoked.
 */
int
publication_signed(struct publication *p, const struct status_entry *entry, const struct cert_status *const *todo, size_t n, int64_t now)
{
	const struct cert_status **list = NULL;
	struct cert_status *left = NULL;
	struct status_entry front[2];
	size_t k = 1, more = 0, i;
	int error = 0;

	if (over_pending(p))
		error = left_pending(p, todo, n, &left, &k);
	if (error == 0 && p->stopped && left != NULL && k > 0) {
		if ((list = calloc(k, sizeof(*list))) == NULL)
			error = ICERT_E_MEMORY;
		for (i = 0; i < k && error == 0; i++)
			list[i] = &left[i];
		if (error == 0)
			error = write_pending(p, list, k, now, &front[more++]);
	}
	if (error == 0) {
		front[more++] = *entry;
		error = publication_push(p, front, more, left != NULL && (k == 0 || more == 2), now);
	}
	free(list);
	free(left);
	return error;
}

/* Of the revoked of one CA those that the set does not call revoked; *good: there is one that is not pending either. */
static int
not_revoked(struct publication *p, size_t place, const struct cert_status *all, size_t n, const struct cert_status **todo, size_t *k,
    int *good)
{
	struct status_record r;
	size_t i;
	int found;

	for (i = 0; i < n; i++) {
		if ((found = segments_find(&p->segments, place, all[i].serial, &r)) < 0)
			return found;
		if (found == 1 && r.state == STATUS_REVOKED)
			continue;
		*good |= found == 0 || r.state == STATUS_GOOD;
		todo[(*k)++] = &all[i];
	}
	return 0;
}

int
publication_stop(struct publication *p, struct db *db, int64_t now)
{
	struct cert_status *all[ISSUERS_MAX] = { NULL };
	size_t n[ISSUERS_MAX] = { 0 }, total = 0, k = 0, i;
	const struct cert_status **todo = NULL;
	int good = 0, error = 0;

	for (i = 0; i < p->cas && error == 0; i++) {
		error = status_rows_open_revoked(db, p->ca[i].number, &all[i], &n[i]);
		total += n[i];
	}
	if (error == 0 && total > 0 && (todo = calloc(total, sizeof(*todo))) == NULL)
		error = ICERT_E_MEMORY;
	if (error == 0 && total > 0) {
		publication_come_back(p);
		for (i = 0; i < p->cas && error == 0 && p->stoppable; i++)
			error = not_revoked(p, i, all[i], n[i], todo, &k, &good);
		if (error == 0 && good) {
			qsort(todo, k, sizeof(*todo), publication_by_serial);
			if ((error = publication_pending(p, todo, k, now)) == 0) {
				p->stopped = 1;
				log_info("stopped", "%zu revoked: none of them is good any more", k);
			}
		}
		publication_leave(p);
	}
	for (i = 0; i < p->cas; i++)
		free(all[i]);
	free(todo);
	return error;
}

static void
look(struct stopper *s)
{
	int error = publication_stop(s->p, s->db, clock_real());

	if (error != s->last && error != 0)
		log_error("publish_failed", "stop: %s", icert_err_code(error));
	else if (error != s->last)
		log_info("publish_recovered", "stop");
	s->last = error;
}

static void *
stopper(void *arg)
{
	struct stopper *s = arg;
	struct pollfd fds[2] = { { .fd = s->wake, .events = POLLIN }, { .events = POLLIN } };
	char channel[64];
	int listening = 0, heard;

	while (!atomic_load(&s->over)) {
		/* What came while nobody listened is looked up. */
		if (!listening && (listening = db_listen(s->listener, PUBLICATION_CHANNEL) == 0) != 0)
			look(s);
		for (heard = 0; listening && (heard = db_wait(s->listener, 0, channel, sizeof(channel))) > 0;)
			look(s);
		if (heard < 0)
			listening = 0;
		if (s->last != 0)
			look(s);
		fds[1].fd = listening ? db_fd(s->listener) : -1;
		poll(fds, 2, LOOK_MS);
	}
	return NULL;
}

int
publication_stopper_open(struct publication *p)
{
	struct stopper *s = calloc(1, sizeof(*s));
	sigset_t all, before;
	int error = ICERT_E_MEMORY;

	if (s == NULL)
		return error;
	s->p = p;
	if ((s->wake = eventfd(0, EFD_CLOEXEC)) >= 0 && (s->db = db_open(p->conninfo)) != NULL &&
	    (s->listener = db_open(p->conninfo)) != NULL) {
		/* Signals are for the thread that waits for them. */
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &before);
		error = pthread_create(&s->thread, NULL, stopper, s) == 0 ? 0 : ICERT_E_SYSTEM;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (error == 0) {
			p->stopper = s;
			return 0;
		}
	}
	if (s->wake >= 0)
		close(s->wake);
	db_close(s->db);
	db_close(s->listener);
	free(s);
	return error;
}

void
publication_stopper_close(struct publication *p)
{
	struct stopper *s = p->stopper;
	uint64_t one = 1;

	if (s == NULL)
		return;
	atomic_store(&s->over, 1);
	while (write(s->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(s->thread, NULL);
	close(s->wake);
	db_close(s->db);
	db_close(s->listener);
	free(s);
	p->stopper = NULL;
}
