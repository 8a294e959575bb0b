#include <string.h>

#include "libicert/error.h"
#include "procedure/contract/contract_copy.h"
#include "web/desk/desk.h"
#include "web/upload.h"

/* What the pages of a contract share, the operator's and the director's: a PDF that comes, and a copy that is sent. */

void
desk_paper_refusal(struct request *rq)
{
	if (rq->refusal == NULL || page_error_of(rq, "file") != NULL)
		return;
	rq->nerrors = 0;
	page_field_error(rq, "file", page_refusal_code(rq));
}

int
desk_paper(struct request *rq, struct buf *bytes)
{
	const struct upload *u = request_upload(rq, "file");
	const char *reason = "upload.missing";
	int rv = u == NULL ? ICERT_E_INVALID :
	    upload_pdf(&desk_of(rq)->files, u, contract_bytes_max(desk_act(rq)), bytes, &reason);

	if (rv != ICERT_E_INVALID)
		return rv;
	page_field_error(rq, "file", reason);
	return strcmp(reason, "upload.too_large") == 0 ? 413 : 422;
}

int
desk_paper_send(struct request *rq, const struct application *a, const char *id, const char *name)
{
	struct contract_copy *list = arena_array(&rq->arena, struct contract_copy, CONTRACT_COPIES), *found = NULL;
	struct buf file = BUF_INIT;
	size_t n = CONTRACT_COPIES;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = contract_copies(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n && found == NULL; i++)
		if (id != NULL ? strcmp(list[i].id, id) == 0 :
		    strcmp(list[i].state, "valid") == 0 && strcmp(list[i].source, "director") != 0)
			found = &list[i];
	rv = found != NULL ? contract_copy_file(desk_act(rq), &desk_of(rq)->files, found, &file) : ICERT_E_NOT_FOUND;
	if (rv == 0)
		rv = response_file(rq, "application/pdf", arena_printf(&rq->arena, "contrato-%s.pdf", name), file.p, file.len);
	buf_free(&file);
	return rv;
}
