#include <stdint.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/utf8.h"
#include "procedure/people/name.h"

static uint32_t
upper(uint32_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7))
		return c - 32;
	if (c == 0xff)
		return 0x178;
	/* Latin Extended-A pairs its letters: upper even and lower odd, or the
	 * other way round in two stretches; 0138, 0149 and 017F stand alone. */
	if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177))
		return c == 0x131 ? 'I' : c & ~1u;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
		return c % 2 == 0 ? c - 1 : c;
	return c;
}

static int
letter(uint32_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= 0xc0 && c <= 0x17f && c != 0xd7 && c != 0xf7);
}

/* A letter and the combining mark after it as one letter; 0 when there is none. */
static uint32_t
joined(uint32_t c, uint32_t mark)
{
	static const struct { uint32_t mark; char from[16]; uint32_t to[14]; } table[] = {
		{ 0x300, "AEIOUaeiou", { 0xc0, 0xc8, 0xcc, 0xd2, 0xd9, 0xe0, 0xe8, 0xec, 0xf2, 0xf9 } },
		{ 0x301, "AEIOUYaeiouy", { 0xc1, 0xc9, 0xcd, 0xd3, 0xda, 0xdd, 0xe1, 0xe9, 0xed, 0xf3, 0xfa, 0xfd } },
		{ 0x302, "AEIOUaeiou", { 0xc2, 0xca, 0xce, 0xd4, 0xdb, 0xe2, 0xea, 0xee, 0xf4, 0xfb } },
		{ 0x303, "ANOano", { 0xc3, 0xd1, 0xd5, 0xe3, 0xf1, 0xf5 } },
		{ 0x308, "AEIOUaeiouy", { 0xc4, 0xcb, 0xcf, 0xd6, 0xdc, 0xe4, 0xeb, 0xef, 0xf6, 0xfc, 0xff } },
		{ 0x327, "Cc", { 0xc7, 0xe7 } },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *at;

		if (table[i].mark == mark && c < 128 && c != 0 && (at = strchr(table[i].from, (int)c)) != NULL)
			return table[i].to[at - table[i].from];
	}
	return 0;
}

static size_t
encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static int
white(uint32_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xa0 || (c >= 0x2000 && c <= 0x200a) || c == 0x3000;
}

static int
convert(const char *text, char *out, size_t size, int to_upper)
{
	size_t left = strlen(text), used = 0, n;
	uint32_t c, mark, both;
	int space = 0;

	while (left > 0) {
		char bytes[5];

		if ((n = utf8_decode(text, left, &c)) == 0)
			return ICERT_E_MALFORMED;
		text += n;
		left -= n;
		if (white(c)) {
			space = used > 0;
			continue;
		}
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return ICERT_E_MALFORMED;
		/* First the case, then the accent: done the other way, a second time would change it again. */
		if (to_upper)
			c = upper(c);
		if ((n = utf8_decode(text, left, &mark)) != 0 && (both = joined(c, mark)) != 0) {
			c = both;
			text += n;
			left -= n;
		}
		n = encode(c, bytes);
		if (used + n + (space ? 1 : 0) >= size)
			return ICERT_E_TOO_LARGE;
		if (space)
			out[used++] = ' ';
		space = 0;
		memcpy(out + used, bytes, n);
		used += n;
	}
	out[used] = '\0';
	return 0;
}

int
name_upper(const char *text, char *out, size_t size)
{
	return convert(text, out, size, 1);
}

int
name_fold(const char *text, char *out, size_t size)
{
	return convert(text, out, size, 0);
}

int
name_plausible(const char *text)
{
	size_t left = strlen(text), n;
	uint32_t c;
	int letters = 0;

	for (; left > 0; text += n, left -= n) {
		if ((n = utf8_decode(text, left, &c)) == 0)
			return 0;
		if (letter(c))
			letters++;
		else if (c != ' ' && c != '\'' && c != '-' && c != '.' && c != 0x2019)
			return 0;
	}
	return letters > 0;
}
