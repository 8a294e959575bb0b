#include "payments/tariff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/error.h"

#define BASIS_POINTS 10000

int
tariff_sellable(const char *container, const char *kind)
{
	return strcmp(container, "file") == 0 || (strcmp(container, "token") == 0 && strcmp(kind, "new") == 0);
}

int
tariff_total(int64_t net, int tax_bp, struct tariff_total *total)
{
	if (net < 0 || net > TARIFF_CENTS_MAX || tax_bp < 0 || tax_bp > BASIS_POINTS)
		return ICERT_E_INVALID;
	total->net = net;
	total->tax = (net * tax_bp + BASIS_POINTS / 2) / BASIS_POINTS;
	total->total = total->net + total->tax;
	return 0;
}

void
tariff_format(int64_t cents, char *out, size_t size)
{
	char digits[24], grouped[32];
	uint64_t whole = (uint64_t)(cents < 0 ? -cents : cents);
	int n, i, o = 0;

	n = snprintf(digits, sizeof(digits), "%" PRIu64, whole / 100);
	for (i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			grouped[o++] = '.';
		grouped[o++] = digits[i];
	}
	snprintf(out, size, "%s%.*s,%02u", cents < 0 ? "-" : "", o, grouped, (unsigned)(whole % 100));
}

void
tariff_percent(int tax_bp, char *out, size_t size)
{
	int whole = tax_bp / 100, rest = tax_bp % 100;

	if (rest == 0)
		snprintf(out, size, "%d", whole);
	else if (rest % 10 == 0)
		snprintf(out, size, "%d,%d", whole, rest / 10);
	else
		snprintf(out, size, "%d,%02d", whole, rest);
}

int
tariff_parse(const char *text, int64_t *cents)
{
	int64_t value = 0;
	int decimals = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > TARIFF_CENTS_MAX)
			return ICERT_E_INVALID;
	}
	if (p == text)
		return ICERT_E_INVALID;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9' && decimals < 2; p++, decimals++)
			value = value * 10 + (*p - '0');
		if (decimals == 0)
			return ICERT_E_INVALID;
	}
	if (*p != '\0')
		return ICERT_E_INVALID;
	for (; decimals < 2; decimals++)
		value *= 10;
	if (value > TARIFF_CENTS_MAX)
		return ICERT_E_INVALID;
	*cents = value;
	return 0;
}

int
tariff_typed(const char *text, int64_t *cents)
{
	char plain[24];
	const char *last = NULL, *p;
	char point = '\0';
	size_t n = 0, group = 0;

	for (p = text; *p != '\0'; p++)
		if (*p == ',' || *p == '.')
			last = p;
	/* Cents begin at the last mark when one or two digits follow; the other mark, if any, groups thousands. */
	if (last != NULL && strlen(last) <= 3)
		point = *last;
	for (p = text; *p != '\0'; p++) {
		if (n + 1 >= sizeof(plain))
			return ICERT_E_INVALID;
		if (p == last && point != '\0')
			plain[n++] = '.';
		else if (*p == ',' || *p == '.') {
			if (*p == (point != '\0' ? point : ',') || p == text)
				return ICERT_E_INVALID;
			group = strspn(p + 1, "0123456789");
			if (group != 3)
				return ICERT_E_INVALID;
		} else
			plain[n++] = *p;
	}
	plain[n] = '\0';
	return tariff_parse(plain, cents);
}
