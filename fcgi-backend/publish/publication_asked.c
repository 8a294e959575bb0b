#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/publication_private.h"

#define ASKED_WAIT_MS 60000	/* for the edge to say what was published */
#define ASKED_TELL_MS 1000	/* between two words about a base that is being built */

static const struct { const char *word; enum asked asked; } words[] = {
	{ PUBLICATION_ASK_PUBLISH, ASKED_PUBLISH },
	{ PUBLICATION_ASK_BASE, ASKED_BASE },
};

/* One packet, a line of text. */
static int __attribute__((format(printf, 2, 3)))
tell(int fd, const char *format, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return n > 0 && send(fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

static void
hang_up(struct publication *p)
{
	if (p->asker >= 0)
		close(p->asker);
	p->asker = -1;
	p->asked = ASKED_NOTHING;
}

/* Somebody calls; one at a time, others are told to come back. */
static void
answer_call(struct publication *p)
{
	int fd = accept4(p->admin, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (p->asker >= 0) {
		tell(fd, PUBLICATION_FAILED " another asks already");
		close(fd);
		return;
	}
	p->asker = fd;
	p->asked = ASKED_NOTHING;
}

static void
hear(struct publication *p)
{
	char word[32];
	ssize_t n = recv(p->asker, word, sizeof(word) - 1, MSG_DONTWAIT);
	size_t i;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(p);
		return;
	}
	word[n] = '\0';
	for (i = 0; i < sizeof(words) / sizeof(words[0]) && strcmp(words[i].word, word) != 0; i++)
		continue;
	if (p->asked != ASKED_NOTHING || i == sizeof(words) / sizeof(words[0])) {
		tell(p->asker, PUBLICATION_FAILED " %s", icert_err_code(ICERT_E_INVALID));
		hang_up(p);
		return;
	}
	log_info("publish_asked", "%s", word);
	p->asked = words[i].asked;
	p->asked_since = p->asked_told = clock_mono_ms();
	p->asked_confirmed = p->confirmed;
	p->asked_epoch = p->manifest.epoch;
	p->asked_crl = p->asked == ASKED_PUBLISH;
	p->asked_base = p->asked == ASKED_BASE;
	if (p->base != NULL && p->asked_base)
		tell(p->asker, "a base is being built already: it is waited for");
}

int
publication_asked_wait(struct publication *p, int ms, int also)
{
	struct pollfd fds[3] = { { .fd = also, .events = POLLIN }, { .fd = p->admin, .events = POLLIN },
	    { .fd = p->asker, .events = POLLIN } };
	int n;

	publication_leave(p);
	n = poll(fds, 3, ms);
	publication_come_back(p);
	if (n <= 0)
		return 0;
	if (fds[1].revents != 0)
		answer_call(p);
	if (fds[2].revents != 0 && p->asker >= 0)
		hear(p);
	return fds[0].revents != 0;
}

/* What is in place now, and what does not go; then whether it is done. */
static void
conclude(struct publication *p)
{
	const struct segment *base;
	uint64_t signatures;
	size_t place;
	int i, error, failed = 0;

	tell(p->asker, "epoch %" PRIu64 " before, %" PRIu64 " now", p->asked_epoch, p->manifest.epoch);
	tell(p->asker, "changes %" PRIu64 " seen at the edge, %zu open, %zu refused", p->confirmed - p->asked_confirmed,
	    p->open - p->refused, p->refused);
	publication_leave(p);
	error = status_signer_count(&p->status_signer, p->ca[0].number, &signatures);
	publication_come_back(p);
	base = p->segments.n > 0 ? &p->segments.at[p->segments.n - 1] : NULL;
	if (error == 0)
		tell(p->asker, "signatures %" PRIu64 " made by the status signer since its start", signatures);
	for (place = 0; place < p->cas; place++)
		tell(p->asker, "list %s, number %" PRId64 " of %" PRId64 ", %zu revoked certificates are known",
		    p->ca[place].list[0].name, p->ca[place].list[0].crl.number, p->ca[place].list[0].crl.this_update,
		    p->ca[place].revocations.n);
	if (base != NULL && publication_has_base(p))
		tell(p->asker, "base %" PRIu64 " certificates, signed %" PRId64 ", until %" PRId64 "; %zu deltas over it", base->s.records,
		    base->entry.this_update, base->s.min_next_update, p->segments.n - 1);
	else
		tell(p->asker, "base none yet: nothing is in place");
	for (i = 0; i < STEPS; i++)
		if (p->last[i] != 0) {
			tell(p->asker, "step %s: %s", publication_step_name((enum step)i), icert_err_code(p->last[i]));
			failed = 1;
		}
	failed |= p->open > p->refused || p->asked_crl || p->asked_base || !publication_has_base(p);
	tell(p->asker, "%s", failed ? PUBLICATION_FAILED : PUBLICATION_DONE);
	hang_up(p);
	p->asked_crl = p->asked_base = 0;
}

static int
any_failed(const struct publication *p)
{
	int i;

	for (i = 0; i < STEPS; i++)
		if (p->last[i] != 0)
			return 1;
	return 0;
}

void
publication_asked_round(struct publication *p)
{
	int64_t now = clock_mono_ms();

	if (p->asked == ASKED_NOTHING)
		return;
	if (p->asked == ASKED_BASE && p->base != NULL) {
		if (now - p->asked_told < ASKED_TELL_MS)
			return;
		p->asked_told = now;
		if (!tell(p->asker, "base %" PRIu64 " certificates so far", base_records(p->base)) && errno != EAGAIN)
			hang_up(p);
		return;
	}
	/* A list and a base are made in the round after they were asked for. */
	if (any_failed(p) || now - p->asked_since > ASKED_WAIT_MS ||
	    (p->open <= p->refused && !p->asked_crl && !p->asked_base))
		conclude(p);
}

void
publication_asked_close(struct publication *p)
{
	hang_up(p);
	if (p->admin >= 0)
		close(p->admin);
	p->admin = -1;
}
