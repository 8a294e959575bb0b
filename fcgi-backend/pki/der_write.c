#include "pki/der_write.h"
#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

size_t
der_length(uint8_t out[9], size_t length)
{
	size_t n = 0, i;

	if (length < 128) {
		out[0] = (uint8_t)length;
		return 1;
	}
	for (i = length; i != 0; i >>= 8)
		n++;
	out[0] = (uint8_t)(0x80 | n);
	for (i = 0; i < n; i++)
		out[1 + i] = (uint8_t)(length >> (8 * (n - 1 - i)));
	return n + 1;
}

size_t
der_open(struct buf *b, uint8_t tag)
{
	buf_putc(b, tag);
	return b->len;
}

void
der_close(struct buf *b, size_t mark)
{
	uint8_t octets[9];
	size_t n, length;

	if (buf_error(b) != 0)
		return;
	length = b->len - mark;
	n = der_length(octets, length);
	if (buf_room(b, n) == NULL)
		return;
	memmove(b->p + mark + n, b->p + mark, length);
	memcpy(b->p + mark, octets, n);
	buf_took(b, n);
}

void
der_value(struct buf *b, uint8_t tag, const void *p, size_t len)
{
	uint8_t octets[9];

	buf_putc(b, tag);
	buf_put(b, octets, der_length(octets, len));
	buf_put(b, p, len);
}

void
der_text(struct buf *b, uint8_t tag, const char *text)
{
	der_value(b, tag, text, strlen(text));
}

void
der_boolean(struct buf *b, int value)
{
	uint8_t octet = value ? 0xFF : 0;

	der_value(b, DER_BOOLEAN, &octet, 1);
}

void
der_null(struct buf *b)
{
	der_value(b, DER_NULL, "", 0);
}

void
der_unsigned(struct buf *b, uint8_t tag, const uint8_t *p, size_t len)
{
	size_t mark;

	while (len > 1 && p[0] == 0) {
		p++;
		len--;
	}
	mark = der_open(b, tag);
	if (len == 0 || (p[0] & 0x80) != 0)
		buf_putc(b, 0);
	buf_put(b, p, len);
	der_close(b, mark);
}

void
der_number(struct buf *b, uint8_t tag, uint64_t value)
{
	uint8_t octets[8];
	int i;

	for (i = 0; i < 8; i++)
		octets[i] = (uint8_t)(value >> (8 * (7 - i)));
	der_unsigned(b, tag, octets, sizeof(octets));
}

static void
oid_arc(struct buf *b, unsigned long arc)
{
	uint8_t octets[10];
	size_t n = sizeof(octets);

	octets[--n] = (uint8_t)(arc & 0x7F);
	while ((arc >>= 7) != 0)
		octets[--n] = (uint8_t)(0x80 | (arc & 0x7F));
	buf_put(b, octets + n, sizeof(octets) - n);
}

void
der_oid(struct buf *b, const char *dotted)
{
	unsigned long arc, first = 0;
	size_t mark, count = 0;
	char *end;

	mark = der_open(b, DER_OID);
	for (;; dotted = end + 1, count++) {
		if (*dotted < '0' || *dotted > '9')
			break;
		arc = strtoul(dotted, &end, 10);
		if (arc > 0xFFFFFFFFUL || (*end != '.' && *end != '\0'))
			break;
		if (count == 0)
			first = arc;
		else if (count == 1)
			oid_arc(b, first * 40 + arc);
		else
			oid_arc(b, arc);
		if (*end == '\0') {
			if (count == 0 || first > 2)
				break;
			der_close(b, mark);
			return;
		}
	}
	buf_fail(b, ICERT_E_INVALID);
}

void
der_bits(struct buf *b, const void *p, size_t len)
{
	size_t mark = der_open(b, DER_BIT_STRING);

	buf_putc(b, 0);
	buf_put(b, p, len);
	der_close(b, mark);
}

void
der_named_bits(struct buf *b, unsigned bits)
{
	uint8_t octets[2] = { 0, 0 };
	unsigned i, highest = 0;
	size_t mark;

	for (i = 0; i < 16; i++)
		if (bits & (1U << i)) {
			octets[i / 8] |= (uint8_t)(0x80 >> (i % 8));
			highest = i;
		}
	mark = der_open(b, DER_BIT_STRING);
	if (bits == 0) {
		buf_putc(b, 0);
	} else {
		buf_putc(b, (int)(7 - highest % 8));
		buf_put(b, octets, highest / 8 + 1);
	}
	der_close(b, mark);
}

static char *
two_digits(char *p, int n)
{
	*p++ = (char)('0' + n / 10);
	*p++ = (char)('0' + n % 10);
	return p;
}

static void
time_text(struct buf *b, uint8_t tag, int64_t t, int utc)
{
	char text[16], *p = text;	/* YYYYMMDDhhmmssZ */
	time_t seconds = (time_t)t;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year + 1900 < 1950 || tm.tm_year + 1900 > 9999) {
		buf_fail(b, ICERT_E_INVALID);
		return;
	}
	if (!utc)
		p = two_digits(p, (tm.tm_year + 1900) / 100);
	p = two_digits(p, tm.tm_year % 100);
	p = two_digits(p, tm.tm_mon + 1);
	p = two_digits(p, tm.tm_mday);
	p = two_digits(p, tm.tm_hour);
	p = two_digits(p, tm.tm_min);
	p = two_digits(p, tm.tm_sec);
	*p++ = 'Z';
	der_value(b, tag, text, (size_t)(p - text));
}

void
der_time(struct buf *b, int64_t t)
{
	const int64_t year_2050 = 2524608000;

	if (t < year_2050)
		time_text(b, DER_UTC_TIME, t, 1);
	else
		time_text(b, DER_GENERALIZED_TIME, t, 0);
}

void
der_generalized_time(struct buf *b, uint8_t tag, int64_t t)
{
	time_text(b, tag, t, 0);
}
