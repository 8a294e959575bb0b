#ifndef ICERT_PROCEDURE_EVIDENCE_STATUS_H
#define ICERT_PROCEDURE_EVIDENCE_STATUS_H
/* The status that strangers see at this moment, fetched as they would.  For this room alone. */
#include <stdint.h>

#include "libicert/buf.h"

struct config;

/* [public] url: "ocsp_url" with the certificate and its issuer (DER).  ICERT_E_UNAVAILABLE. */
int	evidence_ocsp(const struct config *, const struct buf *cert, const struct buf *issuer, struct buf *out);
/* A list of revoked certificates by its address. */
int	evidence_list(const char *url, struct buf *out);

#endif
