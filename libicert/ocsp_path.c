#include "libicert/ocsp_request.h"

/* What a character is, once it is no escape: the value of a base64 digit, or one of these. */
enum {
	PADDING = 64,
	ESCAPE = 128,
	OTHER = 129
};

/* A space is a "+" that somebody took for a form's. */
#define O	OTHER
static const uint8_t digit[256] = {
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	62, O, O, O, O, ESCAPE, O, O, O, O, O, 62, O, O, O, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, O, O, O, PADDING, O, O,
	O, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, O, O, O, O, O,
	O, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O
};
#undef O

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* What the next character is, percent-decoded once. */
static unsigned
next_value(const char **p, const char *end)
{
	unsigned	value = digit[(unsigned char)**p];
	int		high, low;

	if (value != ESCAPE) {
		(*p)++;
		return value;
	}
	if (end - *p < 3 || (high = hex((*p)[1])) < 0 || (low = hex((*p)[2])) < 0)
		return OTHER;
	*p += 3;
	return digit[high << 4 | low];
}

/* Groups of four plain digits, as long as there is nothing else; how many octets they made. */
static size_t
groups(const char **path, const char *end, uint8_t *out, size_t room)
{
	const unsigned char	*p = (const unsigned char *)*path;
	size_t			 n = 0;
	unsigned		 a, b, c, d;

	for (size_t left = (size_t)(end - *path); left >= 4 && room - n >= 3; left -= 4, p += 4) {
		a = digit[p[0]];
		b = digit[p[1]];
		c = digit[p[2]];
		d = digit[p[3]];
		if ((a | b | c | d) > 63)
			break;
		out[n++] = (uint8_t)(a << 2 | b >> 4);
		out[n++] = (uint8_t)(b << 4 | c >> 2);
		out[n++] = (uint8_t)(c << 6 | d);
	}
	*path = (const char *)p;
	return n;
}

long
ocsp_request_from_path(const char *p, size_t len, uint8_t *out, size_t room, int *unpadded)
{
	const char	*end = p + len;
	uint32_t	 bits = 0;
	size_t		 n = 0, whole, digits = 0, padding = 0;
	unsigned	 value;

	/* A request begins with the "M" of SEQUENCE, never with a slash. */
	while (p < end && *p == '/')
		p++;
	while (p < end) {
		if (digits % 4 == 0 && padding == 0 && (whole = groups(&p, end, out + n, room - n)) != 0) {
			n += whole;
			digits += whole / 3 * 4;
			continue;
		}
		value = next_value(&p, end);
		if (value > PADDING || (padding != 0 && value != PADDING))
			return ICERT_E_MALFORMED;
		if (value == PADDING) {
			padding++;
			continue;
		}
		bits = bits << 6 | value;
		if (++digits % 4 == 1)
			continue;
		if (n == room)
			return ICERT_E_TOO_LARGE;
		/* 12, 18 or 24 bits are in; the lowest octet that is whole goes out. */
		out[n++] = (uint8_t)(bits >> (2 * (3 - (digits + 3) % 4)));
	}
	if (digits == 0 || digits % 4 == 1 || padding > 2 ||
	    (padding != 0 && (digits + padding) % 4 != 0))
		return ICERT_E_MALFORMED;
	/* Bits that belong to no octet are zero in what an encoder makes. */
	if ((digits % 4 == 2 && (bits & 0x0f) != 0) || (digits % 4 == 3 && (bits & 0x03) != 0))
		return ICERT_E_MALFORMED;
	if (unpadded != NULL)
		*unpadded = (digits + padding) % 4 != 0;
	return (long)n;
}
