#include "web/desk/difference.h"

#include <stdint.h>
#include <string.h>

struct lines {
	const char **list;
	size_t n;
};

static int
split(struct arena *arena, const char *text, struct lines *out)
{
	size_t room = 1;

	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		room++;
	if ((out->list = arena_array(arena, const char *, room)) == NULL)
		return -1;
	for (out->n = 0; *text != '\0'; out->n++) {
		size_t len = strcspn(text, "\n");

		if ((out->list[out->n] = arena_strndup(arena, text, len)) == NULL)
			return -1;
		text += len + (text[len] == '\n');
	}
	return 0;
}

/* common[i * (b.n + 1) + k]: lines that a from i and b from k have in common, in order. */
static uint16_t *
common_of(struct arena *arena, const struct lines *a, const struct lines *b)
{
	size_t width = b->n + 1;
	uint16_t *common = arena_array(arena, uint16_t, (a->n + 1) * width);

	for (size_t i = a->n; common != NULL && i-- > 0;)
		for (size_t k = b->n; k-- > 0;) {
			uint16_t down = common[(i + 1) * width + k], right = common[i * width + k + 1];

			common[i * width + k] = strcmp(a->list[i], b->list[k]) == 0 ?
			    (uint16_t)(common[(i + 1) * width + k + 1] + 1) : down > right ? down : right;
		}
	return common;
}

struct difference_line *
difference(struct arena *arena, const char *before, const char *after, size_t *n)
{
	struct difference_line *out;
	struct lines a, b;
	uint16_t *common = NULL;
	size_t i = 0, k = 0;

	*n = 0;
	if (split(arena, before, &a) != 0 || split(arena, after, &b) != 0 ||
	    (out = arena_array(arena, struct difference_line, a.n + b.n + 1)) == NULL)
		return NULL;
	if (a.n <= DIFFERENCE_LINES && b.n <= DIFFERENCE_LINES && (common = common_of(arena, &a, &b)) == NULL)
		return NULL;
	while (i < a.n || k < b.n) {
		if (common != NULL && i < a.n && k < b.n && strcmp(a.list[i], b.list[k]) == 0) {
			out[(*n)++] = (struct difference_line){ LINE_SAME, b.list[k] };
			i++, k++;
		} else if (i < a.n && (k == b.n || common == NULL ||
		    common[(i + 1) * (b.n + 1) + k] >= common[i * (b.n + 1) + k + 1]))
			out[(*n)++] = (struct difference_line){ LINE_REMOVED, a.list[i++] };
		else
			out[(*n)++] = (struct difference_line){ LINE_ADDED, b.list[k++] };
	}
	return out;
}
