#include "libicert/utf8.h"

#include <string.h>

size_t
utf8_decode(const void *bytes, size_t len, uint32_t *code_point)
{
	static const uint32_t	 least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t		*p = bytes;
	uint32_t		 c;
	size_t			 n;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*code_point = p[0];
		return 1;
	}
	if ((p[0] & 0xe0) == 0xc0) {
		n = 2;
		c = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		c = p[0] & 0x0f;
	} else if ((p[0] & 0xf8) == 0xf0) {
		n = 4;
		c = p[0] & 0x07;
	} else
		return 0;
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code_point = c;
	return n;
}

enum { ANY, TEXT, PRINTABLE };

static int
allowed(uint32_t c, int what)
{
	if (what == ANY)
		return 1;
	if (c >= 0x20 && c != 0x7f && (c < 0x80 || c > 0x9f))
		return 1;
	return what == TEXT && (c == '\t' || c == '\n' || c == '\r');
}

static int
check(const uint8_t *p, size_t len, int what)
{
	uint32_t	c;
	size_t		n;

	for (; len > 0; p += n, len -= n)
		if ((n = utf8_decode(p, len, &c)) == 0 || !allowed(c, what))
			return 0;
	return 1;
}

int
utf8_valid(const void *p, size_t len)
{
	return check(p, len, ANY);
}

int
utf8_printable(const void *p, size_t len)
{
	return check(p, len, PRINTABLE);
}

int
utf8_text(const void *p, size_t len)
{
	return check(p, len, TEXT);
}

size_t
utf8_length(const void *bytes, size_t len)
{
	const uint8_t	*p = bytes;
	size_t		 n = 0;

	for (size_t i = 0; i < len; i++)
		n += (p[i] & 0xc0) != 0x80;
	return n;
}

size_t
utf8_prefix(const void *bytes, size_t len, size_t max)
{
	const uint8_t	*p = bytes;

	if (len <= max)
		return len;
	while (max > 0 && (p[max] & 0xc0) == 0x80)
		max--;
	return max;
}

void
utf8_cut(char *out, size_t size, const char *text)
{
	size_t n = utf8_prefix(text, strlen(text), size - 1);

	memcpy(out, text, n);
	out[n] = '\0';
}
