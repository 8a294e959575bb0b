#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "web/once.h"
#include "web/response.h"
#include "web/route.h"
#include "web/worker.h"

#define ENTRIES 256
#define LOCATION 256
#define LOOK_MS 10
#define DIGEST 32

struct entry {
	uint8_t digest[DIGEST];
	int64_t at_ms;			/* of the last answer, or of the beginning; 0: free */
	pid_t busy;			/* who is at it; 0 nobody */
	char location[LOCATION];	/* where it led to; "" nowhere yet */
};

struct table {
	pthread_mutex_t lock;		/* robust: who died with it has left an entry at most half written */
	struct entry entries[ENTRIES];
};

static struct table *table;

bool
once_share(void)
{
	pthread_mutexattr_t attr;
	struct table *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED || pthread_mutexattr_init(&attr) != 0)
		return false;
	if (pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
	    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&t->lock, &attr) == 0)
		table = t;
	pthread_mutexattr_destroy(&attr);
	return table != NULL;
}

static bool
lock(void)
{
	int error = pthread_mutex_lock(&table->lock);

	/* Nothing in it is worth more than a second press. */
	if (error == EOWNERDEAD) {
		memset(table->entries, 0, sizeof(table->entries));
		error = pthread_mutex_consistent(&table->lock);
	}
	return error == 0;
}

static void
add(EVP_MD_CTX *md, const void *p, size_t len)
{
	uint64_t n = len;

	EVP_DigestUpdate(md, &n, sizeof(n));
	EVP_DigestUpdate(md, p, len);
}

/* Who asks for what with which fields and files. */
static bool
digest_of(const struct request *rq, uint8_t out[DIGEST])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	if (ok) {
		add(md, rq->session.identity, sizeof(rq->session.identity));
		add(md, rq->path, strlen(rq->path));
		for (size_t i = 0; i < rq->nform; i++) {
			add(md, rq->form[i].name, strlen(rq->form[i].name));
			add(md, rq->form[i].value, strlen(rq->form[i].value));
		}
		for (size_t i = 0; i < rq->nuploads; i++)
			add(md, rq->uploads[i].sha256, sizeof(rq->uploads[i].sha256));
		ok = EVP_DigestFinal_ex(md, out, NULL) == 1;
	}
	EVP_MD_CTX_free(md);
	return ok;
}

/* The entry of a digest, or the one to be used for it: free, or the oldest that nobody is at. */
static struct entry *
entry_of(const uint8_t digest[DIGEST], int64_t now)
{
	struct entry *oldest = NULL;

	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry *e = &table->entries[i];

		if (e->at_ms != 0 && memcmp(e->digest, digest, DIGEST) == 0) {
			if (e->busy == 0 && now - e->at_ms > ONCE_KEPT_MS)
				e->location[0] = '\0';
			return e;
		}
		if (e->busy == 0 && (oldest == NULL || e->at_ms < oldest->at_ms))
			oldest = e;
	}
	if (oldest != NULL) {
		memset(oldest, 0, sizeof(*oldest));
		memcpy(oldest->digest, digest, DIGEST);
	}
	return oldest;
}

/* Ours from now on, or still another's: then NULL.  A worker that died is at nothing. */
static struct entry *
take(const uint8_t digest[DIGEST], int64_t now)
{
	struct entry *e = entry_of(digest, now);

	if (e == NULL || (e->busy != 0 && (kill(e->busy, 0) == 0 || errno != ESRCH)))
		return NULL;
	e->busy = getpid();
	return e;
}

bool
once_begin(struct request *rq)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
	int64_t now = clock_mono_ms(), began = now;
	struct entry *e = NULL;
	bool same = false;

	if (table == NULL || rq->method != METHOD_POST || rq->session.state != SESSION_LIVE || (rq->route->roles & ROLE_PUBLIC) ||
	    !digest_of(rq, rq->once.digest))
		return false;
	for (; now - began < ONCE_WAIT_MS; now = clock_mono_ms()) {
		if (!lock())
			return false;
		if ((e = take(rq->once.digest, now)) != NULL) {
			snprintf(rq->once.before, sizeof(rq->once.before), "%s", e->location);
			same = (rq->route->flags & ROUTE_ONCE) && e->location[0] != '\0' && now - e->at_ms < ONCE_PRESS_MS;
			if (same)
				e->busy = 0;
			else if (e->at_ms == 0)
				e->at_ms = now;
		}
		pthread_mutex_unlock(&table->lock);
		if (e != NULL)
			break;
		nanosleep(&look, NULL);
	}
	rq->once.held = e != NULL && !same;
	return same && response_redirect(rq, "%s", rq->once.before) == 0;
}

/* A refusal that the first press may have brought about. */
static bool
refused(const struct request *rq, int rv)
{
	int status = rq->response->status;

	if (rv < 0)
		return rv == ICERT_E_CONFLICT || rv == ICERT_E_STATE || rv == ICERT_E_EXISTS || rv == ICERT_E_NOT_FOUND ||
		    rv == ICERT_E_CODE_REPLAYED || rv == ICERT_E_DESTROYED;
	return status == 403 || status == 404 || status == 409 || status == 410 || status == 422;
}

/* Led away without a word, where the first press was told that it is done. */
static bool
silent(const char *location, const char *before)
{
	return location != NULL && strstr(location, "aviso=") == NULL && strstr(before, "aviso=") != NULL;
}

int
once_end(struct request *rq, int rv)
{
	const char *location = rv == 0 && rq->response->status == 303 ? rq->response->location : NULL;
	bool forgiven = rq->once.held && rq->once.before[0] != '\0' && (refused(rq, rv) || silent(location, rq->once.before));
	struct entry *e;

	if (!rq->once.held)
		return rv;
	rq->once.held = false;
	if (lock()) {
		e = entry_of(rq->once.digest, clock_mono_ms());
		if (e != NULL && e->busy == getpid()) {
			e->busy = 0;
			e->at_ms = clock_mono_ms();
			if (location != NULL && !forgiven)
				snprintf(e->location, sizeof(e->location), "%s", strlen(location) < LOCATION ? location : "");
			else if (!forgiven)
				e->location[0] = '\0';
		}
		pthread_mutex_unlock(&table->lock);
	}
	if (!forgiven)
		return rv;
	response_again(rq->response);
	rq->nerrors = 0;
	return response_redirect(rq, "%s", rq->once.before);
}
