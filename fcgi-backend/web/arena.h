#ifndef WEB_ARENA_H
#define WEB_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Memory of one request: everything a handler makes lives until the answer is
 * out, then all of it is overwritten with zeros and freed, so that the next
 * request of the same worker finds nothing of it.
 *
 * Every function returns NULL when memory is short and remembers it; the
 * framework then answers 500 whatever the handler did, so a handler need not
 * check each string it only shows.
 */
struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used;		/* bytes handed out since the last reset */
	size_t limit;		/* most bytes one request may take */
	bool failed;		/* memory was short once */
};

void arena_init(struct arena *, size_t limit);

/* n zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *, size_t n);

/* Copies; the result ends with a NUL.  A NULL source gives NULL. */
char *arena_strdup(struct arena *, const char *);
char *arena_strndup(struct arena *, const char *, size_t n);

char *arena_printf(struct arena *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Overwrites and frees everything; the arena can be used again. */
void arena_reset(struct arena *);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))

#endif
