#include "libicert/ocsp_request.h"

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

/* The value of a base64 digit, 64 for "=", -1 for anything else. */
static int
base64(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == ' ')
		return 62;
	if (c == '/')
		return 63;
	return c == '=' ? 64 : -1;
}

/* The next character, percent-decoded once; -1 for a bad escape. */
static int
next_character(const char **p, const char *end)
{
	int	high, low;

	if (**p != '%')
		return (unsigned char)*(*p)++;
	if (end - *p < 3 || (high = hex((*p)[1])) < 0 || (low = hex((*p)[2])) < 0)
		return -1;
	*p += 3;
	return high << 4 | low;
}

long
ocsp_request_from_path(const char *p, size_t len, uint8_t *out, size_t room)
{
	const char	*end = p + len;
	uint32_t	 bits = 0;
	size_t		 n = 0, digits = 0, padding = 0;
	int		 value;

	/* A request begins with the "M" of SEQUENCE, never with a slash. */
	while (p < end && *p == '/')
		p++;
	while (p < end) {
		value = base64(next_character(&p, end));
		if (value < 0 || (padding != 0 && value != 64))
			return ICERT_E_MALFORMED;
		if (value == 64) {
			padding++;
			continue;
		}
		bits = bits << 6 | (uint32_t)value;
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
	return (long)n;
}
