#ifndef PKI_LINT_CRL_H
#define PKI_LINT_CRL_H

#include "pki/crl.h"
#include "pki/lint.h"

/*
 * A signed CRL read back with OpenSSL: signature, issuer, version, numbers, times, each entry.
 * 0; ICERT_E_LINT with the finding.
 */
int lint_crl(const uint8_t *issuer, size_t issuer_len, const struct crl *, const uint8_t *der, size_t len,
    struct lint_finding *);

#endif
