#ifndef PKI_DER_WRITE_H
#define PKI_DER_WRITE_H

#include "libicert/buf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * DER (ITU-T X.690) appended to a buffer.  A constructed value is opened, its
 * contents are appended, and closing it puts the length in place.  Failures
 * are the buffer's sticky ones, asked for once at the end with buf_error().
 */

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_NULL 0x05
#define DER_OID 0x06
#define DER_ENUMERATED 0x0A
#define DER_UTF8 0x0C
#define DER_PRINTABLE 0x13
#define DER_IA5 0x16
#define DER_UTC_TIME 0x17
#define DER_GENERALIZED_TIME 0x18
#define DER_SEQUENCE 0x30
#define DER_SET 0x31
#define DER_CONTEXT(n) (0x80 | (n))		/* primitive */
#define DER_CONTEXT_CONSTRUCTED(n) (0xA0 | (n))

/* Opens a value; the mark returned closes it.  Marks are closed in reverse order. */
size_t der_open(struct buf *, uint8_t tag);
void der_close(struct buf *, size_t mark);

/* The octets that hold this length (X.690, 8.1.3): at most 9, into out; how many. */
size_t der_length(uint8_t out[9], size_t length);

void der_value(struct buf *, uint8_t tag, const void *, size_t);
void der_text(struct buf *, uint8_t tag, const char *);
void der_boolean(struct buf *, int);
void der_null(struct buf *);
/* A non-negative integer from big-endian octets; leading zeros are dropped, the sign octet added. */
void der_unsigned(struct buf *, uint8_t tag, const uint8_t *, size_t);
void der_number(struct buf *, uint8_t tag, uint64_t);
/* "1.2.840.113549.1.1.11"; anything else fails the buffer with ICERT_E_INVALID. */
void der_oid(struct buf *, const char *dotted);
/* A BIT STRING of whole octets. */
void der_bits(struct buf *, const void *, size_t);
/*
 * The named bits, bit 0 the highest of the first octet (X.680, 22.7: trailing
 * zero bits are cut): `bits` holds bit n as 1 << n, n at most 15.
 */
void der_named_bits(struct buf *, unsigned bits);
/* UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5); UTC seconds. */
void der_time(struct buf *, int64_t);
/* Always GeneralizedTime, without a fraction (RFC 6960, 4.2.2.1). */
void der_generalized_time(struct buf *, uint8_t tag, int64_t);

#endif
