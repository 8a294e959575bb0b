/*
 * Requests at a given rate, whatever becomes of the answers (an open loop): the next is due when its time has come, not when
 * the last was answered, and waits for a free connection if there is none.  Latency is counted from the moment at which a request
 * was due, so a server that stands still is charged for every request it made wait.
 *	load PORT REQUESTS RATE SECONDS CONNECTIONS [ADDRESSES]
 * ADDRESSES: from so many of this machine, 127.1.0.1 and up; connections take turns.  RATE 0: a closed loop, each connection asks as soon as it is answered.  One line of JSON; times in microseconds; `nonced` are
 * the answers that carry the extension id-pkix-ocsp-nonce.
 */
#include "tests/bench/http.h"

#include <signal.h>
#include <sys/prctl.h>

#define EXACT 4096		/* microseconds that are counted one by one */
#define OCTAVES 16		/* above it: 64 steps an octave */
#define STEPS 64
#define EVENTS 256
#define GRACE_NS 2000000000	/* for the last answers */

static uint64_t histogram[EXACT + OCTAVES * STEPS];

static size_t
bucket(int64_t us)
{
	int octave = 0;

	if (us < EXACT)
		return us < 0 ? 0 : (size_t)us;
	while (us >= 2 * EXACT) {
		us /= 2;
		octave++;
	}
	return octave >= OCTAVES ? EXACT + OCTAVES * STEPS - 1 : EXACT + (size_t)octave * STEPS + (size_t)((us - EXACT) * STEPS / EXACT);
}

static double
middle(size_t i)
{
	size_t octave = (i - EXACT) / STEPS, step = (i - EXACT) % STEPS;

	return i < EXACT ? (double)i : (double)(1UL << octave) * EXACT * (1 + ((double)step + 0.5) / STEPS);
}

static double
percentile(uint64_t n, double share)
{
	uint64_t seen = 0, want = (uint64_t)((double)n * share);
	size_t i;

	for (i = 0; i < sizeof(histogram) / sizeof(*histogram); i++)
		if ((seen += histogram[i]) > want)
			return middle(i);
	return 0;
}

struct run {
	const struct question *questions;
	size_t n;
	int port, epoll;
	struct http *conn;
	int64_t *due;			/* of the request each connection has in hand */
	struct http **idle;
	size_t conns, idles;
	uint64_t sent, answered, broken, wrong, nonced;
	int64_t worst;
};

static void
start(struct run *r, int64_t due)
{
	struct http *c = r->idle[--r->idles];

	r->due[c - r->conn] = due;
	if (http_ask(c, &r->questions[r->sent++ % r->n]) == 0)
		return;
	r->broken++;
	http_close(c);
	if (http_open(c, r->epoll, r->port) != 0)
		fail("connect");
	r->idle[r->idles++] = c;
}

static void
answered(struct run *r, struct http *c)
{
	static const uint8_t nonce[] = { 0x06, 9, 0x2B, 6, 1, 5, 5, 7, 0x30, 1, 2 };
	int64_t took;
	int rc = http_read(c);

	if (rc == 0)
		return;
	if (rc < 0) {
		r->broken++;
		http_close(c);
		if (http_open(c, r->epoll, r->port) != 0)
			fail("connect");
	} else {
		took = (nanoseconds() - r->due[c - r->conn]) / 1000;
		histogram[bucket(took)]++;
		r->answered++;
		r->wrong += c->status != 200;
		r->nonced += memmem(c->in + c->body, c->body_len, nonce, sizeof(nonce)) != NULL;
		if (took > r->worst)
			r->worst = took;
	}
	r->idle[r->idles++] = c;
}

static void
run(struct run *r, double rate, double seconds)
{
	int64_t began = nanoseconds(), now, next, step = rate > 0 ? (int64_t)(1e9 / rate) : 0, until = began + (int64_t)(seconds * 1e9);
	struct epoll_event events[EVENTS];
	struct timespec wait;
	int n, i;

	for (next = began; (now = nanoseconds()) < until + GRACE_NS && (next < until || r->idles < r->conns);) {
		if (step == 0)
			next = now;
		while (next <= now && next < until && r->idles > 0) {
			start(r, step > 0 ? next : now);
			next = step > 0 ? next + step : nanoseconds();
		}
		wait = (struct timespec){ 0, 1000000 };
		if (next < until && r->idles > 0)
			wait.tv_nsec = next > now ? next - now : 0;
		n = epoll_pwait2(r->epoll, events, EVENTS, &wait, NULL);
		for (i = 0; i < n; i++)
			answered(r, events[i].data.ptr);
	}
}

int
main(int argc, char *argv[])
{
	static struct run r;
	double rate, seconds;
	size_t i;

	if (argc < 6 || argc > 7 || (rate = atof(argv[3])) < 0 || (seconds = atof(argv[4])) <= 0 || (r.conns = strtoul(argv[5], NULL, 10)) == 0) {
		fprintf(stderr, "load PORT REQUESTS RATE SECONDS CONNECTIONS [ADDRESSES]\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_TIMERSLACK, 1);
	r.port = atoi(argv[1]);
	r.questions = questions_read(argv[2], &r.n);
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	r.conn = calloc(r.conns, sizeof(*r.conn));
	r.due = calloc(r.conns, sizeof(*r.due));
	r.idle = calloc(r.conns, sizeof(*r.idle));
	if (r.epoll < 0 || r.conn == NULL || r.due == NULL || r.idle == NULL)
		fail("start");
	for (i = 0; i < r.conns; i++) {
		if (argc == 7)
			r.conn[i].from = INADDR_LOOPBACK + 0x10000 + (uint32_t)(i % strtoul(argv[6], NULL, 10));
		if (http_open(&r.conn[i], r.epoll, r.port) != 0)
			fail("connect");
		r.idle[r.idles++] = &r.conn[i];
	}
	run(&r, rate, seconds);
	printf("{\"sent\":%lu,\"answered\":%lu,\"broken\":%lu,\"wrong\":%lu,\"nonced\":%lu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"worst\":%ld}\n",
	    (unsigned long)r.sent, (unsigned long)r.answered, (unsigned long)r.broken, (unsigned long)r.wrong, (unsigned long)r.nonced, percentile(r.answered, 0.5),
	    percentile(r.answered, 0.9), percentile(r.answered, 0.99), percentile(r.answered, 0.999), (long)r.worst);
	return 0;
}
