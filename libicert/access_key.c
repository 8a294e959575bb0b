#include <stdio.h>
#include <string.h>

#include "libicert/access_key.h"
#include "libicert/error.h"

/* Modulus 11: from the right, weights of 2 to 7 again and again. */
char
access_key_check(const char *digits)
{
	unsigned sum = 0, weight = 2, rest;
	size_t i = ACCESS_KEY_DIGITS - 1;

	if (strspn(digits, "0123456789") < i)
		return '\0';
	while (i-- > 0) {
		sum += (unsigned)(digits[i] - '0') * weight;
		weight = weight == 7 ? 2 : weight + 1;
	}
	rest = 11 - sum % 11;
	return rest == 11 ? '0' : rest == 10 ? '1' : (char)('0' + rest);
}

static int
two(const char *s)
{
	return (s[0] - '0') * 10 + s[1] - '0';
}

/* ddmmyyyy, of the Gregorian calendar */
static int
is_day(const char *s)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int d = two(s), m = two(s + 2), y = two(s + 4) * 100 + two(s + 6);
	int leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return y >= 2000 && m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap);
}

int
access_key_read(struct access_key *k, const char *text)
{
	memset(k, 0, sizeof(*k));
	if (strlen(text) != ACCESS_KEY_DIGITS || strspn(text, "0123456789") != ACCESS_KEY_DIGITS)
		return ICERT_E_MALFORMED;
	if (!is_day(text) || (text[23] != '1' && text[23] != '2') || text[47] != '1')
		return ICERT_E_MALFORMED;
	if (access_key_check(text) != text[48])
		return ICERT_E_MISMATCH;
	memcpy(k->text, text, sizeof(k->text));
	snprintf(k->day, sizeof(k->day), "%.4s-%.2s-%.2s", text + 4, text + 2, text);
	memcpy(k->document, text + 8, 2);
	memcpy(k->ruc, text + 10, 13);
	k->production = text[23] == '2';
	memcpy(k->place, text + 24, 6);
	memcpy(k->sequence, text + 30, 9);
	memcpy(k->code, text + 39, 8);
	return 0;
}
