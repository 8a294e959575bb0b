#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/ready.h"
#include "libicert/sanitized.h"
#include "web/answer.h"
#include "web/csrf.h"
#include "web/once.h"
#include "web/page.h"
#include "web/worker.h"

#define LISTEN_FD	0
#define ARENA_LIMIT	(16 * 1024 * 1024)
#define SOCKET_SECONDS	10	/* nginx buffers both ways: a read never waits for a person */
#define REQUEST_SECONDS	60	/* a request that hangs costs its worker, not the socket */
#define RESPAWN_MS	500	/* pause before replacing one that died at once */
#define WORKERS_MAX	64

static volatile sig_atomic_t leaving;

static void
on_signal(int sig)
{
	(void)sig;
	leaving = 1;
}

/* What a role is missing leads to: the program's log-in, or 403. */
static int
refuse(struct request *rq)
{
	if (rq->session.state == SESSION_LIVE)
		return page_error(rq, 403, "http.403");
	if (rq->session.state == SESSION_LOCKED && (rq->route->flags & ROUTE_PARK) &&
	    rq->method == METHOD_POST && rq->app->park != NULL)
		return rq->app->park(rq);
	return rq->app->denied != NULL ? rq->app->denied(rq) : page_error(rq, 403, "http.403");
}

static int
answer_route(struct request *rq)
{
	const struct route *r = rq->route;
	int64_t now;

	if (rq->method == METHOD_POST && !(r->flags & ROUTE_NO_CSRF) && !rq->replayed &&
	    csrf_check(rq) != 0) {
		log_warn("csrf_refused", "%s", r->pattern);
		return page_error(rq, 403, "http.csrf");
	}
	if (!(r->roles & ROLE_PUBLIC) && !(r->roles & rq->session.roles))
		return refuse(rq);
	now = clock_real();
	if ((r->flags & ROUTE_FRESH) && rq->session.fresh_until < now)
		return rq->app->stale != NULL ? rq->app->stale(rq) : page_error(rq, 403, "http.403");
	/* Only a form that takes files knows how to show its refusal; for the
	 * rest (a limit, mostly) it is a page of its own. */
	if (rq->refusal != NULL && strncmp(rq->refusal, "upload_", 7) != 0)
		return page_refusal(rq);
	if (rq->refusal != NULL)
		page_field_error(rq, rq->refusal_field, page_refusal_code(rq));
	return once_begin(rq) ? 0 : once_end(rq, r->handler(rq));
}

/* The edge asks before it reads a body with files; nobody else can ask. */
static void
answer_verdict(struct request *rq)
{
	rq->response->status = rq->session.state == SESSION_LIVE ? 204 : 401;
}

/*
 * What a cache said of the session was no longer so.  Every transaction asked
 * before it did anything, so nothing has been done: the handler runs again, for
 * whom the database says it is.
 */
static int
answer_anew(struct request *rq)
{
	int rv;

	response_again(rq->response);
	rq->frame = NULL;
	rq->nerrors = 0;
	rq->session.state = SESSION_VISITOR;
	rq->session.roles = 0;
	rq->session.generation = 0;
	rq->session.uncached = true;
	if ((rv = rq->app->load_session(rq)) < 0)
		return rv;
	return answer_route(rq);
}

void
worker_answer(struct request *rq)
{
	int rv, status = route_find(rq, rq->app->routes);

	if ((rv = session_open(rq)) < 0) {
		page_fail(rq, rv);
		return;
	}
	if (strcmp(rq->path, WORKER_VERDICT) == 0) {
		answer_verdict(rq);
		return;
	}
	if (status != 0) {
		if (rq->refusal != NULL)
			page_refusal(rq);
		else
			page_error(rq, status, status == 405 ? "http.405" : "http.404");
		return;
	}
	/* Nobody knows how far it came: the person decides, with what was typed at hand. */
	if (rq->again) {
		page_error(rq, 503, "http.again");
		return;
	}
	rv = answer_route(rq);
	if (rq->app->session_over != NULL && rq->app->session_over(rq))
		rv = answer_anew(rq);
	if (rv < 0)
		page_fail(rq, rv);
	if (rq->arena.failed || rq->response->status == 0)
		rq->response->failed = true;
}

void
worker_replay(struct request *rq, const char *path)
{
	rq->method = METHOD_POST;
	rq->path = path;
	rq->replayed = true;
	rq->refusal = NULL;
	if (route_find(rq, rq->app->routes) == 0 && (rq->route->flags & ROUTE_PARK)) {
		int rv = answer_route(rq);

		if (rv < 0)
			page_fail(rq, rv);
	} else {
		response_redirect(rq, "/");
	}
}

/* A browser that learned HSTS from localhost would refuse every other port of it. */
static bool
public_name(const char *url)
{
	return strncmp(url, "https://", 8) == 0 && strncmp(url + 8, "localhost", 9) != 0 &&
	    strncmp(url + 8, "127.", 4) != 0 && url[8] != '[';
}

/* What the edge has sent in full by the time that its parameters are read. */
static bool
has_no_body(FCGX_Request *fcgi)
{
	const char *length = FCGX_GetParam("CONTENT_LENGTH", fcgi->envp);

	return length == NULL || *length == '\0';
}

static void
serve(struct app *app, FCGX_Request *fcgi)
{
	struct request *rq = calloc(1, sizeof(*rq));
	struct response rs;
	struct buf out = BUF_INIT;
	int status;

	response_init(&rs);
	rs.hsts = public_name(app->public_url);
	if (rq == NULL) {
		rs.failed = true;
	} else {
		arena_init(&rq->arena, ARENA_LIMIT);
		rq->app = app;
		rq->response = &rs;
		status = request_read(rq, fcgi);
		log_request(rq->request_id);
		if (status != 0) {
			char code[16];

			session_open(rq);
			snprintf(code, sizeof(code), "http.%d", status);
			page_error(rq, status, code);
		} else {
			worker_answer(rq);
		}
	}
	response_serialise(&rs, rq != NULL && rq->head, &out);
	if (has_no_body(fcgi))
		answer_send(fcgi, &out);
	else
		FCGX_PutStr((const char *)out.p, (int)out.len, fcgi->out);
	buf_free(&out);
	response_free(&rs);
	if (rq != NULL) {
		arena_reset(&rq->arena);
		bytes_wipe(rq, sizeof(*rq));
		free(rq);
	}
	log_request(NULL);
}

/* Takes a connection that is there; -1 when none is. */
static int
take_connection(void)
{
	struct timeval limit = { .tv_sec = SOCKET_SECONDS };
	int fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

/*
 * The next connection, or -1 when leaving.  SIGTERM is blocked except while
 * waiting here, so it never cuts a request in hand.
 */
static int
next_connection(struct app *app, int arrivals, const sigset_t *waiting)
{
	struct epoll_event event;
	int fd;

	while (!leaving) {
		if (app->idle != NULL)
			app->idle(app);
		if (epoll_pwait(arrivals, &event, 1, app->idle != NULL ? WORKER_IDLE_S * 1000 : -1, waiting) <= 0)
			continue;
		if ((fd = take_connection()) >= 0)
			return fd;
	}
	return -1;
}

/* One of the workers that wait is woken by a connection, and not all of them. */
static int
watch_arrivals(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, LISTEN_FD, &event) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Reads the request of a connection.  libfcgi accepts by itself and knows no time-out: it is given a
 * connection that has one, as if kept from before.
 */
static bool
read_request(FCGX_Request *fcgi, int fd)
{
	fcgi->ipcFd = fd;
	fcgi->keepConnection = 1;
	if (FCGX_Accept_r(fcgi) != 0)
		return false;
	fcgi->keepConnection = 0;
	return true;
}

static void
finish_request(FCGX_Request *fcgi)
{
	if (fcgi->ipcFd >= 0)
		FCGX_Finish_r(fcgi);
}

/* What came by connection fd, and for a program that answers several at once what else has come. */
static void
answer_arrived(struct app *app, FCGX_Request fcgi[WORKER_BATCH], int fd)
{
	size_t n = 0, i;

	alarm(REQUEST_SECONDS);
	do
		n += read_request(&fcgi[n], fd);
	while (n < app->batch && (fd = take_connection()) >= 0);
	if (n > 0 && app->raw != NULL)
		app->raw(app, fcgi, n);
	else if (n > 0)
		serve(app, fcgi);
	for (i = 0; i < n; i++)
		finish_request(&fcgi[i]);
	alarm(0);
}

/* works: where it says that it is open for requests; -1 when nobody asks. */
static int
worker_loop(struct app *app, int works)
{
	FCGX_Request fcgi[WORKER_BATCH];
	sigset_t blocked, waiting;
	int arrivals, fd, i;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	sigdelset(&waiting, SIGTERM);
	sigdelset(&waiting, SIGINT);
	if (FCGX_Init() != 0)
		return 1;
	for (i = 0; i < WORKER_BATCH; i++)
		if (FCGX_InitRequest(&fcgi[i], LISTEN_FD, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
			return 1;
	if ((arrivals = watch_arrivals()) < 0 || (app->start != NULL && app->start(app) != 0))
		return 1;
	if (works >= 0 && (write(works, "", 1) != 1 || close(works) != 0))
		return 1;
	while ((fd = next_connection(app, arrivals, &waiting)) >= 0)
		answer_arrived(app, fcgi, fd);
	return 0;
}

static pid_t
spawn(struct app *app, int works)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	leave(worker_loop(app, works));
}

/*
 * Starts those that are missing.  Until one of them has been open for requests, the
 * program waits for the first to say so, and passes it on.
 */
static void
spawn_missing(struct app *app, pid_t *pids, int count, int *told)
{
	int works[2] = { -1, -1 };
	char byte;

	if (!*told && pipe2(works, O_CLOEXEC) != 0)
		return;
	for (int i = 0; i < count; i++)
		if (pids[i] <= 0)
			pids[i] = spawn(app, works[1]);
	if (*told)
		return;
	close(works[1]);
	*told = read(works[0], &byte, 1) == 1;
	close(works[0]);
	if (*told)
		ready_tell();
}

static void
forward(const pid_t *pids, int count, int sig)
{
	for (int i = 0; i < count; i++)
		if (pids[i] > 0)
			kill(pids[i], sig);
}

int
worker_run(struct app *app, int count)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct timespec pause = { .tv_nsec = RESPAWN_MS * 1000000L };
	pid_t pids[WORKERS_MAX] = { 0 };
	int flags, status, told = 0;
	pid_t pid;

	if (count < 1 || count > WORKERS_MAX)
		count = 1;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Two workers may still wake for one connection: the loser must not block. */
	if ((flags = fcntl(LISTEN_FD, F_GETFL)) < 0 || fcntl(LISTEN_FD, F_SETFL, flags | O_NONBLOCK) != 0) {
		log_error("no_listener", "nothing listens on descriptor 0");
		return 1;
	}
	if (app->once && !once_share())
		log_warn("presses_not_remembered", "no shared memory");
	spawn_missing(app, pids, count, &told);
	log_info("started", "%d workers", count);
	while (!leaving) {
		if ((pid = wait(&status)) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (leaving)
			break;
		log_error("worker_died", "%s %d", WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		nanosleep(&pause, NULL);
		for (int i = 0; i < count; i++)
			if (pids[i] == pid)
				pids[i] = 0;
		if (!leaving)
			spawn_missing(app, pids, count, &told);
	}
	forward(pids, count, SIGTERM);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}
