/*
 * Asks without a pause on many connections and looks at every answer, whatever is done to the server meanwhile.  A request that fails
 * (the connection ends, or no answer comes) is asked once more on a new connection.
 *	faults PORT REQUESTS CONNECTIONS
 * Until standard input ends; then one line of JSON: answers, wrong ones, requests asked again, requests that failed then too.
 * What a request expects: 0 good, always; 1 revoked, always; 2 good until it has been seen revoked, and never good again after.
 */
#include "tests/bench/http.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#define EVENTS 256
#define PATIENCE_NS 3000000000	/* more than the edge gives a live answer before it sends what is stored */
#define TOLD 5			/* wrong answers that are shown */

struct asker {
	struct http http;
	size_t question;
	int again;			/* the request was asked before */
	int64_t asked_at;
};

struct faults {
	const struct question *questions;
	int64_t *revoked_at;		/* of each question: when it was first seen so; 0: not yet */
	size_t n, at;
	int port, epoll;
	struct asker *asker;
	size_t askers;
	uint64_t answers, wrong, again, failed;
};

/* The request in hand did not come through. */
static void
broken(struct faults *f, struct asker *a)
{
	int first = !a->again;

	http_close(&a->http);
	a->again = 1;
	if (first) {
		f->again++;
		if (http_open(&a->http, f->epoll, f->port) == 0) {
			a->asked_at = nanoseconds();
			if (http_ask(&a->http, &f->questions[a->question]) == 0)
				return;
			http_close(&a->http);
		}
	}
	f->failed++;
}

static void
next(struct faults *f, struct asker *a)
{
	a->question = f->at++ % f->n;
	a->again = 0;
	a->asked_at = nanoseconds();
	if (http_ask(&a->http, &f->questions[a->question]) != 0)
		broken(f, a);
}

static void
judge(struct faults *f, const struct asker *a)
{
	const struct question *q = &f->questions[a->question];
	enum answer answer = answer_of(&a->http, q->serial);
	int fine;

	f->answers++;
	switch (q->expected) {
	case 0:
		fine = answer == ANSWER_GOOD;
		break;
	case 1:
		fine = answer == ANSWER_REVOKED;
		break;
	default:
		/* Good is wrong when it was asked for after somebody had been told that it is not. */
		fine = answer == ANSWER_GOOD ? f->revoked_at[a->question] == 0 || a->asked_at < f->revoked_at[a->question]
		    : answer != ANSWER_OTHER;
		if (answer == ANSWER_REVOKED && f->revoked_at[a->question] == 0)
			f->revoked_at[a->question] = nanoseconds();
	}
	if (!fine && f->wrong++ < TOLD)
		fprintf(stderr, "wrong: %.*s: status %d, %zu octets, %d for an expected %d\n", (int)(q->len < 40 ? q->len : 40),
		    (const char *)q->bytes, a->http.status, a->http.body_len, (int)answer, q->expected);
}

static void
run(struct faults *f)
{
	struct epoll_event events[EVENTS];
	struct pollfd end = { .fd = 0, .events = POLLIN };
	int64_t looked = 0, now;
	struct asker *a;
	size_t k;
	int n, i, rc;

	for (;;) {
		n = epoll_wait(f->epoll, events, EVENTS, 5);
		for (i = 0; i < n; i++) {
			a = events[i].data.ptr;
			if ((rc = http_read(&a->http)) == 0)
				continue;
			if (rc < 0) {
				broken(f, a);
				continue;
			}
			judge(f, a);
			next(f, a);
		}
		if ((now = nanoseconds()) - looked < 10000000)
			continue;
		looked = now;
		if (poll(&end, 1, 0) > 0)
			return;
		for (k = 0; k < f->askers; k++) {
			a = &f->asker[k];
			if (a->http.fd < 0 && http_open(&a->http, f->epoll, f->port) == 0)
				next(f, a);
			else if (a->http.fd >= 0 && now - a->asked_at > PATIENCE_NS)
				broken(f, a);
		}
	}
}

int
main(int argc, char *argv[])
{
	static struct faults f;
	size_t i;

	if (argc != 4 || (f.askers = strtoul(argv[3], NULL, 10)) == 0) {
		fprintf(stderr, "faults PORT REQUESTS CONNECTIONS\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	f.port = atoi(argv[1]);
	f.questions = questions_read(argv[2], &f.n);
	f.epoll = epoll_create1(EPOLL_CLOEXEC);
	f.asker = calloc(f.askers, sizeof(*f.asker));
	f.revoked_at = calloc(f.n, sizeof(*f.revoked_at));
	if (f.epoll < 0 || f.asker == NULL || f.revoked_at == NULL)
		fail("start");
	for (i = 0; i < f.askers; i++) {
		if (http_open(&f.asker[i].http, f.epoll, f.port) != 0)
			fail("connect");
		next(&f, &f.asker[i]);
	}
	run(&f);
	printf("{\"answers\":%lu,\"wrong\":%lu,\"again\":%lu,\"failed\":%lu}\n", (unsigned long)f.answers, (unsigned long)f.wrong,
	    (unsigned long)f.again, (unsigned long)f.failed);
	return 0;
}
