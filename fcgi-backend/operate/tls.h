#ifndef ICERT_OPERATE_TLS_H
#define ICERT_OPERATE_TLS_H
#include <openssl/x509.h>

#include "operate/instance.h"

/*
 * The certificate with which portal and desk of a private instance answer on
 * localhost: self-made, P-256, 825 days, made anew when it is missing or has
 * less than a month left.  A real one is put in its place by configuration.
 */
int	tls_prepare(const struct instance *i);

/* Adds an extension of a self-made certificate, in OpenSSL's words; 1, or 0. */
int	tls_extension(X509 *certificate, int nid, const char *value);

#endif
