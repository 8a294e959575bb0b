#include "keys/sign_pool.h"
#include "libicert/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define THREADS_MAX 63
#define STACK ((size_t)256 << 10)
#define SHARE 4			/* digests a thread takes at a time */
#define ALONE 16		/* so few are not worth waking anyone */

/*
 * A thread's own context for the key it signed with last: to make one takes a quarter of a signature.  And a library context of its
 * own: OpenSSL's locks and counters in the common one go from core to core with every signature, a twentieth of its time.
 */
struct signing {
	OSSL_LIB_CTX *library;
	EVP_PKEY *key;
	EVP_PKEY_CTX *ctx;
};

struct sign_pool {
	pthread_t thread[THREADS_MAX];
	unsigned threads;
	struct signing own;		/* of the one that asks */
	pthread_mutex_t lock;
	pthread_cond_t begun, ended;
	uint64_t job;			/* counts them: a thread sees that there is a new one */
	unsigned working;
	int closing;
	/* the job */
	EVP_PKEY *key;
	size_t n;
	const uint8_t *const *digest;
	struct sign_pool_signature *signature;
	atomic_size_t next;
	atomic_int failed;
};

static void
signing_end(struct signing *s)
{
	EVP_PKEY_CTX_free(s->ctx);
	EVP_PKEY_free(s->key);
	s->ctx = NULL;
	s->key = NULL;
}

static void
signing_close(struct signing *s)
{
	signing_end(s);
	OSSL_LIB_CTX_free(s->library);
	s->library = NULL;
}

/* The reference held keeps another key from standing at the same address. */
static EVP_PKEY_CTX *
signing_with(struct signing *s, EVP_PKEY *key)
{
	if (s->key == key)
		return s->ctx;
	signing_end(s);
	if ((s->library == NULL && (s->library = OSSL_LIB_CTX_new()) == NULL) || EVP_PKEY_up_ref(key) != 1)
		return NULL;
	s->key = key;
	s->ctx = EVP_PKEY_CTX_new_from_pkey(s->library, key, NULL);
	if (s->ctx == NULL || EVP_PKEY_sign_init(s->ctx) != 1 || EVP_PKEY_CTX_set_signature_md(s->ctx, EVP_sha256()) != 1)
		signing_end(s);
	return s->ctx;
}

static void
sign_shares(struct sign_pool *p, struct signing *own)
{
	EVP_PKEY_CTX *key = signing_with(own, p->key);
	size_t i, end;

	if (key == NULL)
		atomic_store(&p->failed, 1);
	while (!atomic_load(&p->failed) && (i = atomic_fetch_add(&p->next, SHARE)) < p->n) {
		for (end = i + SHARE < p->n ? i + SHARE : p->n; i < end; i++) {
			p->signature[i].len = sizeof(p->signature[i].bytes);
			if (EVP_PKEY_sign(key, p->signature[i].bytes, &p->signature[i].len, p->digest[i], 32) != 1)
				atomic_store(&p->failed, 1);
		}
	}
}

static void *
work(void *arg)
{
	struct signing own = { NULL, NULL, NULL };
	struct sign_pool *p = arg;
	uint64_t seen = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->job == seen && !p->closing)
			pthread_cond_wait(&p->begun, &p->lock);
		if (p->closing)
			break;
		seen = p->job;
		pthread_mutex_unlock(&p->lock);
		sign_shares(p, &own);
		pthread_mutex_lock(&p->lock);
		if (--p->working == 0)
			pthread_cond_signal(&p->ended);
	}
	pthread_mutex_unlock(&p->lock);
	signing_close(&own);
	return NULL;
}

int
sign_pool_open(struct sign_pool **out, unsigned threads)
{
	struct sign_pool *p = calloc(1, sizeof(*p));
	pthread_attr_t attr;

	if (p == NULL)
		return ICERT_E_MEMORY;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->begun, NULL);
	pthread_cond_init(&p->ended, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	while (p->threads < threads && p->threads < THREADS_MAX &&
	    pthread_create(&p->thread[p->threads], &attr, work, p) == 0)
		p->threads++;
	pthread_attr_destroy(&attr);
	if (p->threads < threads && p->threads < THREADS_MAX) {
		sign_pool_close(p);
		return ICERT_E_SYSTEM;
	}
	*out = p;
	return 0;
}

void
sign_pool_close(struct sign_pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = 1;
	pthread_cond_broadcast(&p->begun);
	pthread_mutex_unlock(&p->lock);
	while (p->threads > 0)
		pthread_join(p->thread[--p->threads], NULL);
	signing_close(&p->own);
	pthread_cond_destroy(&p->begun);
	pthread_cond_destroy(&p->ended);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

int
sign_pool_sign(struct sign_pool *p, EVP_PKEY *key, size_t n, const uint8_t *const digest[],
    struct sign_pool_signature *signature)
{
	int together = n >= ALONE && p->threads > 0;

	p->key = key;
	p->n = n;
	p->digest = digest;
	p->signature = signature;
	atomic_store(&p->next, 0);
	atomic_store(&p->failed, 0);
	if (together) {
		pthread_mutex_lock(&p->lock);
		p->job++;
		p->working = p->threads;
		pthread_cond_broadcast(&p->begun);
		pthread_mutex_unlock(&p->lock);
	}
	sign_shares(p, &p->own);
	if (together) {
		pthread_mutex_lock(&p->lock);
		while (p->working > 0)
			pthread_cond_wait(&p->ended, &p->lock);
		pthread_mutex_unlock(&p->lock);
	}
	return atomic_load(&p->failed) ? ICERT_E_CRYPTO : 0;
}
