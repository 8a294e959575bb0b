/* A request as FastCGI brings it: parameters that end in NUL, an empty one, and the body. */
#include "web/request.h"

#include "libicert/utf8.h"

#include <stdlib.h>
#include <string.h>

#define PARAMS 16

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
clean(const char *text)
{
	if (text != NULL && !utf8_text(text, strlen(text)))
		abort();
}

static void
look(const struct request *rq)
{
	if (rq->nquery > WEB_FIELDS_MAX || rq->nform > WEB_FIELDS_MAX || rq->nuploads > WEB_UPLOADS_MAX || rq->path[0] != '/' ||
	    (rq->method != METHOD_GET && rq->method != METHOD_POST))
		abort();
	clean(rq->path);
	for (size_t i = 0; i < rq->nquery; i++) {
		clean(rq->query[i].name);
		clean(rq->query[i].value);
	}
	for (size_t i = 0; i < rq->nform; i++) {
		clean(rq->form[i].name);
		clean(rq->form[i].value);
	}
	/* A name in the spool leads nowhere else. */
	for (size_t i = 0; i < rq->nuploads; i++) {
		const char *name = rq->uploads[i].spool, *slash = strchr(name, '/');

		if (slash == NULL || slash == name || name[0] == '.' || slash[1] == '\0' || slash[1] == '.' ||
		    strchr(slash + 1, '/') != NULL)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct request *rq = calloc(1, sizeof(*rq));
	char *copy = calloc(1, len + 1);
	char *params[PARAMS + 1] = { NULL };
	size_t at = 0;

	memcpy(copy, data, len);
	for (size_t n = 0; n < PARAMS && at < len && copy[at] != '\0'; n++) {
		params[n] = copy + at;
		at += strlen(copy + at) + 1;
	}
	at = at < len ? at + 1 : len;
	arena_init(&rq->arena, 1 << 20);
	if (request_parse(rq, params, (const unsigned char *)copy + at, len - at) == 0 && !rq->arena.failed)
		look(rq);
	clean(request_cookie(rq, "s") == NULL ? NULL : "");
	arena_reset(&rq->arena);
	free(rq);
	free(copy);
	return 0;
}
