#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/datakey.h"
#include "web/upload.h"

int
upload_store(struct act *act, const struct document_store *files, struct keyclient *checker, const struct application *a,
    const struct upload *u, enum check_purpose purpose, uint64_t limit, struct accepted *got)
{
	struct upload_facts facts = { .spool = u->spool, .name = u->name, .size = u->size };
	uint8_t key[DATAKEY_BYTES];
	int rv;

	memcpy(facts.sha256, u->sha256, sizeof(facts.sha256));
	if ((rv = datakey_open(act, a->key, key)) != 0)
		return rv;
	rv = document_accept(files, checker, key, &facts, CHECK_ANY, purpose, limit, got);
	bytes_wipe(key, sizeof(key));
	return rv;
}

struct document *
upload_row(struct request *rq, const struct application *a, const char *kind, const struct accepted *got)
{
	struct document *d = arena_new(&rq->arena, struct document);

	if (d == NULL)
		return NULL;
	memcpy(d->application, a->id, sizeof(d->application));
	memcpy(d->key, a->key, sizeof(d->key));
	memcpy(d->file, got->file, sizeof(d->file));
	snprintf(d->kind, sizeof(d->kind), "%s", kind);
	snprintf(d->type, sizeof(d->type), "%s", got->type);
	snprintf(d->check, sizeof(d->check), "ok");
	memcpy(d->sha256, got->sha256, sizeof(d->sha256));
	memcpy(d->original_sha256, got->original_sha256, sizeof(d->original_sha256));
	d->size = (int64_t)got->size;
	d->width = (int)got->width;
	d->height = (int)got->height;
	d->pages = (int)got->pages;
	return d;
}

void
upload_undo(const struct document_store *files, const struct accepted *got, int error)
{
	if (error != ICERT_E_UNAVAILABLE && error != ICERT_E_TIMEOUT)
		document_drop(files, got->file);
}
