#include <string.h>

#include "libicert/der.h"

void
der_init(struct der *d, const void *p, size_t len)
{
	d->p = p;
	d->len = len;
}

int
der_empty(const struct der *d)
{
	return d->len == 0;
}

int
der_peek(const struct der *d)
{
	return d->len == 0 ? -1 : d->p[0];
}

int
der_next(struct der *d, int *tag, struct der *content, struct der *whole)
{
	const uint8_t	*p = d->p;
	size_t		 head = 2, len, octets;

	if (d->len < 2 || (p[0] & 0x1f) == 0x1f)
		return ICERT_E_MALFORMED;
	if ((len = p[1]) & 0x80) {
		/* X.690, 10.1: definite, and no longer than needed. */
		octets = len & 0x7f;
		if (octets == 0 || octets > 4 || d->len < 2 + octets || p[2] == 0)
			return ICERT_E_MALFORMED;
		len = 0;
		for (size_t i = 0; i < octets; i++)
			len = len << 8 | p[2 + i];
		if (len < 0x80)
			return ICERT_E_MALFORMED;
		head += octets;
	}
	if (d->len - head < len)
		return ICERT_E_MALFORMED;
	*tag = p[0];
	der_init(content, p + head, len);
	if (whole != NULL)
		der_init(whole, p, head + len);
	der_init(d, p + head + len, d->len - head - len);
	return 0;
}

int
der_take(struct der *d, int tag, struct der *content)
{
	int	found;

	if (der_peek(d) != tag || der_next(d, &found, content, NULL) != 0)
		return ICERT_E_MALFORMED;
	return 0;
}

int
der_take_optional(struct der *d, int tag, struct der *content)
{
	if (der_peek(d) != tag)
		return 0;
	return der_take(d, tag, content) != 0 ? ICERT_E_MALFORMED : 1;
}

int
der_take_positive(struct der *d, struct der *value)
{
	if (der_take(d, DER_INTEGER, value) != 0 || value->len == 0 || (value->p[0] & 0x80) != 0)
		return ICERT_E_MALFORMED;
	if (value->p[0] != 0)
		return 0;
	/* X.690, 8.3.2: a zero octet only before one that would read as negative. */
	if (value->len < 2 || (value->p[1] & 0x80) == 0)
		return ICERT_E_MALFORMED;
	value->p++;
	value->len--;
	return 0;
}

int
der_take_true(struct der *d)
{
	struct der	value;
	int		rc;

	if ((rc = der_take_optional(d, DER_BOOLEAN, &value)) != 1)
		return rc;
	return value.len == 1 && value.p[0] == 0xff ? 1 : ICERT_E_MALFORMED;
}

int
der_is(const struct der *d, const void *octets, size_t len)
{
	/* Of nothing, p may be NULL. */
	return d->len == len && (len == 0 || memcmp(d->p, octets, len) == 0);
}
