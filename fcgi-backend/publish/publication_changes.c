#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/publication_private.h"

#define PROBES 64		/* certificates of one publication that the edge is asked for */
#define PROBE_ROUNDS 150
#define PROBE_PAUSE_MS 20

/* Into what its CA's lists are made of. */
static int
take_revocation(struct publication *p, const struct cert_status *s)
{
	size_t place = publication_place(p, s->issuer);
	struct ca *ca = &p->ca[place];
	unsigned k;

	if (place == p->cas || revocations_find(&ca->revocations, s->serial) != NULL)
		return 0;
	for (k = 0; k <= ca->partitions; k++)
		if (k == 0 || k == s->partition || s->partition == CERT_ANY_PARTITION)
			ca->list[k].owed = 1;
	return revocations_add(&ca->revocations, s);
}

int
publication_take(struct publication *p)
{
	size_t i;
	int error;

	if ((error = publication_crl_load(p)) != 0)
		return error;
	p->n = PUBLICATION_CHANGES;
	p->stopped = p->heard = 0;
	publication_leave(p);
	error = status_rows_open(p->db, p->changes, &p->n);
	publication_come_back(p);
	if (error != 0) {
		p->n = 0;
		return error;
	}
	p->open = p->n;
	for (i = 0; i < p->n && error == 0; i++)
		if (p->changes[i].status.revoked)
			error = take_revocation(p, &p->changes[i].status);
	return error;
}

/*
 * What is to be published of a change; NULL: nothing, its CA is no longer in the list.  A row that says good of a
 * certificate that was revoked, which a restore brought back, or a hand: never obeyed, and told once.
 */
static const struct cert_status *
wanted(struct publication *p, const struct status_change *change)
{
	size_t place = publication_place(p, change->status.issuer);
	const struct cert_status *known;

	if (place == p->cas)
		return NULL;
	if (change->status.revoked || (known = revocations_find(&p->ca[place].revocations, change->status.serial)) == NULL)
		return &change->status;
	p->refused++;
	if (p->refused > p->refused_told)
		log_error("status_refused", "certificate %s was revoked and stays revoked", change->certificate);
	return known;
}

/* 1: the edge already answers so, or must not answer so yet; 0: to be published; *stop: it still says good of a revoked one. */
static int
is_public(struct publication *p, const struct cert_status *s, int *stop)
{
	struct status_record r;
	int found = segments_find(&p->segments, publication_place(p, s->issuer), s->serial, &r);

	if (found < 0)
		return found;
	/* Whether it was revoked once, only the signer may remember. */
	if (found == 0)
		return !s->revoked && !p->remembered;
	if (r.state == STATUS_GOOD) {
		*stop |= s->revoked;
		return !s->revoked;
	}
	return !s->revoked || r.state == STATUS_REVOKED;
}

/* What has to be published, in the order of CAs and serials, each once: issued and revoked at once is one. */
static int
collect(struct publication *p, const struct cert_status **todo, size_t *n, int *stop)
{
	const struct cert_status *s;
	size_t i, k;
	int public;

	*n = 0;
	*stop = 0;
	p->refused = 0;
	for (i = 0; i < p->n; i++) {
		if ((s = wanted(p, &p->changes[i])) == NULL)
			continue;
		if ((public = is_public(p, s, stop)) < 0)
			return public;
		if (!public)
			todo[(*n)++] = s;
	}
	p->refused_told = p->refused;
	qsort(todo, *n, sizeof(*todo), publication_by_serial);
	for (i = k = 0; i < *n; i++)
		if (k == 0 || publication_by_serial(&todo[k - 1], &todo[i]) != 0)
			todo[k++] = todo[i];
	*n = k;
	return 0;
}

/* Of what collect() has let through. */
static struct ca *
ca_of(struct publication *p, const struct cert_status *s)
{
	return &p->ca[publication_place(p, s->issuer)];
}

static int
write_signed(struct publication *p, struct status_writer *w, const struct cert_status *const *todo, size_t n, int64_t now)
{
	struct answers *a = &p->answers;
	unsigned issuer, tail;
	struct ca *ca;
	size_t i;
	int error = 0;

	a->hashes = p->hashes;
	a->this_update = now;
	/* One CA's after another's: a message is signed by one key. */
	for (i = 0; i < n && error == 0; i += a->n) {
		ca = ca_of(p, todo[i]);
		a->template = &ca->template;
		a->next_update = publication_until(p, ca, now);
		for (a->n = 0; a->n < answers_room(a) && i + a->n < n && todo[i + a->n]->issuer == ca->number; a->n++)
			a->status[a->n] = *todo[i + a->n];
		if ((error = answers_begin(&ca->template, w, &issuer, &tail)) == 0 &&
		    (error = answers_make(a, &p->status_signer)) == 0)
			error = answers_write(a, w, issuer, tail);
	}
	return error;
}

static int
publish_signed(struct publication *p, const struct cert_status *const *todo, size_t n, int64_t now)
{
	char file[STATUS_FILE_MAX + 1];
	struct status_entry entry;
	struct status_writer *w;
	int error;

	publication_file(file, SEGMENT_DELTA, p->manifest.epoch + 1, now);
	if ((error = status_writer_open(&w, p->dirfd, file, p->manifest.epoch + 1, 0, 0)) != 0)
		return error;
	strcpy(p->writing, file);
	publication_leave(p);
	if ((error = write_signed(p, w, todo, n, now)) == 0)
		error = status_writer_finish(w, SEGMENT_DELTA, &entry);
	else
		status_writer_abort(w);
	publication_come_back(p);
	if (error == 0)
		error = publication_signed(p, &entry, todo, n, now);
	p->writing[0] = '\0';
	return error;
}

/* Of some revoked certificates of one CA those that the set in place calls good, added to todo. */
static int
still_good(struct publication *p, size_t place, const struct cert_status *list, size_t n, const struct cert_status **todo, size_t *k)
{
	struct status_record r;
	size_t i;
	int found;

	for (i = 0; i < n; i++) {
		if ((found = segments_find(&p->segments, place, list[i].serial, &r)) < 0)
			return found;
		if (found == 1 && r.state == STATUS_GOOD)
			todo[(*k)++] = &list[i];
	}
	return 0;
}

int
publication_settle(struct publication *p, int64_t now)
{
	const struct cert_status **todo;
	size_t all = 0, n = 0, i;
	int error = 0;

	if (p->settled)
		return 0;
	for (i = 0; i < p->cas; i++)
		all += p->ca[i].revocations.n;
	if ((todo = calloc(all + 1, sizeof(*todo))) == NULL)
		return ICERT_E_MEMORY;
	for (i = 0; i < p->cas && error == 0; i++)
		error = still_good(p, i, p->ca[i].revocations.list, p->ca[i].revocations.n, todo, &n);
	if (n > 0 && error == 0) {
		qsort(todo, n, sizeof(*todo), publication_by_serial);
		log_warn("status_kept", "%zu that are revoked were good in the set in place", n);
		if ((error = publication_pending(p, todo, n, now)) == 0)
			error = publish_signed(p, todo, n, now);
	}
	free(todo);
	p->settled = error == 0;
	return error;
}

int
publication_changes(struct publication *p, int64_t now)
{
	static const struct cert_status *todo[PUBLICATION_CHANGES];
	int stop, error = 0;
	size_t n;

	/* Of so many that one round does not sign them, all that are revoked stop being good first. */
	if (p->n == PUBLICATION_CHANGES) {
		publication_leave(p);
		error = publication_stop(p, p->db, now);
		publication_come_back(p);
	}
	if (error != 0 || (error = collect(p, todo, &n, &stop)) != 0 || n == 0)
		return error;
	if (stop && (error = publication_pending(p, todo, n, now)) != 0)
		return error;
	if ((error = publish_signed(p, todo, n, now)) == 0)
		log_info("published", "epoch %" PRIu64 ", %zu changes", p->manifest.epoch, n);
	return error;
}

/* Keeps of the changes those that the set in place answers as they want it: the others are not public yet, or never will be. */
static int
keep_public(struct publication *p)
{
	struct status_record r;
	size_t i, n = 0, place;
	int found;

	for (i = 0; i < p->n; i++) {
		if ((place = publication_place(p, p->changes[i].status.issuer)) == p->cas)
			continue;
		if ((found = segments_find(&p->segments, place, p->changes[i].status.serial, &r)) < 0)
			return found;
		if (found == 1 && r.state == (p->changes[i].status.revoked ? STATUS_REVOKED : STATUS_GOOD))
			p->changes[n++] = p->changes[i];
	}
	p->n = n;
	return 0;
}

/*
 * Does the edge answer as the set in place does?  A manifest becomes public as a whole, so of many changes some are
 * asked for, at equal steps, and the last.
 */
static int
ask_edge(struct publication *p, int *seen)
{
	size_t step = p->n / PROBES + 1, asked, i;
	enum edge_status status, wanted;
	int error;

	*seen = 0;
	for (asked = 0; asked < p->n + step; asked += step) {
		i = asked < p->n ? asked : p->n - 1;
		wanted = p->changes[i].status.revoked ? EDGE_REVOKED : EDGE_GOOD;
		if ((error = edge_probe_ask(ca_of(p, &p->changes[i].status)->probe, p->changes[i].status.serial, &status)) != 0 || status != wanted)
			return error;
	}
	*seen = 1;
	return 0;
}

void
publication_confirm(struct publication *p, int64_t now)
{
	struct timespec pause = { 0, PROBE_PAUSE_MS * 1000000L };
	int error, published, seen = 0, i;
	uint64_t epoch;

	if ((error = keep_public(p)) != 0 || p->n == 0) {
		publication_note(p, STEP_EDGE, error, "");
		return;
	}
	epoch = p->manifest.epoch;
	publication_leave(p);
	for (i = 0; i < PROBE_ROUNDS && error == 0 && !seen && !p->heard; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		error = ask_edge(p, &seen);
		/* What is new is not kept waiting by an edge that takes its time: both are asked for in the next round. */
		p->heard = !seen && publication_heard(p);
	}
	published = seen ? status_rows_published(p->db, p->changes, p->n, epoch, now) : 0;
	publication_come_back(p);
	if (error != 0 || seen || !p->heard)
		publication_note(p, STEP_EDGE, error == 0 && !seen ? ICERT_E_BUSY : error, "");
	if (!seen)
		return;
	error = published;
	if (publication_note(p, STEP_DATABASE, error, db_detail(p->db)) == 0)
		p->confirmed += p->n;
}
