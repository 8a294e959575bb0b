/*
 * Reading DER (ITU-T X.690, 10): definite minimal lengths, tags of one octet,
 * zero copy.  A reader is a run of octets; taking from it moves it forward.
 */
#ifndef LIBICERT_DER_H
#define LIBICERT_DER_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/error.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80,		/* [n] IMPLICIT, primitive: DER_CONTEXT + n */
	DER_CONTEXT_CONSTRUCTED = 0xa0	/* [n] constructed: DER_CONTEXT_CONSTRUCTED + n */
};

struct der {
	const uint8_t	*p;
	size_t		 len;
};

void	der_init(struct der *, const void *p, size_t len);

/* 1 when nothing is left. */
int	der_empty(const struct der *);

/* The tag of the next element, or -1 when nothing is left. */
int	der_peek(const struct der *);

/*
 * Takes the next element whatever it is: its tag, its content, and, unless
 * NULL, the whole of it.  0 or ICERT_E_MALFORMED.
 */
int	der_next(struct der *, int *tag, struct der *content, struct der *whole);

/* Takes the next element, which must have that tag. */
int	der_take(struct der *, int tag, struct der *content);

/* 1: there was one of that tag and it is taken, 0: there is none, or ICERT_E_MALFORMED. */
int	der_take_optional(struct der *, int tag, struct der *content);

/*
 * Takes an INTEGER that is positive: *value are its octets, big-endian,
 * without a leading zero octet.  ICERT_E_MALFORMED for zero, a negative or a
 * padded one.
 */
int	der_take_positive(struct der *, struct der *value);

/* Takes a BOOLEAN that is not the default FALSE, if there is one: 1, 0, or ICERT_E_MALFORMED. */
int	der_take_true(struct der *);

/* 1 when the content is exactly these octets. */
int	der_is(const struct der *, const void *octets, size_t len);

#endif
