/* Multipart bodies: the same events for every split of the input. */
#include "libicert/multipart.h"
#include "libicert/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct trace {
	uint8_t *p;
	size_t len, room;
};

static void
put(struct trace *t, const void *p, size_t len)
{
	if (t->len + len > t->room) {
		t->room = 2 * (t->len + len);
		t->p = realloc(t->p, t->room);
	}
	memcpy(t->p + t->len, p, len);
	t->len += len;
}

static int
event(void *arg, const struct multipart_event *e)
{
	static const char mark[] = "\xff" "PDEF";
	char clean[64];

	if (e->kind != MULTIPART_DATA)
		put(arg, &mark[e->kind], 1);
	if (e->kind == MULTIPART_PART) {
		if (!utf8_printable(e->name, e->name_len) || e->name_len == 0)
			abort();
		put(arg, e->name, e->name_len + 1);
		if (e->file_name != NULL) {
			put(arg, e->file_name, e->file_name_len + 1);
			if (multipart_clean_name(e->file_name, e->file_name_len, clean, 63) > 63 ||
			    strpbrk(clean, "/\\\r\n\"") != NULL || clean[0] == '.')
				abort();
		}
	} else if (e->kind == MULTIPART_DATA) {
		if (e->len == 0)
			abort();
		put(arg, e->data, e->len);
	}
	return 0;
}

/* The first octets choose how the body is cut; 0: not at all. */
static int
run(struct trace *t, const char **why, const uint8_t *data, size_t len, const uint8_t *cut, size_t cuts)
{
	struct multipart m;
	size_t n, i = 0;

	t->p = NULL;
	t->len = t->room = 0;
	multipart_init(&m, "b", 1, event, t);
	while (len > 0) {
		n = cuts == 0 ? len : 1 + cut[i++ % cuts] % 9;
		if (n > len)
			n = len;
		if (multipart_feed(&m, data, n) != 0)
			break;
		data += n;
		len -= n;
	}
	multipart_finish(&m);
	*why = m.why;
	return m.result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct trace whole, pieces;
	const char *why[2];
	char boundary[MULTIPART_BOUNDARY_MAX + 1];
	size_t boundary_len;
	int rc[2];

	if (multipart_boundary((const char *)data, len, boundary, &boundary_len) == 1 &&
	    (boundary_len == 0 || boundary_len > MULTIPART_BOUNDARY_MAX || strlen(boundary) != boundary_len))
		abort();
	if (len < 4)
		return 0;
	rc[0] = run(&whole, &why[0], data + 4, len - 4, NULL, 0);
	rc[1] = run(&pieces, &why[1], data + 4, len - 4, data, 4);
	if (rc[0] != rc[1] || why[0] != why[1] || whole.len != pieces.len ||
	    (whole.len != 0 && memcmp(whole.p, pieces.p, whole.len) != 0))
		abort();
	free(whole.p);
	free(pieces.p);
	return 0;
}
