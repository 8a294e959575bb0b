#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "libicert/clock.h"
#include "libicert/log.h"
#include "store/cache.h"

#define TIMEOUT_US	20000
#define BREAK_MS	2000	/* no try for so long after a failure */

struct cache {
	char		*path;
	redisContext	*ctx;
	int64_t		 closed_until;	/* monotonic ms: the breaker is open until then */
};

struct cache *
cache_open(const char *socket_path)
{
	struct cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	if ((c->path = strdup(socket_path != NULL ? socket_path : "")) == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

static void
drop(struct cache *c)
{
	if (c->ctx != NULL)
		redisFree(c->ctx);
	c->ctx = NULL;
}

void
cache_close(struct cache *c)
{
	if (c == NULL)
		return;
	drop(c);
	free(c->path);
	free(c);
}

static void
failed(struct cache *c)
{
	drop(c);
	c->closed_until = clock_mono_ms() + BREAK_MS;
	log_warn("cache_down", "no cache for %d ms", BREAK_MS);
}

static int
ready(struct cache *c)
{
	static const struct timeval limit = { .tv_usec = TIMEOUT_US };

	if (c == NULL || c->path[0] == '\0' || clock_mono_ms() < c->closed_until)
		return 0;
	if (c->ctx != NULL)
		return 1;
	c->ctx = redisConnectUnixWithTimeout(c->path, limit);
	if (c->ctx == NULL || c->ctx->err != 0 || redisSetTimeout(c->ctx, limit) != REDIS_OK) {
		failed(c);
		return 0;
	}
	return 1;
}

/* NULL when Redis did not answer in time or answered with an error. */
static redisReply *
command(struct cache *c, int argc, const char *const *argv, const size_t *lengths)
{
	redisReply *reply;

	if (!ready(c))
		return NULL;
	reply = redisCommandArgv(c->ctx, argc, (const char **)argv, lengths);
	if (reply == NULL) {
		failed(c);
		return NULL;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		freeReplyObject(reply);
		return NULL;
	}
	return reply;
}

int
cache_get(struct cache *c, const char *key, char **value, size_t *n)
{
	const char *argv[] = { "GET", key };
	const size_t lengths[] = { 3, strlen(key) };
	redisReply *reply = command(c, 2, argv, lengths);
	int found = 0;

	*value = NULL;
	*n = 0;
	if (reply == NULL)
		return 0;
	if (reply->type == REDIS_REPLY_STRING && (*value = malloc(reply->len + 1)) != NULL) {
		memcpy(*value, reply->str, reply->len);
		(*value)[reply->len] = '\0';
		*n = reply->len;
		found = 1;
	}
	freeReplyObject(reply);
	return found;
}

void
cache_set(struct cache *c, const char *key, const void *value, size_t n, int ttl)
{
	char seconds[16];
	const char *argv[] = { "SETEX", key, seconds, value };
	size_t lengths[] = { 5, strlen(key), 0, n };
	redisReply *reply;

	lengths[2] = (size_t)snprintf(seconds, sizeof seconds, "%d", ttl > 0 ? ttl : 1);
	reply = command(c, 4, argv, lengths);
	if (reply != NULL)
		freeReplyObject(reply);
}

int
cache_del(struct cache *c, const char *key)
{
	const char *argv[] = { "DEL", key };
	const size_t lengths[] = { 3, strlen(key) };
	redisReply *reply = command(c, 2, argv, lengths);

	if (reply == NULL)
		return 0;
	freeReplyObject(reply);
	return 1;
}
