#ifndef ICERT_PROCEDURE_EVIDENCE_STATUS_H
#define ICERT_PROCEDURE_EVIDENCE_STATUS_H
/* The status that strangers see at this moment, fetched as they would.  For this room alone. */
#include <stdint.h>

#include "libicert/buf.h"

struct config;

/* [public] url: "ocsp_url" with the certificate and its issuer (DER).  ICERT_E_UNAVAILABLE. */
int	evidence_ocsp(const struct config *, const struct buf *cert, const struct buf *issuer, struct buf *out);
/* [public] KEY: "crl_url", "arl_url". */
int	evidence_list(const struct config *, const char *key, struct buf *out);

#endif
