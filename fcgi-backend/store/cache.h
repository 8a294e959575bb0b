#ifndef ICERT_STORE_CACHE_H
#define ICERT_STORE_CACHE_H
/*
 * Redis, which may vanish or freeze at any moment: every call is bounded by
 * 20 ms, and after a failure none is tried for two seconds.  A caller treats
 * "not there" and "cannot tell" alike, and asks PostgreSQL.
 */
#include <stddef.h>
#include <stdint.h>

struct cache;

/* Path of Redis's Unix socket; NULL or "" gives a cache that is always
 * empty.  NULL: out of memory. */
struct cache	*cache_open(const char *socket_path);
void		 cache_close(struct cache *c);

/* 1 and a malloc'd value (NUL after its bytes) when there, 0 otherwise. */
int		 cache_get(struct cache *c, const char *key, char **value, size_t *n);
/* Best effort; ttl in seconds, 1 and up. */
void		 cache_set(struct cache *c, const char *key, const void *value, size_t n, int ttl);
/* 1 when the key is certainly gone, 0 when Redis could not be asked. */
int		 cache_del(struct cache *c, const char *key);

#endif
