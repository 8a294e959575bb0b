#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libicert/error.h"
#include "libicert/sniff.h"
#include "procedure/datakey.h"
#include "web/upload.h"

int
upload_store(struct act *act, const struct document_store *files, struct keyclient *checker, const char *key_id,
    const struct upload *u, enum check_purpose purpose, uint64_t limit, struct accepted *got)
{
	struct upload_facts facts = { .spool = u->spool, .name = u->name, .size = u->size };
	uint8_t key[DATAKEY_BYTES];
	int rv;

	memcpy(facts.sha256, u->sha256, sizeof(facts.sha256));
	if ((rv = datakey_open(act, key_id, key)) != 0)
		return rv;
	rv = document_accept(files, checker, key, &facts, CHECK_ANY, purpose, limit, got);
	bytes_wipe(key, sizeof(key));
	return rv;
}

static int
refused(const char **reason, const char *why)
{
	*reason = why;
	return ICERT_E_INVALID;
}

int
upload_bytes(const struct document_store *files, const struct upload *u, uint64_t limit, struct buf *out, const char **reason)
{
	uint8_t sha256[32];
	int fd, rv;

	*reason = NULL;
	if (u->size == 0)
		return refused(reason, "upload.empty");
	if (u->size > limit)
		return refused(reason, "upload.too_large");
	if ((rv = document_spool_open(files, u->spool, &fd)) != 0)
		return rv;
	rv = document_read(fd, limit, out);
	close(fd);
	if (rv == ICERT_E_TOO_LARGE)
		return refused(reason, "upload.too_large");
	if (rv != 0)
		return rv;
	crypto_hash_sha256(sha256, out->p, out->len);
	return memcmp(sha256, u->sha256, sizeof(sha256)) == 0 ? 0 : ICERT_E_MISMATCH;
}

int
upload_pdf(const struct document_store *files, const struct upload *u, uint64_t limit, struct buf *out, const char **reason)
{
	int rv = upload_bytes(files, u, limit, out, reason);

	return rv != 0 || sniff(out->p, out->len) == SNIFF_PDF ? rv : refused(reason, "upload.contract_pdf");
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
