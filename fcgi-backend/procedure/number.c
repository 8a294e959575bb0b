#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "procedure/number.h"

/* ISO/IEC 7064:2003, clause 8: hybrid system MOD 11,10. */
char
number_check_digit(const char *digits, size_t n)
{
	int p = 10;

	for (size_t i = 0; i < n; i++) {
		int s = (p + (digits[i] - '0')) % 10;

		p = 2 * (s == 0 ? 10 : s) % 11;
	}
	return (char)('0' + (11 - p) % 10);
}

static char
check_of(const char *text)
{
	char digits[NUMBER_TEXT];
	size_t n = 0;

	for (; *text != '\0' && n < sizeof digits; text++)
		if (isdigit((unsigned char)*text))
			digits[n++] = *text;
	return number_check_digit(digits, n);
}

static void
finish(char *out, const char *separator)
{
	size_t n = strlen(out);

	snprintf(out + n, NUMBER_TEXT - n, "%s%c", separator, check_of(out));
}

static int
year_of(int64_t at)
{
	time_t t = (time_t)(at + ECUADOR_OFFSET_S);
	struct tm tm;

	gmtime_r(&t, &tm);
	return tm.tm_year + 1900;
}

void
number_case(int province, int64_t at, int64_t sequence, char out[NUMBER_TEXT])
{
	snprintf(out, NUMBER_TEXT, "%02d-%d-%06" PRId64, province, year_of(at), sequence);
	finish(out, "-");
}

void
number_purchase(int64_t at, int64_t sequence, char out[NUMBER_TEXT])
{
	snprintf(out, NUMBER_TEXT, "P-%d-%06" PRId64, year_of(at), sequence);
	finish(out, "-");
}

void
number_contract(int64_t at, int64_t sequence, char out[NUMBER_TEXT])
{
	snprintf(out, NUMBER_TEXT, "C-%d-%06" PRId64, year_of(at), sequence);
	finish(out, "-");
}

void
number_envelope(int province, int64_t sequence, char out[NUMBER_TEXT])
{
	snprintf(out, NUMBER_TEXT, "%02d%07" PRId64, province, sequence);
	finish(out, "");
}

int
number_valid(const char *text)
{
	char digits[NUMBER_TEXT];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (!isdigit((unsigned char)*text))
			continue;
		if (n == sizeof digits)
			return 0;
		digits[n++] = *text;
	}
	return n > 1 && number_check_digit(digits, n - 1) == digits[n - 1];
}
