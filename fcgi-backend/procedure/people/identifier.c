#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "procedure/people/identifier.h"

#define CEDULA_DIGITS	10
#define RUC_DIGITS	13
#define PASSPORT_MIN	3
#define PASSPORT_MAX	20
#define PROVINCES	24
#define ISSUED_ABROAD	30	/* a prefix of cédulas, not a province */
#define EMAIL_MAX	254	/* RFC 5321, 4.5.3.1.3, without the brackets */
#define LOCAL_MAX	64	/* RFC 5321, 4.5.3.1.1 */
#define E164_MAX	15

static int
digits_only(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int
digit(const char *text, int i)
{
	return text[i] - '0';
}

static int
number_of(const char *text, int from, int n)
{
	int value = 0;

	for (int i = from; i < from + n; i++)
		value = value * 10 + digit(text, i);
	return value;
}

/* 11 − sum mod 11 over weights; 11 counts as 0, 10 fits no digit. */
static int
modulo_11(const char *text, const int *weights, int n)
{
	int sum = 0, check;

	for (int i = 0; i < n; i++)
		sum += digit(text, i) * weights[i];
	check = 11 - sum % 11;
	return check == 11 ? 0 : check;
}

static const char *
province_prefix(const char *text)
{
	int province = number_of(text, 0, 2);

	return (province >= 1 && province <= PROVINCES) || province == ISSUED_ABROAD ? NULL : "province";
}

/* The first ten digits of text. */
static const char *
cedula_digits(const char *text)
{
	const char *wrong;
	int sum = 0;

	if ((wrong = province_prefix(text)) != NULL)
		return wrong;
	if (digit(text, 2) > 6)
		return "third_digit";
	for (int i = 0; i < CEDULA_DIGITS - 1; i++) {
		int product = digit(text, i) * (i % 2 == 0 ? 2 : 1);

		sum += product > 9 ? product - 9 : product;
	}
	return (10 - sum % 10) % 10 == digit(text, CEDULA_DIGITS - 1) ? NULL : "check_digit";
}

const char *
identifier_cedula(const char *text)
{
	if (text[0] != '\0' && !digits_only(text))
		return "digits";
	if (strlen(text) != CEDULA_DIGITS)
		return "length";
	return cedula_digits(text);
}

const char *
identifier_passport(const char *text)
{
	size_t n = strlen(text);

	if (text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] != '\0')
		return "characters";
	return n >= PASSPORT_MIN && n <= PASSPORT_MAX ? NULL : "length";
}

static const char *
ruc_form(const char *text)
{
	if (text[0] != '\0' && !digits_only(text))
		return "digits";
	return strlen(text) == RUC_DIGITS ? NULL : "length";
}

const char *
identifier_ruc_person(const char *text)
{
	const char *wrong;

	if ((wrong = ruc_form(text)) != NULL || (wrong = cedula_digits(text)) != NULL)
		return wrong;
	return number_of(text, CEDULA_DIGITS, 3) >= 1 ? NULL : "establishment";
}

const char *
identifier_ruc(const char *text, int *doubtful)
{
	static const int company[] = { 4, 3, 2, 7, 6, 5, 4, 3, 2 };
	static const int public_body[] = { 3, 2, 7, 6, 5, 4, 3, 2 };
	const char *wrong;

	*doubtful = 0;
	if ((wrong = ruc_form(text)) != NULL || (wrong = province_prefix(text)) != NULL)
		return wrong;
	switch (digit(text, 2)) {
	case 9:
		*doubtful = modulo_11(text, company, 9) != digit(text, 9);
		return number_of(text, 10, 3) >= 1 ? NULL : "establishment";
	case 6:
		/* A natural person's third digit may be 6 as well. */
		if (modulo_11(text, public_body, 8) == digit(text, 8))
			return number_of(text, 9, 4) >= 1 ? NULL : "establishment";
		return identifier_ruc_person(text);
	case 7:
	case 8:
		return "third_digit";
	default:
		return identifier_ruc_person(text);
	}
}

/* A number within Ecuador.  Mobile: 9 and eight more; fixed: area 2 … 7 and seven more. */
static int
national_number(const char *digits, size_t n)
{
	return (n == 9 && digits[0] == '9') || (n == 8 && digits[0] >= '2' && digits[0] <= '7');
}

const char *
identifier_telephone(const char *text, char *out, unsigned long size)
{
	char digits[E164_MAX + 2];
	size_t n = 0;
	int plus = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '+' && n == 0 && !plus)
			plus = 1;
		else if (isdigit((unsigned char)*p)) {
			if (n > E164_MAX)
				return "telephone";
			digits[n++] = *p;
		} else if (strchr(" -().", *p) == NULL)
			return "telephone";
	}
	digits[n] = '\0';
	if (!plus && digits[0] == '0' && digits[1] == '0') {
		memmove(digits, digits + 2, n - 1);
		n -= 2;
		plus = 1;
	}
	if (!plus && n == 12 && strncmp(digits, "5939", 4) == 0)
		plus = 1;
	if (plus) {
		/* "+593 (0)99…": the trunk zero is no part of it. */
		if (strncmp(digits, "5930", 4) == 0) {
			memmove(digits + 3, digits + 4, n - 3);
			n--;
		}
		if (n < 8 || n > E164_MAX || digits[0] == '0')
			return "telephone";
		if (strncmp(digits, "593", 3) == 0 && !national_number(digits + 3, n - 3))
			return "telephone";
		snprintf(out, size, "+%s", digits);
		return NULL;
	}
	if (digits[0] == '0') {
		memmove(digits, digits + 1, n);
		n--;
	}
	if (!national_number(digits, n))
		return "telephone";
	snprintf(out, size, "+593%s", digits);
	return NULL;
}

static int
domain_good(const char *domain)
{
	size_t label = 0;
	int dots = 0;

	for (const char *p = domain; *p != '\0'; p++) {
		if (*p == '.') {
			if (label == 0 || p[-1] == '-')
				return 0;
			label = 0;
			dots++;
		} else if (isalnum((unsigned char)*p) || (*p == '-' && label > 0)) {
			if (++label > 63)
				return 0;
		} else
			return 0;
	}
	return dots > 0 && label > 1 && domain[strlen(domain) - 1] != '-';
}

const char *
identifier_email(const char *text)
{
	static const char atext[] = "!#$%&'*+/=?^_`{|}~-.";
	const char *at = strchr(text, '@');
	size_t local;

	if (at == NULL || strlen(text) > EMAIL_MAX)
		return "email";
	local = (size_t)(at - text);
	if (local == 0 || local > LOCAL_MAX || text[0] == '.' || at[-1] == '.')
		return "email";
	for (size_t i = 0; i < local; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr(atext, text[i]) == NULL)
			return "email";
		if (text[i] == '.' && text[i + 1] == '.')
			return "email";
	}
	return domain_good(at + 1) ? NULL : "email";
}
