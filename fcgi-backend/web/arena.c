#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/buf.h"
#include "web/arena.h"

#define BLOCK_SIZE	(16 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t size;		/* bytes of data */
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

void
arena_init(struct arena *a, size_t limit)
{
	memset(a, 0, sizeof(*a));
	a->limit = limit;
}

static struct arena_block *
block_for(struct arena *a, size_t n)
{
	struct arena_block *b = a->blocks;
	size_t size = n > BLOCK_SIZE ? n : BLOCK_SIZE;

	if (b != NULL && b->size - b->used >= n)
		return b;
	if ((b = calloc(1, sizeof(*b) + size)) == NULL)
		return NULL;
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	size_t round = alignof(max_align_t) - 1;
	struct arena_block *b;
	void *p;

	if (n == 0)
		n = 1;
	if (n > SIZE_MAX - round || (n = (n + round) & ~round) > a->limit - a->used ||
	    (b = block_for(a, n)) == NULL) {
		a->failed = true;
		return NULL;
	}
	p = b->data + b->used;
	b->used += n;
	a->used += n;
	return p;
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p;

	if (s == NULL || (p = arena_alloc(a, n + 1)) == NULL)
		return NULL;
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return s != NULL ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (p = arena_alloc(a, (size_t)n + 1)) == NULL) {
		a->failed = true;
		return NULL;
	}
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void
arena_reset(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *next = a->blocks->next;

		bytes_wipe(a->blocks->data, a->blocks->size);
		free(a->blocks);
		a->blocks = next;
	}
	a->used = 0;
	a->failed = false;
}
