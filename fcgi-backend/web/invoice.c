#include "web/invoice.h"

#include "libicert/error.h"
#include "web/response.h"

int
invoice_send(struct request *rq, struct act *act, const struct document_store *files, enum invoicing_part part)
{
	struct invoicing *v = arena_new(&rq->arena, struct invoicing);
	struct buf out = BUF_INIT;
	int rv = v == NULL ? ICERT_E_MEMORY : invoicing_read(act, files, rq->id[0], rq->id[1], part, v, &out);

	if (rv == 0)
		rv = response_file(rq, part == INVOICING_PDF ? "application/pdf" : "application/xml",
		    arena_printf(&rq->arena, "%s.%s", v->access_key, part == INVOICING_PDF ? "pdf" : "xml"), out.p, out.len);
	buf_free(&out);
	return rv;
}

const char *
invoice_day(struct request *rq, const struct invoicing *v)
{
	return arena_printf(&rq->arena, "%.2s/%.2s/%.4s", v->day + 8, v->day + 5, v->day);
}
