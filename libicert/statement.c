#include "libicert/statement.h"

#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/utf8.h"

const struct statement_profile statement_profiles[] = {
	{ "date-reference-text-amount", 4, 0, 1, 2, 3, -1, -1 },
	{ "date-text-reference-amount", 4, 0, 2, 1, 3, -1, -1 },
	{ "date-kind-reference-text-amount", 5, 0, 2, 3, 4, 1, -1 },
	{ "date-text-reference-debit-credit", 5, 0, 2, 1, 4, -1, 3 },
	{ NULL, 0, 0, 0, 0, 0, 0, 0 }
};

const struct statement_profile *
statement_profile(const char *name)
{
	for (const struct statement_profile *p = statement_profiles; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

struct reader {
	const uint8_t	*p, *end;
	int		 latin1;
	char		 separator;
	char		 field[STATEMENT_COLUMNS][STATEMENT_FIELD + 1];
	int		 n;
};

/* What Windows-1252 has where Latin-1 has controls: 0x80 to 0x9f; 0 nothing. */
static const uint16_t windows[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
};

/* One octet of the file as UTF-8 at the end of a field; what controls would hide is refused. */
static int
put(char *field, size_t *n, uint8_t c, int latin1)
{
	unsigned letter = latin1 && c >= 0x80 && c < 0xa0 ? windows[c - 0x80] : c;

	if ((c < 0x20 && c != '\t') || c == 0x7f || letter == 0)
		return ICERT_E_MALFORMED;
	if (*n + 3 > STATEMENT_FIELD)
		return ICERT_E_TOO_LARGE;
	if (!latin1 || letter < 0x80) {
		field[(*n)++] = (char)c;
		return 0;
	}
	if (letter < 0x800)
		field[(*n)++] = (char)(0xc0 | letter >> 6);
	else {
		field[(*n)++] = (char)(0xe0 | letter >> 12);
		field[(*n)++] = (char)(0x80 | (letter >> 6 & 0x3f));
	}
	field[(*n)++] = (char)(0x80 | (letter & 0x3f));
	return 0;
}

static void
trim(char *field, size_t n)
{
	size_t from = 0;

	while (n > 0 && (field[n - 1] == ' ' || field[n - 1] == '\t'))
		n--;
	while (from < n && (field[from] == ' ' || field[from] == '\t'))
		from++;
	memmove(field, field + from, n - from);
	field[n - from] = '\0';
}

static int
at_end(const struct reader *r)
{
	return r->p == r->end || *r->p == '\r' || *r->p == '\n';
}

static int
read_field(struct reader *r, char *field)
{
	size_t n = 0;
	int error = 0;

	if (r->p < r->end && *r->p == '"') {
		for (r->p++;; r->p++) {
			if (r->p == r->end)
				return ICERT_E_MALFORMED;
			if (*r->p == '"') {
				if (r->p + 1 == r->end || r->p[1] != '"')
					break;
				r->p++;
			}
			/* A line's end inside of quotes is a blank. */
			if ((error = put(field, &n, *r->p == '\r' || *r->p == '\n' ? ' ' : *r->p, r->latin1)) != 0)
				return error;
		}
		r->p++;
		if (!at_end(r) && *r->p != (uint8_t)r->separator)
			return ICERT_E_MALFORMED;
	} else
		for (; !at_end(r) && *r->p != (uint8_t)r->separator; r->p++)
			if (*r->p == '"' || (error = put(field, &n, *r->p, r->latin1)) != 0)
				return error != 0 ? error : ICERT_E_MALFORMED;
	/* Controls of more than one octet. */
	if (!r->latin1 && !utf8_text(field, n))
		return ICERT_E_MALFORMED;
	trim(field, n);
	return 0;
}

/* 1 a record, 0 the end, or an error. */
static int
read_record(struct reader *r)
{
	int error;

	r->n = 0;
	if (r->p == r->end)
		return 0;
	for (;;) {
		if (r->n == STATEMENT_COLUMNS)
			return ICERT_E_TOO_LARGE;
		if ((error = read_field(r, r->field[r->n])) != 0)
			return error;
		r->n++;
		if (at_end(r))
			break;
		r->p++;
	}
	if (r->p < r->end && *r->p == '\r' && ++r->p < r->end && *r->p != '\n')
		return ICERT_E_MALFORMED;
	if (r->p < r->end)
		r->p++;
	return 1;
}

static int
digits(const char *s, int n)
{
	int value = 0;

	for (; n > 0; n--, s++) {
		if (*s < '0' || *s > '9')
			return -1;
		value = value * 10 + (*s - '0');
	}
	return value;
}

/* DD/MM/YYYY or YYYY-MM-DD, with "/" or "-", and perhaps a time after a blank, which is not read. */
static int
read_day(const char *s, char day[11])
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, m, d, last;
	char sep;

	if (strlen(s) < 10 || (s[10] != '\0' && s[10] != ' '))
		return ICERT_E_MALFORMED;
	if (s[4] == '-' || s[4] == '/') {
		sep = s[4];
		y = digits(s, 4), m = digits(s + 5, 2), d = digits(s + 8, 2);
		if (s[7] != sep)
			return ICERT_E_MALFORMED;
	} else {
		sep = s[2];
		y = digits(s + 6, 4), m = digits(s + 3, 2), d = digits(s, 2);
		if ((sep != '-' && sep != '/') || s[5] != sep)
			return ICERT_E_MALFORMED;
	}
	if (y < 2000 || y > 2200 || m < 1 || m > 12)
		return ICERT_E_MALFORMED;
	last = days[m - 1] + (m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
	if (d < 1 || d > last)
		return ICERT_E_MALFORMED;
	snprintf(day, 11, "%04u-%02u-%02u", (unsigned)y % 10000, (unsigned)m % 100, (unsigned)d % 100);
	return 0;
}

/* "1.234,56", "1234,5", "$ 30": at most two decimals, groups of three or none.  Signed: "-" or "+" before it. */
static int
read_cents(const char *s, char decimal, int64_t *cents)
{
	const char group = decimal == ',' ? '.' : ',';
	int64_t value = 0;
	int negative = 0, n = 0, run = 0, grouped = 0, decimals = 0;

	if (*s == '-' || *s == '+')
		negative = *s++ == '-';
	if (*s == '$')
		s++;
	while (*s == ' ')
		s++;
	for (; *s != '\0' && *s != decimal; s++) {
		if (*s == group) {
			if (run == 0 || run > 3 || (grouped && run != 3))
				return ICERT_E_MALFORMED;
			grouped = 1;
			run = 0;
			continue;
		}
		if (*s < '0' || *s > '9' || ++n > 12)
			return ICERT_E_MALFORMED;
		value = value * 10 + (*s - '0');
		run++;
	}
	if (n == 0 || (grouped && run != 3))
		return ICERT_E_MALFORMED;
	if (*s == decimal)
		for (s++; *s != '\0'; s++) {
			if (*s < '0' || *s > '9' || ++decimals > 2)
				return ICERT_E_MALFORMED;
			value = value * 10 + (*s - '0');
		}
	for (; decimals < 2; decimals++)
		value *= 10;
	*cents = negative ? -value : value;
	return 0;
}

static int
is_blank(const struct reader *r)
{
	for (int i = 0; i < r->n; i++)
		if (r->field[i][0] != '\0')
			return 0;
	return 1;
}

/* Whether it is a heading: words where a day and an amount would be. */
static int
is_heading(const struct reader *r, const struct statement_profile *p)
{
	const char *day = r->field[p->day], *amount = r->field[p->amount];

	return day[0] != '\0' && strpbrk(day, "0123456789") == NULL && strpbrk(amount, "0123456789") == NULL;
}

static int
says(const char *heading, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasestr(heading, *words) != NULL)
			return 1;
	return 0;
}

/*
 * Whether a heading says that its columns are others than the profile has: what went out, or a balance, would be taken for money that came, and a line
 * whose texts are swapped for another one.
 */
static int
contradicts(const struct reader *r, const struct statement_profile *p)
{
	/* "Débito/Crédito" over one column with signs is all right. */
	static const char *const both[] = { "cr\xc3\xa9" "d", "CR\xc3\x89" "D", "cred", "abono", NULL };
	static const char *const out[] = { "deb", "d\xc3\xa9" "b", "D\xc3\x89" "B", "cargo", "retiro", "egreso", "salida", "saldo", NULL };
	static const char *const in[] = { "cr\xc3\xa9" "d", "CR\xc3\x89" "D", "cred", "abono", "dep", "ingreso", "entrada", "saldo", NULL };
	static const char *const words[] = { "detalle", "concepto", "descrip", "glosa", NULL };
	static const char *const numbers[] = { "documento", "referencia", "comprobante", "n\xc3\xba" "mero", "N\xc3\x9a" "MERO", "numero", NULL };

	return (says(r->field[p->amount], out) && !says(r->field[p->amount], both)) || (p->debit >= 0 && says(r->field[p->debit], in)) ||
	    (says(r->field[p->reference], words) && says(r->field[p->text], numbers));
}

/* 1 a credit, 0 something that went out, or an error. */
static int
read_line(const struct reader *r, const struct statement_profile *p, char decimal, struct statement_line *line)
{
	const char *amount = r->field[p->amount], *kind = p->kind >= 0 ? r->field[p->kind] : "C";
	int64_t out = 0;
	int error;

	if ((error = read_day(r->field[p->day], line->day)) != 0)
		return error;
	if (*kind != 'C' && *kind != 'c' && *kind != 'D' && *kind != 'd')
		return ICERT_E_MALFORMED;
	if (p->debit >= 0 && r->field[p->debit][0] != '\0' && (error = read_cents(r->field[p->debit], decimal, &out)) != 0)
		return error;
	if (amount[0] == '\0' && out != 0)
		return 0;
	if ((error = read_cents(amount, decimal, &line->cents)) != 0)
		return error;
	/* In and out at once is no line of a statement. */
	if (out != 0 && line->cents != 0)
		return ICERT_E_MALFORMED;
	if (*kind == 'D' || *kind == 'd' || line->cents <= 0)
		return 0;
	if (strlen(r->field[p->reference]) > STATEMENT_REFERENCE)
		return ICERT_E_TOO_LARGE;
	snprintf(line->reference, sizeof line->reference, "%.*s", STATEMENT_REFERENCE, r->field[p->reference]);
	snprintf(line->text, sizeof line->text, "%s", r->field[p->text]);
	return 1;
}

/* The separator of the first record: the one of ; , and tab that it has most of outside of quotes. */
static char
separator_of(const uint8_t *p, const uint8_t *end)
{
	size_t semicolons = 0, commas = 0, tabs = 0;
	int quoted = 0;

	for (; p < end && (quoted || (*p != '\n' && *p != '\r')); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (!quoted) {
			semicolons += *p == ';';
			commas += *p == ',';
			tabs += *p == '\t';
		}
	}
	/* "12,50" has a comma where nothing is separated by it. */
	return semicolons > 0 ? ';' : tabs > 0 ? '\t' : commas > 0 ? ',' : ';';
}

int
statement_read(const void *bytes, size_t len, const struct statement_profile *profile, char decimal,
    int (*each)(void *arg, const struct statement_line *), void *arg, unsigned *record)
{
	struct reader r = { .p = bytes, .end = (const uint8_t *)bytes + len };
	struct statement_line line;
	unsigned n = 0;
	int rv, first = 1;

	*record = 0;
	if (len >= 3 && memcmp(r.p, "\xef\xbb\xbf", 3) == 0)
		r.p += 3;
	r.latin1 = !utf8_valid(r.p, (size_t)(r.end - r.p));
	r.separator = separator_of(r.p, r.end);
	while ((rv = read_record(&r)) == 1) {
		*record = ++n;
		if (n > STATEMENT_RECORDS)
			return ICERT_E_TOO_LARGE;
		if (is_blank(&r))
			continue;
		if (r.n < profile->columns)
			return ICERT_E_MALFORMED;
		if (first && is_heading(&r, profile) && contradicts(&r, profile))
			return ICERT_E_MISMATCH;
		if (!first || !is_heading(&r, profile)) {
			memset(&line, 0, sizeof line);
			line.record = n;
			if ((rv = read_line(&r, profile, decimal, &line)) < 0 || (rv == 1 && (rv = each(arg, &line)) != 0))
				return rv;
		}
		first = 0;
	}
	if (rv < 0)
		*record = n + 1;
	else
		*record = 0;
	return rv < 0 ? rv : first ? ICERT_E_MALFORMED : 0;
}
