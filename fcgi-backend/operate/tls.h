#ifndef ICERT_OPERATE_TLS_H
#define ICERT_OPERATE_TLS_H
#include "operate/instance.h"

/*
 * The certificate with which portal and desk of a private instance answer on
 * localhost: self-made, P-256, 825 days, made anew when it is missing or has
 * less than a month left.  A real one is put in its place by configuration.
 */
int	tls_prepare(const struct instance *i);

#endif
