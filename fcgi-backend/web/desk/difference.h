#ifndef WEB_DESK_DIFFERENCE_H
#define WEB_DESK_DIFFERENCE_H

#include <stddef.h>

#include "web/arena.h"

/*
 * What changed between two texts, line by line: the second one's lines with those that only the
 * first had between them.
 */
enum difference_kind { LINE_SAME, LINE_ADDED, LINE_REMOVED };

struct difference_line {
	enum difference_kind kind;
	const char *text;	/* in the arena, without its newline; "" an empty line */
};

/* NULL when memory is short; *n lines.  Beyond DIFFERENCE_LINES of either text everything counts as changed. */
#define DIFFERENCE_LINES 400
struct difference_line *difference(struct arena *, const char *before, const char *after, size_t *n);

#endif
