/*
 * Certificates revoked one after the other while the responder works as fast as it can, and for each how long after its commit
 * anybody on any connection was still told that it is good.
 *	revocations PORT REQUESTS CONNINFO COUNT CONNECTIONS
 * Every connection asks without a pause, in turn for some certificate and for the one that is being revoked; certificates are revoked in
 * the order of the file.  It first says the local ports of its connections, one a line, then an empty line, and begins
 * when a line comes on standard input.  Then for each certificate: microseconds from before COMMIT was sent until the last "good" was
 * read anywhere (0: none was), and until every connection had read something else.  At the end how many answers were read, and how
 * many were wrong: a good one of a certificate that had been seen revoked, or another than good of one that nobody revokes.
 */
#include "tests/bench/http.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/prctl.h>

#define EVENTS 256
#define SETTLED_NS 20000000	/* nobody says good for so long after the last connection has turned */
#define GIVE_UP_NS 30000000000

struct watch {
	const struct question *questions;
	size_t n, at;
	int port, epoll;
	struct http *conn;
	size_t conns, *asked, *turned;	/* for each: the certificate it asked for last; the last it was told is not good */
	/* the certificate that is being revoked */
	size_t target;
	atomic_llong committing;	/* when; 0: not yet */
	int64_t last_good, all_turned;
	size_t turns;
	uint64_t answers, wrong;
};

struct writer {
	struct watch *w;
	PGconn *db;
	size_t count;
	atomic_size_t go;		/* certificates that may be revoked */
};

static void
revoke_one(struct writer *wr, const struct question *q)
{
	char hex[33], text[700];
	PGresult *rows;
	int i;

	for (i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", q->serial[i]);
	snprintf(text, sizeof(text), "begin; set local session_replication_role = replica;"
	    " update icert.certificate set state = 'revoked', revoked_at = extract(epoch from now())::bigint, reason = 4,"
	    " revoked_by = 'national' where serial = '\\x%s';"
	    " insert into icert.status_change (certificate_id, state, reason, at) select id, 'revoked', 4, revoked_at"
	    " from icert.certificate where serial = '\\x%s'; notify icert_status", hex, hex);
	rows = PQexec(wr->db, text);
	if (PQresultStatus(rows) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s", PQerrorMessage(wr->db));
		exit(1);
	}
	PQclear(rows);
	atomic_store(&wr->w->committing, nanoseconds());
	rows = PQexec(wr->db, "commit");
	if (PQresultStatus(rows) != PGRES_COMMAND_OK)
		exit(1);
	PQclear(rows);
}

static void *
write_all(void *arg)
{
	struct timespec pause = { 0, 1000000 };
	struct writer *wr = arg;
	size_t i;

	for (i = 0; i < wr->count; i++) {
		while (atomic_load(&wr->go) <= i)
			nanosleep(&pause, NULL);
		/* At any moment of the publisher's round. */
		pause.tv_nsec = 1000000 + (long)(random() % 60) * 1000000;
		nanosleep(&pause, NULL);
		pause.tv_nsec = 1000000;
		revoke_one(wr, &wr->w->questions[i]);
	}
	return NULL;
}

static void
ask(struct watch *w, size_t i)
{
	/* Every other is for the target; the rest of the file is asked in turn. */
	w->asked[i] = w->asked[i] == w->target ? w->n / 2 + w->at++ % (w->n / 2) : w->target;
	if (http_ask(&w->conn[i], &w->questions[w->asked[i]]) != 0)
		fail("send");
}

static void
take(struct watch *w, size_t i)
{
	struct http *c = &w->conn[i];
	int rc = http_read(c);
	int64_t committing = atomic_load(&w->committing);
	enum answer answer;

	if (rc < 0)
		fail("answer");
	if (rc == 0)
		return;
	w->answers++;
	answer = answer_of(c, w->questions[w->asked[i]].serial);
	if (w->asked[i] != w->target) {
		/* One that was revoked before may be asked for once more. */
		w->wrong += answer != ANSWER_GOOD && w->asked[i] >= w->n / 2;
		w->wrong += answer == ANSWER_GOOD && w->asked[i] < w->target;
	} else if (answer == ANSWER_GOOD) {
		if (committing != 0)
			w->last_good = nanoseconds();
		if (w->turned[i] == w->target + 1) {
			w->turned[i] = 0;
			w->turns--;
			w->all_turned = 0;
		}
	} else if (w->turned[i] != w->target + 1) {
		w->wrong += answer == ANSWER_OTHER || committing == 0;
		w->turned[i] = w->target + 1;
		if (++w->turns == w->conns)
			w->all_turned = nanoseconds();
	}
	ask(w, i);
}

static void
run(struct watch *w, struct writer *wr)
{
	struct epoll_event events[EVENTS];
	int64_t now, committing;
	int n, i;

	while (w->target < wr->count) {
		n = epoll_wait(w->epoll, events, EVENTS, 5);
		for (i = 0; i < n; i++)
			take(w, (size_t)((struct http *)events[i].data.ptr - w->conn));
		now = nanoseconds();
		committing = atomic_load(&w->committing);
		if (committing != 0 && now - committing > GIVE_UP_NS) {
			fprintf(stderr, "certificate %zu is still good after 30 s\n", w->target);
			exit(1);
		}
		if (w->all_turned == 0 || now - w->all_turned < SETTLED_NS)
			continue;
		printf("%ld %ld\n", w->last_good == 0 ? 0L : (long)((w->last_good - committing) / 1000), (long)((w->all_turned - committing) / 1000));
		fflush(stdout);
		w->last_good = w->all_turned = 0;
		w->turns = 0;
		atomic_store(&w->committing, 0);
		w->target++;
		atomic_store(&wr->go, w->target + 1);
	}
}

static void
connect_all(struct watch *w)
{
	struct sockaddr_in address;
	socklen_t len;
	size_t i;

	for (i = 0; i < w->conns; i++) {
		len = sizeof(address);
		if (http_open(&w->conn[i], w->epoll, w->port) != 0 || getsockname(w->conn[i].fd, (struct sockaddr *)&address, &len) != 0)
			fail("connect");
		w->asked[i] = w->n;
		printf("%d\n", ntohs(address.sin_port));
	}
	printf("\n");
	fflush(stdout);
}

int
main(int argc, char *argv[])
{
	static struct watch w;
	struct writer wr = { .w = &w };
	pthread_t thread;
	char line[16];
	size_t i;

	if (argc != 6 || (wr.count = strtoul(argv[4], NULL, 10)) == 0 || (w.conns = strtoul(argv[5], NULL, 10)) == 0) {
		fprintf(stderr, "revocations PORT REQUESTS CONNINFO COUNT CONNECTIONS\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	w.port = atoi(argv[1]);
	w.questions = questions_read(argv[2], &w.n);
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	w.conn = calloc(w.conns, sizeof(*w.conn));
	w.asked = calloc(w.conns, sizeof(*w.asked));
	w.turned = calloc(w.conns, sizeof(*w.turned));
	if (w.epoll < 0 || w.conn == NULL || w.asked == NULL || w.turned == NULL || w.n < 2 * wr.count)
		fail("start");
	wr.db = PQconnectdb(argv[3]);
	if (PQstatus(wr.db) != CONNECTION_OK) {
		fprintf(stderr, "%s", PQerrorMessage(wr.db));
		return 1;
	}
	connect_all(&w);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 1;
	for (i = 0; i < w.conns; i++)
		ask(&w, i);
	if (pthread_create(&thread, NULL, write_all, &wr) != 0)
		fail("thread");
	atomic_store(&wr.go, 1);
	run(&w, &wr);
	pthread_join(thread, NULL);
	printf("answers %lu wrong %lu\n", (unsigned long)w.answers, (unsigned long)w.wrong);
	PQfinish(wr.db);
	return 0;
}
