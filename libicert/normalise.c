#include "libicert/normalise.h"

#include "libicert/error.h"

#include <string.h>

int
normalise_person(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text != 0; text++) {
		char c = *text;

		if (c == ' ' || c == '\t' || c == '.' || c == '-')
			continue;
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')))
			return ICERT_E_INVALID;
		if (n + 1 >= size)
			return ICERT_E_TOO_LARGE;
		out[n++] = c;
	}
	if (n == 0)
		return ICERT_E_INVALID;
	out[n] = 0;
	return 0;
}

static int
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
normalise_email(const char *text, char *out, size_t size)
{
	size_t len;
	size_t at = 0;

	while (is_white(*text))
		text++;
	len = strlen(text);
	while (len > 0 && is_white(text[len - 1]))
		len--;
	if (len + 1 > size)
		return ICERT_E_TOO_LARGE;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if ((unsigned char)c <= ' ' || c == 0x7f)
			return ICERT_E_INVALID;
		if (c == '@') {
			if (at != 0 || i == 0 || i + 1 == len)
				return ICERT_E_INVALID;
			at = i;
		}
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	if (at == 0)
		return ICERT_E_INVALID;
	out[len] = 0;
	return 0;
}
