/*
 * BER (ITU-T X.690, 8) made into DER's lengths: what other people's software writes
 * in one pass, with lengths that are indefinite or longer than needed and octet
 * strings in pieces, comes out as der.h reads it.  What is DER comes out as it was.
 */
#ifndef LIBICERT_BER_H
#define LIBICERT_BER_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"

#define BER_DEPTH_MAX 24

/*
 * Takes one element from p and appends it to out: definite, minimal lengths;
 * a constructed OCTET STRING as one primitive.  Nothing is reordered, no other value
 * is touched: a set whose members stand in another order than DER's, or a BOOLEAN of
 * another value than its two, stays so.  *used: octets of the element in p.
 * 0, ICERT_E_MALFORMED (also: tags of several octets, pieces of another kind,
 * deeper than BER_DEPTH_MAX), ICERT_E_MEMORY, ICERT_E_TOO_LARGE.
 */
int	ber_to_der(const uint8_t *p, size_t len, size_t *used, struct buf *out);

#endif
