#include <string.h>

#include "libicert/error.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/token.h"
#include "web/response.h"
#include "web/token_file.h"

int
token_file(struct request *rq, struct act *act, const struct application *a, bool chain)
{
	struct certificate *c = arena_new(&rq->arena, struct certificate);
	struct buf cer = BUF_INIT, pem = BUF_INIT;
	const struct buf *file = chain ? &pem : &cer;
	int rv;

	if (c == NULL)
		return ICERT_E_MEMORY;
	if (strcmp(a->container, CONTAINER_TOKEN) != 0)
		return ICERT_E_NOT_FOUND;
	if ((rv = certificate_of(act, a->id, c)) == 0 && (rv = certificate_files(act, c->id, &cer, &pem)) == 0)
		rv = response_file(rq, chain ? "application/x-pem-file" : "application/pkix-cert",
		    arena_printf(&rq->arena, chain ? "certificado-%s-cadena.pem" : "certificado-%s.cer", a->number), file->p, file->len);
	buf_free(&cer);
	buf_free(&pem);
	return rv;
}
