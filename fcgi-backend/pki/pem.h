#ifndef PKI_PEM_H
#define PKI_PEM_H

#include "libicert/buf.h"

/* Appends a certificate as PEM (RFC 7468, 5), 64 characters a line. */
void pem_certificate(struct buf *, const uint8_t *der, size_t len);

#endif
